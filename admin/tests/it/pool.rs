//! Numbers that come and go: to the pool and back, to rest and back, and who sees what was set of them meanwhile.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{NumberRecord, Record};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::{Admin, OPERATOR};
use crate::records;

const OK: StatusCode = StatusCode::OK;
const GONE: StatusCode = StatusCode::NO_CONTENT;
const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;

async fn get(admin: &Admin, path: &str) -> Value {
    admin.expect(OK, Method::GET, path, Value::Null).await
}

async fn post(admin: &Admin, path: &str) -> Value {
    admin.expect(OK, Method::POST, path, Value::Null).await
}

async fn number_records(admin: &Admin) -> Vec<NumberRecord> {
    let numbers = records::of_kind(admin, Kind::Number).await;
    let record = |record| match record {
        Record::Number(_, record) => record,
        other => panic!("{other:?}"),
    };
    numbers.into_iter().map(record).collect()
}

/// All that the platform's Twilio account has to do with it.
async fn platform_account(admin: &Admin) -> String {
    let credentials = json!({"account_sid": "ACplatform", "auth_token": "t"});
    let account = json!({"provider": "twilio", "label": "ours", "credentials": credentials});
    admin.create("/accounts", account).await
}

/// A tenant with a number of which everything is set.
async fn furnished(admin: &Admin, account: &str) -> (String, String) {
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let grant = account.to_owned() + "/grants/" + tenant.trim_start_matches("/tenants/");
    admin.expect(GONE, Method::PUT, &format!("/accounts/{grant}"), Value::Null).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Desk", "provider": "custom", "target": target});
    let agent = admin.create(&format!("{tenant}/agents"), agent).await;
    let number = json!({
        "source": "manual", "phone_number": "+12125550001", "display_name": "Broadway", "agent_id": agent,
        "account_id": account, "timezone": "America/New_York", "calls_max": 4,
        "address": {"line1": "21 Broadway", "city": "New York"},
    });
    let number = admin.create(&format!("{tenant}/phone-numbers"), number).await;
    let path = format!("{tenant}/phone-numbers/{number}");
    for (setting, document) in [
        ("settings/voice", json!({"greeting": "Hello from Broadway"})),
        ("settings/hours", json!({"weekly": {"mon": [["09:00", "17:00"]]}})),
        ("settings/sms", json!({"reply_open": "We are open."})),
        ("routing", json!({"rules": [{"then": {"action": "agent", "agent_id": agent}}]})),
        ("staff", json!({"staff": [{"name": "Ana"}]})),
    ] {
        admin.expect(OK, Method::PUT, &format!("{path}/{setting}"), document).await;
    }
    (tenant, number)
}

/// What people see of a number, but for when it was changed.
fn lasting(mut number: Value) -> Value {
    number.as_object_mut().unwrap().remove("updated_at");
    number
}

#[tokio::test]
async fn a_number_goes_to_the_pool_and_back_without_losing_its_location() {
    let Some(admin) = Admin::start().await else { return };
    let account = platform_account(&admin).await;
    let (tenant, number) = furnished(&admin, &account).await;
    let other = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Other"})).await);
    let other_key = admin.tenant_key(other.trim_start_matches("/tenants/")).await;
    let path = format!("{tenant}/phone-numbers/{number}");
    let (before, record) = (lasting(get(&admin, &path).await), number_records(&admin).await);

    let pooled = post(&admin, &format!("{path}/unassign")).await;
    assert_eq!((&pooled["lifecycle"], &pooled["id"]), (&json!("available"), &json!(number)));
    assert_eq!((&pooled["account_id"], &pooled["phone_number"]), (&json!(account), &json!("+12125550001")));
    assert!(number_records(&admin).await.is_empty(), "routers know it no more");
    admin.expect(NOT_FOUND, Method::GET, &path, Value::Null).await;
    admin.expect(NOT_FOUND, Method::GET, &format!("{path}/settings/voice"), Value::Null).await;
    let listed = get(&admin, "/pool").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    // It is the platform's: nobody else's to add.
    let taken = json!({"source": "manual", "phone_number": "+12125550001"});
    for owner in [&tenant, &other] {
        let list = format!("{owner}/phone-numbers");
        let refused = admin.expect(StatusCode::CONFLICT, Method::POST, &list, taken.clone()).await;
        assert_eq!(refused["code"], "phone_number_taken");
    }

    // Another tenant gets the number, and nothing of what was set.
    let theirs = format!("{other}/phone-numbers/{number}");
    let assigned = post(&admin, &format!("{theirs}/assign")).await;
    assert_eq!(
        (&assigned["lifecycle"], &assigned["display_name"]),
        (&json!("active"), &json!("+12125550001"))
    );
    let bare = number_records(&admin).await.pop().unwrap();
    assert_eq!((bare.rules, bare.hours, bare.agent_id), (None, None, None));
    assert!(bare.sms.is_empty() && bare.place.staff.is_none() && bare.place.address.is_none());
    assert_eq!(
        bare.bindings[0].account.to_string(),
        account,
        "the account that brings its calls goes with it"
    );
    for setting in ["settings/voice", "settings/hours", "settings/sms", "routing", "staff"] {
        let path = format!("/api/v2{theirs}/{setting}");
        let (status, answer) = admin.send(&other_key, Method::GET, &path, &Value::Null).await;
        assert_eq!((status, &answer["own"]), (OK, &Value::Null), "{setting}");
    }
    let history = format!("/api/v2{theirs}/history");
    let (_, history) = admin.send(&other_key, Method::GET, &history, &Value::Null).await;
    let steps: Vec<_> = history["items"].as_array().unwrap().iter().map(|step| &step["lifecycle"]).collect();
    assert_eq!(steps, ["active"], "what was before isn't theirs to see");
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let id = other.trim_start_matches("/tenants/");
    let as_other = format!("SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{id}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(as_other)).execute(&mut *tx).await.unwrap();
    let seen: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM former_locations) + count(*) FROM number_settings")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert_eq!(seen, 0);
    tx.rollback().await.unwrap();

    // The first gets it back, as it was.
    admin.expect(OK, Method::PUT, &format!("{theirs}/settings/voice"), json!({"greeting": "Theirs"})).await;
    post(&admin, &format!("{theirs}/unassign")).await;
    let back = post(&admin, &format!("{path}/assign")).await;
    assert_eq!(lasting(back), before);
    assert_eq!(number_records(&admin).await, record);
    let steps = get(&admin, &format!("{path}/history")).await;
    let steps: Vec<_> = steps["items"].as_array().unwrap().iter().map(|step| &step["lifecycle"]).collect();
    assert_eq!(steps, ["active", "available", "active"]);
    // And the other keeps what it had set, for when its turn comes again.
    post(&admin, &format!("{path}/unassign")).await;
    post(&admin, &format!("{theirs}/assign")).await;
    assert_eq!(get(&admin, &format!("{theirs}/settings/voice")).await["own"]["greeting"], "Theirs");
    admin.expect(NOT_FOUND, Method::POST, &format!("{path}/assign"), Value::Null).await;
}

#[tokio::test]
async fn what_went_meanwhile_does_not_come_back() {
    let Some(admin) = Admin::start().await else { return };
    let account = platform_account(&admin).await;
    let (tenant, number) = furnished(&admin, &account).await;
    let path = format!("{tenant}/phone-numbers/{number}");
    let agent = get(&admin, &path).await["agent_id"].as_str().unwrap().to_owned();
    post(&admin, &format!("{path}/unassign")).await;
    // Nothing that routers know names it now.
    admin.expect(GONE, Method::DELETE, &format!("{tenant}/agents/{agent}"), Value::Null).await;
    let grant = format!("/accounts/{account}/grants/{}", tenant.trim_start_matches("/tenants/"));
    admin.expect(GONE, Method::DELETE, &grant, Value::Null).await;
    let back = post(&admin, &format!("{path}/assign")).await;
    assert_eq!((&back["agent_id"], &back["display_name"]), (&Value::Null, &json!("Broadway")));
    assert_eq!(back["account_id"], json!(account), "it is granted with the number");
}

#[tokio::test]
async fn a_deleted_number_rests_and_comes_back_to_its_tenant_alone() {
    let Some(admin) = Admin::start().await else { return };
    let account = platform_account(&admin).await;
    let (tenant, number) = furnished(&admin, &account).await;
    let id = tenant.trim_start_matches("/tenants/").to_owned();
    let key = admin.tenant_key(&id).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let path = format!("{tenant}/phone-numbers/{number}");
    let before = lasting(get(&admin, &path).await);
    let (status, _) = admin.send(&key, Method::DELETE, &format!("/api/v2{path}"), &Value::Null).await;
    assert_eq!(status, GONE);
    admin.expect(NOT_FOUND, Method::GET, &path, Value::Null).await;
    let resting = get(&admin, "/pool?lifecycle=quarantined").await;
    assert_eq!(resting["items"][0]["id"], json!(number));
    assert!(resting["items"][0]["quarantined_until"].is_string());

    let again = json!({"source": "manual", "phone_number": "+12125550001"});
    let list = format!("/tenants/{other}/phone-numbers");
    admin.expect(StatusCode::CONFLICT, Method::POST, &list, again.clone()).await;
    let list = format!("/api/v2{tenant}/phone-numbers");
    let (status, back) = admin.send(&key, Method::POST, &list, &again).await;
    assert_eq!((status, lasting(back)), (StatusCode::CREATED, before));

    // At once, it is anybody's, and nothing is left of it.
    admin.expect(GONE, Method::DELETE, &format!("{path}?release=now"), Value::Null).await;
    let fresh = admin.create(&format!("/tenants/{id}/phone-numbers"), again.clone()).await;
    assert_ne!(fresh, number);
    let own = get(&admin, &format!("{tenant}/phone-numbers/{fresh}/settings/voice")).await;
    assert_eq!(own["own"], Value::Null);
    let released = get(&admin, "/pool?lifecycle=released").await;
    assert_eq!(released["items"][0]["id"], json!(number));
}

#[tokio::test]
async fn what_has_rested_is_released() {
    let Some(mut admin) = Admin::start_with(&[("ADMIN_NUMBER_QUARANTINE_DAYS", "0")]).await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
    let path = format!("/tenants/{tenant}/phone-numbers/{number}");
    admin.expect(GONE, Method::DELETE, &path, Value::Null).await;
    // Each process looks when it starts.
    admin.restart();
    loop {
        let pooled = get(&admin, &format!("/pool/{number}")).await;
        if pooled["lifecycle"] == "released" {
            let steps: Vec<_> =
                pooled["history"].as_array().unwrap().iter().map(|step| &step["lifecycle"]).collect();
            assert_eq!(steps, ["active", "quarantined", "released"]);
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn no_number_of_the_pool_is_given_twice() {
    let Some(admin) = Admin::start().await else { return };
    let account = platform_account(&admin).await;
    for index in 0..4 {
        let number = json!({"phone_number": format!("+1212555000{index}"), "account_id": account});
        admin.create("/pool", number).await;
    }
    admin.create("/pool", json!({"phone_number": "+14155550001"})).await;
    let mut tenants = Vec::new();
    for index in 0..8 {
        tenants.push(admin.create("/tenants", json!({"name": format!("T{index}")})).await);
    }
    let wanted = json!({"source": "pool", "prefix": "+1212", "display_name": "Broadway"});
    let taking = tenants.iter().map(|tenant| {
        let path = format!("/api/v2/tenants/{tenant}/phone-numbers");
        let (admin, wanted) = (&admin, &wanted);
        async move {
            let (status, answer) = admin.send(OPERATOR, Method::POST, &path, wanted).await;
            assert!(status == StatusCode::CREATED || answer["code"] == "pool_empty", "{answer}");
            answer["phone_number"].as_str().map(str::to_owned)
        }
    });
    let taken = futures_util::future::join_all(taking).await;
    let mut taken: Vec<_> = taken.into_iter().flatten().collect();
    taken.sort();
    let all: Vec<_> = (0..4).map(|index| format!("+1212555000{index}")).collect();
    assert_eq!(taken, all);
    assert_eq!(get(&admin, "/pool").await["items"].as_array().unwrap().len(), 1);
    // Tenants' keys take nothing out of it, and see nothing of it.
    let key = admin.tenant_key(&tenants[0]).await;
    let list = format!("/api/v2/tenants/{}/phone-numbers", tenants[0]);
    let (status, _) = admin.send(&key, Method::POST, &list, &json!({"source": "pool"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let number = json!({"phone_number": "+12125550000"});
    admin.expect(StatusCode::CONFLICT, Method::POST, "/pool", number).await;
    admin
        .refused(
            Method::POST,
            "/pool",
            json!({"phone_number": "+12125550009", "account_id": tenants[0]}),
            "account_id",
        )
        .await;
}
