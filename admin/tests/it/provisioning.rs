//! Provisioning over REST: jobs are asked for, followed, agreed to and called off; what they would do; what was spent. No
//! provider is asked: what takes one is tried elsewhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::events::Stream;
use crate::harness::{Admin, Answer, OPERATOR};

const ACCEPTED: StatusCode = StatusCode::ACCEPTED;
const CONFLICT: StatusCode = StatusCode::CONFLICT;

async fn tenant(admin: &Admin, name: &str) -> String {
    format!("/tenants/{}", admin.create("/tenants", json!({"name": name})).await)
}

async fn get(admin: &Admin, path: &str) -> Value {
    admin.expect(StatusCode::OK, Method::GET, path, Value::Null).await
}

async fn post(admin: &Admin, expected: StatusCode, path: &str, body: Value) -> Value {
    admin.expect(expected, Method::POST, path, body).await
}

/// Runs SQL as an operator.
async fn execute(admin: &Admin, sql: String) {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let sql = AssertSqlSafe(format!("SET ROLE dialplane_operator; {sql}"));
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// A job that waits for a person.
async fn waiting(admin: &Admin, tenant: &str) -> String {
    let wish = json!({"source": "provision", "strategies": ["pool", "manual"], "area_code": "212"});
    let job = post(admin, ACCEPTED, &format!("{tenant}/phone-numbers"), wish).await;
    let id = job["id"].as_str().unwrap().to_owned();
    assert_eq!(admin.job_at_rest(&id).await["state"], "manual");
    id
}

fn items(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_wish_is_refused_at_its_place() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "Salon").await;
    for (wish, field) in [
        (json!({"country": 5}), "country"),
        (json!({"country": "XX"}), "country"),
        (json!({"area_code": 212}), "area_code"),
        (json!({"area_code": "2"}), "area_code"),
        (json!({"area_code_required": "yes"}), "area_code_required"),
        (json!({"contains": "abc"}), "contains"),
        (json!({"number_type": "cheap"}), "number_type"),
        (json!({"sms": 1}), "sms"),
        (json!({"strategies": "pool"}), "strategies"),
        (json!({"strategies": ["pool", "luck"]}), "strategies[1]"),
        (json!({"strategies": ["pool", "pool"]}), "strategies"),
        (json!({"cost_max": 2}), "cost_max"),
        (json!({"cost_max": "2,00"}), "cost_max"),
        (json!({"are_code": "212"}), "are_code"),
    ] {
        let with = |mut body: Value| {
            body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
            body
        };
        let number = with(json!({"source": "provision"}));
        admin.refused(Method::POST, &format!("{tenant}/phone-numbers"), number, field).await;
        let agent = with(json!({"name": "Desk", "provision_phone": true}));
        admin.refused(Method::POST, &format!("{tenant}/agents"), agent, field).await;
        let id = tenant.rsplit('/').next().unwrap();
        let batch = json!({"items": [{"tenant_id": id}], "wish": wish});
        let (status, answer) = admin.send(OPERATOR, Method::POST, "/api/v2/provisioning", &batch).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{batch} {answer}");
        assert!(answer["field"].as_str().unwrap().ends_with(field), "{batch} {answer}");
    }
    for (body, field) in [
        (json!({"source": "manual", "phone_number": "+12125550001", "area_code": "212"}), "area_code"),
        (json!({"source": "provision", "phone_number": "+12125550001"}), "phone_number"),
        (json!({"source": "provision", "calls_max": 3}), "calls_max"),
        (json!({"source": "provision", "account_id": tenant.rsplit('/').next()}), "account_id"),
        (json!({"source": "import"}), "phone_number"),
        (json!({"source": "import", "phone_number": "+12125550001"}), "account_id"),
        (json!({"source": "import", "phone_number": "+12125550001", "sms": true}), "sms"),
        (json!({"source": "port_in", "phone_number": "+1"}), "phone_number"),
    ] {
        admin.refused(Method::POST, &format!("{tenant}/phone-numbers"), body, field).await;
    }
    // Without a number to provision, a wish would be forgotten.
    let agent = json!({"name": "Desk", "area_code": "212"});
    admin.refused(Method::POST, &format!("{tenant}/agents"), agent, "area_code").await;
    assert_eq!(get(&admin, "/provisioning").await["items"], json!([]));
}

#[tokio::test]
async fn a_job_is_listed_and_called_off() {
    let Some(admin) = Admin::start().await else { return };
    let (mine, theirs) = (tenant(&admin, "Mine").await, tenant(&admin, "Theirs").await);
    let id = waiting(&admin, &mine).await;
    let other = waiting(&admin, &theirs).await;
    let job = get(&admin, &format!("{mine}/provisioning/{id}")).await;
    assert_eq!((&job["kind"], &job["reason_code"]), (&json!("number"), &json!("manual")));
    assert_eq!(job["request"]["wish"]["country"], "US");
    let steps: Vec<_> = job["steps"].as_array().unwrap().iter().map(|step| &step["outcome"]).collect();
    assert_eq!(steps, ["nothing", "person"]);
    assert_eq!(items(&get(&admin, "/provisioning?state=manual").await), [&*id, &*other]);
    assert_eq!(items(&get(&admin, &format!("{mine}/provisioning")).await), [&*id]);
    assert_eq!(get(&admin, "/provisioning?state=done").await["items"], json!([]));

    // Who may not spend doesn't, and what is another's isn't there.
    let base = format!("/api/v2{mine}/provisioning/{id}");
    let key = |role: &'static str| admin.tenant_key_of(mine.rsplit('/').next().unwrap(), role);
    let editor = key("editor").await;
    let wish = json!({"source": "provision"});
    for (path, body) in [
        (format!("/api/v2{mine}/phone-numbers"), wish.clone()),
        (format!("/api/v2{mine}/phone-numbers?dry_run=true"), wish),
        (format!("{base}/cancel"), Value::Null),
        (format!("{base}/confirm"), Value::Null),
        (format!("/api/v2{mine}/agents"), json!({"name": "Desk", "provision_phone": true})),
    ] {
        let (status, answer) = admin.send(&editor, Method::POST, &path, &body).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "{path}");
    }
    let admin_key = key("admin").await;
    for (method, rest) in [(Method::GET, ""), (Method::POST, "/cancel"), (Method::POST, "/confirm")] {
        let path = format!("/api/v2{mine}/provisioning/{other}{rest}");
        let (status, _) = admin.send(&admin_key, method, &path, &Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }

    let (status, canceled) =
        admin.send(&admin_key, Method::POST, &format!("{base}/cancel"), &Value::Null).await;
    assert_eq!((status, &canceled["state"]), (StatusCode::OK, &json!("canceled")), "{canceled}");
    assert!(canceled["ended_at"].is_string() && canceled["reason"].is_null(), "{canceled}");
    assert_eq!(admin.job_at_rest(&id).await["state"], "canceled");
    for (action, body, code) in [
        ("cancel", Value::Null, "job_over"),
        ("confirm", Value::Null, "job_state"),
        ("retry", Value::Null, "job_state"),
        ("resolve", json!({"account_id": id}), "job_state"),
    ] {
        let refused = post(&admin, CONFLICT, &format!("/provisioning/{id}/{action}"), body).await;
        assert_eq!(refused["code"], code, "{action}");
    }
    // The other one goes on.
    post(&admin, StatusCode::OK, &format!("/provisioning/{other}/retry"), Value::Null).await;
    let other = admin.job_at_rest(&other).await;
    assert_eq!((&other["state"], other["steps"].as_array().unwrap().len()), (&json!("manual"), 3));
}

#[tokio::test]
async fn an_agent_in_the_making_is_not_deleted_behind_its_jobs_back() {
    // Nobody listens there: the job tries again and again.
    let Some(admin) = Admin::start_with(&[("VAPI_API_BASE", "http://127.0.0.1:9")]).await else { return };
    let tenant = tenant(&admin, "Salon").await;
    let account =
        json!({"provider": "vapi", "label": "main", "credentials": {"api_key": "key", "secret": "secret"}});
    admin.create("/accounts", account).await;
    let agents = format!("{tenant}/agents");
    let agent = post(&admin, StatusCode::CREATED, &agents, json!({"name": "Desk", "provider": "vapi"})).await;
    let (agent, job) = (agent["id"].as_str().unwrap(), agent["job_id"].as_str().unwrap());
    let path = format!("{agents}/{agent}");
    let is_refused = async || {
        let refused = admin.expect(CONFLICT, Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused["code"], "agent_in_making");
    };
    is_refused().await;
    // Called off, it looks at the provider for what it may have made there.
    admin.expect(StatusCode::OK, Method::POST, &format!("/provisioning/{job}/cancel"), Value::Null).await;
    is_refused().await;
}

#[tokio::test]
async fn a_price_is_agreed_to_once() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "Salon").await;
    let id = waiting(&admin, &tenant).await;
    execute(
        &admin,
        format!(
            "UPDATE provisioning_jobs SET state = 'confirming', reason_code = 'cost',
                progress = progress || '{{\"state\": \"confirming\"}}' WHERE id = '{id}'"
        ),
    )
    .await;
    let path = format!("{tenant}/provisioning/{id}/confirm");
    let job = post(&admin, StatusCode::OK, &path, Value::Null).await;
    assert_eq!((&job["request"]["is_confirmed"], &job["reason_code"]), (&json!(true), &Value::Null));
    assert_eq!(admin.job_at_rest(&id).await["state"], "manual");
    assert_eq!(post(&admin, CONFLICT, &path, Value::Null).await["code"], "job_state");
    // What a person says they did is looked at.
    let resolve = format!("/provisioning/{id}/resolve");
    admin.refused(Method::POST, &resolve, json!({"account_id": id}), "account_id").await;
    admin.refused(Method::POST, &resolve, json!({}), "account_id").await;
    let credentials = json!({"account_sid": "AC1", "auth_token": "t"});
    let account = json!({"provider": "twilio", "label": "main", "credentials": credentials});
    let account = admin.create("/accounts", account).await;
    admin.refused(Method::POST, &resolve, json!({"account_id": account}), "phone_number").await;
    let wrong = json!({"account_id": account, "phone_number": "12125550001"});
    admin.refused(Method::POST, &resolve, wrong, "phone_number").await;
}

#[tokio::test]
async fn a_number_of_the_pool_is_there_at_once() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = tenant(&admin, "Salon").await;
    for number in ["+13125550001", "+12125550001"] {
        admin.create("/pool", json!({"phone_number": number})).await;
    }
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Desk", "target": target, "provision_phone": true, "area_code": "212",
        "strategies": ["pool", "manual"]});
    // First as a plan, in which nothing happens.
    let plan = format!("{tenant}/agents?dry_run=true");
    let plan = post(&admin, StatusCode::OK, &plan, agent.clone()).await;
    assert_eq!(
        (&plan["ends"], &plan["takes"], &plan["agent"]),
        (&json!("reserves"), &json!(0), &Value::Null)
    );
    let first = &plan["considered"][0];
    assert_eq!(
        (&first["strategy"], &first["offer"]["phone_number"]),
        (&json!("pool"), &json!("+12125550001"))
    );
    assert_eq!(plan["considered"][1]["code"], "manual");
    assert_eq!(get(&admin, &format!("{tenant}/agents")).await["items"], json!([]));
    assert_eq!(get(&admin, "/pool").await["items"].as_array().unwrap().len(), 2);
    assert_eq!(get(&admin, "/provisioning").await["items"], json!([]));

    let agent = post(&admin, StatusCode::CREATED, &format!("{tenant}/agents"), agent).await;
    let job = admin.job_at_rest(agent["job_id"].as_str().unwrap()).await;
    assert_eq!((&job["state"], &job["agent_id"]), (&json!("done"), &agent["id"]), "{job}");
    let number = job["phone_number_id"].as_str().unwrap();
    let number = get(&admin, &format!("{tenant}/phone-numbers/{number}")).await;
    assert_eq!((&number["phone_number"], &number["lifecycle"]), (&json!("+12125550001"), &json!("active")));
    assert_eq!((&number["status"], &number["agent_id"]), (&json!("active"), &agent["id"]));
    // Without an area code, any of the country will do.
    let wish = json!({"source": "provision", "strategies": ["pool"], "display_name": "Loop"});
    let answer = admin.request(OPERATOR, Method::POST, &format!("{tenant}/phone-numbers")).json(&wish);
    let answer = Answer::to(answer).await;
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(&*format!("/api/v2{tenant}/provisioning/{id}")));
    let job = admin.job_at_rest(id).await;
    assert_eq!(job["state"], "done", "{job}");
    let number =
        get(&admin, &format!("{tenant}/phone-numbers/{}", job["phone_number_id"].as_str().unwrap())).await;
    assert_eq!((&number["phone_number"], &number["display_name"]), (&json!("+13125550001"), &json!("Loop")));
    let steps = admin.metrics().await;
    let step = "dialplane_admin_provisioning_steps_total{outcome=\"reserved\",stage=\"choose\"} 2";
    assert!(steps.contains(step), "{steps}");
}

#[tokio::test]
async fn a_plan_says_why_not() {
    let settings = [("VAPI_FREE_NUMBERS_MAX", "0"), ("PROVISIONING_SPEND_MAX", "20")];
    let Some(admin) = Admin::start_with(&settings).await else { return };
    let tenant = tenant(&admin, "Salon").await;
    admin.create("/pool", json!({"phone_number": "+13125550001"})).await;
    let plan = async |path: &str, body: Value| {
        post(&admin, StatusCode::OK, &format!("{tenant}/{path}?dry_run=true"), body).await
    };
    let wish = json!({"source": "provision", "strategies": ["pool", "free", "tenant_account"], "area_code": "212",
        "area_code_required": true});
    let none = plan("phone-numbers", wish.clone()).await;
    assert_eq!((&none["ends"], &none["takes"]), (&json!("manual"), &Value::Null), "{none}");
    let codes: Vec<_> = none["considered"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    assert_eq!(codes, ["no_such_number", "no_account", "no_account"]);
    assert_eq!(none["left"], json!({"currency": "USD", "tenant": "10.00", "platform": "20.00"}));
    // What the platform has left isn't for tenants.
    let key = admin.tenant_key(tenant.rsplit('/').next().unwrap()).await;
    let path = format!("/api/v2{tenant}/phone-numbers?dry_run=true");
    let (status, theirs) = admin.send(&key, Method::POST, &path, &wish).await;
    assert_eq!((status, &theirs["left"]["platform"]), (StatusCode::OK, &Value::Null), "{theirs}");

    // An agent that nobody could make gets no number either.
    let hosted = json!({"name": "Desk", "provision_phone": true, "strategies": ["pool"]});
    let hosted = plan("agents", hosted).await;
    assert_eq!(
        (&hosted["agent"]["provider"], &hosted["agent"]["code"]),
        (&json!("vapi"), &json!("no_account"))
    );
    assert_eq!((&hosted["ends"], &hosted["takes"]), (&json!("manual"), &Value::Null), "{hosted}");
    assert_eq!(hosted["considered"][0]["offer"]["phone_number"], "+13125550001");

    // A tenant that may have no more gets none, by plan or by job.
    let full = json!({"phone_numbers_max": 0, "spend_max": "3"});
    admin.expect(StatusCode::OK, Method::PATCH, &tenant, full).await;
    let wish = json!({"source": "provision", "strategies": ["pool", "platform_account"]});
    let full = plan("phone-numbers", wish.clone()).await;
    assert_eq!(
        (&full["considered"][0]["code"], &full["ends"]),
        (&json!("phone_numbers_limit"), &json!("manual"))
    );
    assert_eq!(full["left"]["tenant"], "3.00");
    let job = post(&admin, ACCEPTED, &format!("{tenant}/phone-numbers"), wish).await;
    let job = admin.job_at_rest(job["id"].as_str().unwrap()).await;
    assert_eq!((&job["state"], &job["reason_code"]), (&json!("manual"), &json!("phone_numbers_limit")));

    // Only what a job would do is told beforehand.
    let path = format!("{tenant}/phone-numbers?dry_run=true");
    let manual = json!({"source": "manual", "phone_number": "+12125550001"});
    admin.refused(Method::POST, &path, manual, "source").await;
    let alone = json!({"name": "Desk"});
    admin.refused(Method::POST, &format!("{tenant}/agents?dry_run=true"), alone, "provision_phone").await;
    let nobody = format!("/tenants/{}/phone-numbers?dry_run=true", uuid::Uuid::now_v7());
    post(&admin, StatusCode::NOT_FOUND, &nobody, json!({"source": "provision"})).await;
}

#[tokio::test]
async fn many_are_asked_for_at_once_or_none() {
    let Some(admin) = Admin::start().await else { return };
    let mut items_of = Vec::new();
    for name in ["a", "b", "c"] {
        let tenant = tenant(&admin, name).await;
        items_of.push(json!({"tenant_id": tenant.rsplit('/').next(), "display_name": name}));
    }
    let wish = json!({"strategies": ["manual"]});
    let mut wrong = items_of.clone();
    wrong[1]["tenant_id"] = json!(uuid::Uuid::now_v7());
    let batch = json!({"items": wrong, "wish": wish});
    admin.refused(Method::POST, "/provisioning", batch, "items[1].tenant_id").await;
    assert_eq!(get(&admin, "/provisioning").await["items"], json!([]));
    let batch = json!({"items": items_of, "wish": wish});
    let made = post(&admin, ACCEPTED, "/provisioning", batch).await;
    assert_eq!(made["jobs"], 3);
    let list = format!("/provisioning?batch_id={}", made["batch_id"].as_str().unwrap());
    let list = get(&admin, &list).await;
    assert_eq!(items(&list).len(), 3);
    for id in items(&list) {
        assert_eq!(admin.job_at_rest(id).await["state"], "manual");
    }
}

/// A free number of an account, as a job would have noted it.
async fn hold_free(admin: &Admin, account: &str, number: u32) {
    let phone = admin.create("/pool", json!({"phone_number": format!("+1212555000{number}")})).await;
    execute(
        admin,
        format!(
            "INSERT INTO number_holdings (phone_number_id, account_id, role, held_id, origin)
             VALUES ('{phone}', '{account}', 'carrier', 'free-{number}', 'free')"
        ),
    )
    .await;
}

#[tokio::test]
async fn free_numbers_that_run_out_are_told_of() {
    let Some(admin) = Admin::start().await else { return };
    let account = json!({"provider": "vapi", "label": "agents", "credentials": {"secret": "s3cret-of-vapi"}});
    let account = admin.create("/accounts", account).await;
    let mut events = Stream::open(&admin, OPERATOR, "/events", None).await;
    for number in 0..4 {
        hold_free(&admin, &account, number).await;
    }
    let usage = get(&admin, "/usage/free-numbers").await;
    let whole = json!({"total": 4, "limit": 5, "remaining": 1, "percent_used": 80.0});
    for (field, value) in whole.as_object().unwrap() {
        assert_eq!(&usage[field], value, "{usage}");
        assert_eq!(&usage["accounts"][0][field], value, "{usage}");
    }
    assert_eq!(usage["accounts"][0]["account_id"], account.as_str());
    assert_eq!(
        (&usage["accounts"][0]["label"], &usage["accounts"][0]["level"]),
        (&json!("agents"), &json!("warning"))
    );
    // Once a level, whatever the count does.
    let event = events.until("free_numbers.created").await;
    assert_eq!((&event["value"]["level"], &event["resource_id"]), (&json!("warning"), &json!(account)));
    assert_eq!((&event["channels"], &event["tenant_id"]), (&json!(["platform"]), &Value::Null));
    hold_free(&admin, &account, 4).await;
    let event = events.until("free_numbers.updated").await;
    assert_eq!((&event["value"]["level"], &event["value"]["total"]), (&json!("critical"), &json!(5)));
    execute(&admin, "DELETE FROM number_holdings".to_owned()).await;
    let event = events.until("free_numbers.updated").await;
    assert_eq!((&event["value"]["level"], &event["value"]["total"]), (&json!("ok"), &json!(0)));
    let metrics = admin.metrics().await;
    assert!(metrics.contains("dialplane_admin_provisioning_jobs{state=\"manual\"} 0"), "{metrics}");
    assert!(metrics.contains("dialplane_admin_provisioning_spend_limit 50"), "{metrics}");

    // An account that holds numbers stays.
    hold_free(&admin, &account, 5).await;
    let path = format!("/accounts/{account}");
    let refused = admin.expect(CONFLICT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(refused["code"], "account_in_use");
}

#[tokio::test]
async fn what_was_spent_is_told_by_tenant() {
    let Some(admin) = Admin::start().await else { return };
    let mine = admin.create("/tenants", json!({"name": "Mine", "spend_max": "30"})).await;
    let theirs = admin.create("/tenants", json!({"name": "Theirs"})).await;
    let buy = async |tenant: &str, monthly: &str, currency: &str, state: &str| {
        execute(
            &admin,
            format!(
                "INSERT INTO purchases (id, tenant_id, job_id, account_id, provider, country, upfront, monthly, currency,
                    is_estimated, state, wanted)
                 VALUES (gen_random_uuid(), {tenant}, gen_random_uuid(), gen_random_uuid(), 'twilio', 'US', 1, {monthly},
                    '{currency}', false, '{state}', '{{}}')"
            ),
        )
        .await;
    };
    for (monthly, currency, state) in
        [("1.15", "USD", "owned"), ("2", "USD", "sent"), ("7", "USD", "refused"), ("7", "EUR", "owned")]
    {
        buy(&format!("'{mine}'"), monthly, currency, state).await;
    }
    buy(&format!("'{theirs}'"), "9", "USD", "lost").await;
    buy("NULL", "3", "USD", "owned").await;
    let spending = get(&admin, "/provisioning/spending").await;
    assert_eq!((&spending["currency"], &spending["limit"]), (&json!("USD"), &json!("50.00")));
    assert_eq!(spending["spent"], "19.15");
    let month = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string();
    assert_eq!(spending["month"], month);
    let tenants = json!([
        {"tenant_id": theirs, "name": "Theirs", "spent": "10.00", "limit": "10.00"},
        {"tenant_id": mine, "name": "Mine", "spent": "5.15", "limit": "30.00"},
    ]);
    assert_eq!(spending["tenants"], tenants);
    // A tenant's own log has what was bought for it, and nothing of others.
    let key = admin.tenant_key(&mine).await;
    admin.sealed().await;
    let path = format!("/api/v2/tenants/{mine}/audit?resource=purchase");
    let (_, log) = admin.send(&key, Method::GET, &path, &Value::Null).await;
    assert_eq!(log["items"].as_array().unwrap().len(), 4);
}
