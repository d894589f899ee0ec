//! Files in and out: what lines do, which are refused, what a crash leaves, and that what goes out comes back the same.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::{Admin, Answer, OPERATOR};

const IMPORT: &str = "/imports?kind=numbers&format=csv";

/// Sends a file and gives the import.
async fn upload(admin: &Admin, query: &str, file: impl Into<reqwest::Body>) -> Value {
    let response = admin.request(OPERATOR, Method::POST, query).body(file).send().await.unwrap();
    let status = response.status();
    let answer: Value = response.json().await.unwrap_or_default();
    assert_eq!(status, StatusCode::CREATED, "{query} {answer}");
    answer
}

/// Follows an import's events until it is over or ready, and gives how it is then.
async fn outcome(admin: &Admin, import: &Value) -> Value {
    let path = format!("/imports/{}/events", import["id"].as_str().unwrap());
    let mut response = admin.request(OPERATOR, Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut text = String::new();
    let mut last = Value::Null;
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            if let Some(data) = data {
                assert!(event.contains("event: progress"), "{event}");
                last = serde_json::from_str(data).unwrap();
            }
            text = rest.to_owned();
        }
        if last["state"] == "ready" {
            break;
        }
    }
    last
}

async fn import(admin: &Admin, query: &str, file: impl Into<reqwest::Body>) -> Value {
    let import = upload(admin, query, file).await;
    outcome(admin, &import).await
}

/// Line, field and code of each bad line.
async fn errors(admin: &Admin, import: &Value) -> Vec<(i64, String, String)> {
    let path = format!("/imports/{}/errors?limit=200", import["id"].as_str().unwrap());
    let page = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| (item["line"].as_i64().unwrap(), text(item, "field"), text(item, "code")))
        .collect()
}

fn counts(import: &Value) -> [i64; 4] {
    ["created", "changed", "unchanged", "bad"].map(|name| import[format!("lines_{name}")].as_i64().unwrap())
}

async fn export(admin: &Admin, query: &str) -> String {
    let response = admin.request(OPERATOR, Method::GET, &format!("/exports?{query}")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    response.text().await.unwrap()
}

/// What routers were last sent adds up to what Postgres says of it, and each number has a record.
async fn assert_feed_is_whole(admin: &Admin) {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL ROLE dialplane_operator").execute(&mut *tx).await.unwrap();
    let (digest, sum): (String, String) = sqlx::query_as(
        "SELECT digest::text, mod((SELECT coalesce(sum(hash), 0) FROM feed_records), 2::numeric ^ 128)::numeric(39)::text
         FROM feed_state",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(digest, sum);
    let (numbers, records): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM phone_numbers WHERE tenant_id IS NOT NULL),
            (SELECT count(*) FROM feed_records WHERE kind IN (4, 5))",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(numbers, records);
    let longest: i64 =
        sqlx::query_scalar("SELECT coalesce(max(octet_length(frames)), 0)::bigint FROM feed_entries")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
    assert!(longest <= 1 << 20, "{longest}");
}

struct Business {
    tenant: String,
    account: String,
    agent: String,
}

async fn business(admin: &Admin, name: &str) -> Business {
    let tenant = admin.create("/tenants", json!({"name": name})).await;
    let account = json!({"provider": "twilio", "label": "main",
        "credentials": {"account_sid": format!("AC{name}"), "auth_token": "t"}});
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    Business {
        account: admin.create(&format!("/tenants/{tenant}/accounts"), account).await,
        agent: admin.create(&format!("/tenants/{tenant}/agents"), agent).await,
        tenant,
    }
}

#[tokio::test]
async fn lines_create_change_and_leave_alone() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, account, agent } = business(&admin, "Sparkle").await;
    let query = format!("{IMPORT}&tenant_id={tenant}");
    let file = "phone_number,display_name,timezone,agent,account,calls_max\n\
                +12125550001,\"Broadway, \"\"1\"\"\",America/New_York,Front desk,main,5\n\
                +12125550002,,,,,\n";
    let done = import(&admin, &query, file).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [2, 0, 0, 0]), "{done}");
    let path = format!("/tenants/{tenant}/phone-numbers");
    let list = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    let first = &list["items"][0];
    assert_eq!(
        (&first["display_name"], &first["agent_id"], &first["account_id"], &first["calls_max"]),
        (&json!("Broadway, \"1\""), &json!(agent), &json!(account), &json!(5))
    );
    assert_eq!(
        (&list["items"][1]["display_name"], &list["items"][1]["status"]),
        (&json!("+12125550002"), &json!("active"))
    );
    // The same again does nothing; a column that is absent leaves what is there; an empty cell unsets it.
    let done = import(&admin, &query, file).await;
    assert_eq!(counts(&done), [0, 0, 2, 0]);
    let done = import(&admin, &query, "phone_number,agent_id,status\n+12125550001,,suspended\n").await;
    assert_eq!(counts(&done), [0, 1, 0, 0]);
    let list = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    let first = &list["items"][0];
    assert_eq!(
        (&first["agent_id"], &first["status"], &first["calls_max"]),
        (&Value::Null, &json!("suspended"), &json!(5))
    );
    assert_eq!(first["account_id"], account.as_str());
    // JSON lines tell null from absent.
    let line = json!({"phone_number": "+12125550001", "calls_max": null, "tenant_id": tenant});
    let done = import(&admin, "/imports?kind=numbers&format=jsonl", format!("{line}\n")).await;
    assert_eq!(counts(&done), [0, 1, 0, 0]);
    assert_feed_is_whole(&admin).await;
}

#[tokio::test]
async fn bad_lines_are_named_and_the_rest_is_applied() {
    let Some(admin) = Admin::start().await else { return };
    let mine = business(&admin, "Mine").await;
    let theirs = business(&admin, "Theirs").await;
    let number = json!({"source": "manual", "phone_number": "+12125550099"});
    admin.create(&format!("/tenants/{}/phone-numbers", theirs.tenant), number).await;
    let block = json!({"source": "manual", "prefix": "+4930123"});
    admin.create(&format!("/tenants/{}/phone-numbers", theirs.tenant), block).await;
    let (tenant, nobody) = (&mine.tenant, uuid::Uuid::nil());
    let rows = [
        "phone_number,prefix,tenant_id,agent_id,account_id,status".to_owned(),
        format!("+12125550001,,{tenant},,,"),
        format!("+1212555,,{tenant},,,"),
        format!("+12125550001,,{tenant},,,"),
        format!("+12125550003,,{nobody},,,"),
        format!("+12125550004,,{tenant},{},,", theirs.agent),
        format!("+12125550005,,{tenant},,{},", theirs.account),
        format!("+12125550099,,{tenant},,,"),
        format!("+4930123456,,{tenant},,,"),
        format!("+12125550006,,{tenant},,,gone"),
        format!("+12125550007,,{tenant},,"),
        "+12125550008,,,,,".to_owned(),
        format!(",+121255,{tenant},,,"),
        format!("+12125550010,,{tenant},{},{},", mine.agent, mine.account),
    ];
    let expected = [
        (3, "phone_number", "invalid_field"),
        (4, "phone_number", "repeated"),
        (5, "tenant_id", "unknown_tenant"),
        (6, "agent_id", "unknown_agent"),
        (7, "account_id", "unknown_account"),
        (8, "phone_number", "phone_number_taken"),
        (9, "phone_number", "phone_number_overlaps"),
        (10, "status", "invalid_field"),
        (11, "line", "invalid_line"),
        (12, "tenant_id", "invalid_field"),
        (13, "prefix", "phone_number_overlaps"),
    ];
    let expected = expected.map(|(line, field, code)| (line, field.to_owned(), code.to_owned()));
    // Nothing at all, where all or nothing was wanted.
    let failed = import(&admin, &format!("{IMPORT}&mode=all_or_nothing"), rows.join("\n")).await;
    assert_eq!((&failed["state"], counts(&failed)), (&json!("failed"), [0, 0, 0, 11]), "{failed}");
    assert_eq!(errors(&admin, &failed).await, expected);
    let path = format!("/tenants/{tenant}/phone-numbers");
    let list = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(list["items"], json!([]));
    // A dry run tells, and goes on when asked.
    let ready = import(&admin, &format!("{IMPORT}&dry_run=true"), rows.join("\r\n")).await;
    assert_eq!((&ready["state"], counts(&ready)), (&json!("ready"), [0, 0, 0, 11]), "{ready}");
    assert_eq!(errors(&admin, &ready).await, expected);
    let path_of = |import: &Value, rest: &str| format!("/imports/{}{rest}", import["id"].as_str().unwrap());
    admin.expect(StatusCode::OK, Method::POST, &path_of(&ready, "/apply"), Value::Null).await;
    let done = outcome(&admin, &ready).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [2, 0, 0, 11]), "{done}");
    admin.expect(StatusCode::CONFLICT, Method::POST, &path_of(&ready, "/apply"), Value::Null).await;
    let list = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let csv =
        admin.request(OPERATOR, Method::GET, &path_of(&done, "/errors?format=csv")).send().await.unwrap();
    let csv = csv.text().await.unwrap();
    assert!(
        csv.starts_with("line,field,code,message\n3,phone_number,invalid_field,")
            && csv.lines().count() == 12,
        "{csv}"
    );
    assert_feed_is_whole(&admin).await;
}

/// Two lines that no look at the tables tells apart: the block of one tenant, and a number in it of another.
#[tokio::test]
async fn lines_against_each_other_are_found_when_they_are_written() {
    let Some(admin) = Admin::start().await else { return };
    let (mine, theirs) = (business(&admin, "Mine").await.tenant, business(&admin, "Theirs").await.tenant);
    let file = format!(
        "prefix,phone_number,tenant_id\n+4930123,,{mine}\n,+4930123456,{theirs}\n\
         ,+4930123457,{mine}\n,+12125550001,{theirs}\n"
    );
    let failed = import(&admin, &format!("{IMPORT}&mode=all_or_nothing"), file.clone()).await;
    assert_eq!((&failed["state"], counts(&failed)), (&json!("failed"), [0, 0, 0, 1]), "{failed}");
    let done = import(&admin, IMPORT, file).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [3, 0, 0, 1]), "{done}");
    assert_eq!(errors(&admin, &done).await, [(3, "phone_number".into(), "phone_number_overlaps".into())]);
    assert_feed_is_whole(&admin).await;
}

#[tokio::test]
async fn a_tenant_line_with_a_number_makes_it_a_location() {
    let Some(admin) = Admin::start().await else { return };
    let query = "/imports?kind=tenants&format=csv";
    let file = "external_id,name,timezone,phone_number,calls_max\n\
                salon-1,Sparkle Nails,America/New_York,+12125550001,3\n\
                salon-2,Shear Joy,,+12125550002,\n\
                ,Nobody,,,\n\
                salon-3,,,,\n";
    let done = import(&admin, query, file).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [2, 0, 0, 2]), "{done}");
    assert_eq!(
        errors(&admin, &done).await,
        [(4, "external_id".into(), "invalid_field".into()), (5, "name".into(), "invalid_field".into())]
    );
    let tenants = admin.expect(StatusCode::OK, Method::GET, "/tenants", Value::Null).await;
    let salon = &tenants["items"][0];
    assert_eq!((&salon["name"], &salon["calls_max"]), (&json!("Sparkle Nails"), &json!(3)));
    let path = format!("/tenants/{}/phone-numbers", salon["id"].as_str().unwrap());
    let numbers = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(numbers["items"][0]["display_name"], "Sparkle Nails");
    // By its name elsewhere it is the same tenant.
    let done = import(&admin, query, "external_id,status\nsalon-1,suspended\nsalon-2,\n").await;
    assert_eq!(counts(&done), [0, 1, 1, 0]);
    // What it pays for stands elsewhere; a plan that nobody made is nobody's.
    let gold = json!({"name": "gold", "calls_max": 9});
    admin.expect(StatusCode::CREATED, Method::POST, "/plans", gold).await;
    let done = import(
        &admin,
        query,
        "external_id,name,plan\nsalon-2,,gold\nsalon-4,Nail Bar,gold\nsalon-5,Brows,lead\n",
    )
    .await;
    assert_eq!(counts(&done), [1, 1, 0, 1]);
    assert_eq!(errors(&admin, &done).await, [(4, "plan".into(), "invalid_field".into())]);
    let tenants = admin.expect(StatusCode::OK, Method::GET, "/tenants", Value::Null).await;
    let limit = |at: usize| tenants["items"][at]["limits"]["calls_max"].clone();
    assert_eq!([limit(1), limit(2)], [9, 9], "{tenants}");
    let numbers = "phone_number,tenant_external_id\n+12125550003,salon-2\n+12125550004,salon-9\n";
    let done = import(&admin, IMPORT, numbers).await;
    assert_eq!(counts(&done), [1, 0, 0, 1]);
    assert_feed_is_whole(&admin).await;
}

#[tokio::test]
async fn settings_come_as_documents() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, agent, .. } = business(&admin, "Sparkle").await;
    import(&admin, &format!("{IMPORT}&tenant_id={tenant}"), "phone_number\n+12125550001\n+12125550002\n")
        .await;
    let hours = json!({"weekly": {"mon": [["09:00", "17:00"]]}});
    let rules = |agent: &str| json!({"rules": [{"then": {"action": "agent", "agent_id": agent}}]});
    let nobody = uuid::Uuid::nil().to_string();
    let lines = [
        json!({"phone_number": "+12125550001", "hours": hours, "routing": rules(&agent)}),
        json!({"phone_number": "+12125550002", "hours": {"weekly": {"mon": [["9", "17:00"]]}}}),
        json!({"phone_number": "+12125550003", "hours": hours}),
        json!({"tenant_id": tenant, "voice": {"language": "en"}, "services": {"services": [{"name": "Cut"}]}}),
        json!({"phone_number": "+12125550002", "routing": rules(&nobody)}),
        json!({"phone_number": "+12125550002", "staff": {"staff": [{"name": "Ann", "services": ["Dye"]}]}}),
    ];
    let file = lines.map(|line| format!("{line}\n")).concat();
    let query = "/imports?kind=settings&format=jsonl";
    let done = import(&admin, query, file.clone()).await;
    let found = errors(&admin, &done).await;
    let places: Vec<_> =
        found.iter().map(|(line, field, code)| (*line, field.as_str(), code.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, "hours.weekly.mon[0][0]", "invalid_field"),
            (3, "phone_number", "unknown_number"),
            (5, "routing.rules[0].then.agent_id", "unknown_agent"),
            (6, "phone_number", "repeated"),
        ],
        "{done}"
    );
    assert_eq!(counts(&done), [0, 2, 0, 4], "{done}");
    let list = admin
        .expect(StatusCode::OK, Method::GET, &format!("/tenants/{tenant}/phone-numbers"), Value::Null)
        .await;
    let path = format!("/tenants/{tenant}/phone-numbers/{}", list["items"][0]["id"].as_str().unwrap());
    let stored =
        admin.expect(StatusCode::OK, Method::GET, &format!("{path}/settings/hours"), Value::Null).await;
    assert_eq!(stored["own"]["weekly"], hours["weekly"]);
    let staff =
        json!({"phone_number": "+12125550002", "staff": {"staff": [{"name": "Ann", "services": ["Dye"]}]}});
    let done = import(&admin, query, staff.to_string()).await;
    assert_eq!(counts(&done), [0, 0, 0, 1], "{done}");
    let done = import(&admin, query, file).await;
    assert_eq!(counts(&done), [0, 0, 2, 4], "{done}");
    // Unset.
    let done =
        import(&admin, query, json!({"phone_number": "+12125550001", "hours": null}).to_string()).await;
    assert_eq!(counts(&done), [0, 1, 0, 0]);
    let stored =
        admin.expect(StatusCode::OK, Method::GET, &format!("{path}/settings/hours"), Value::Null).await;
    assert_eq!(stored["own"], Value::Null);
    assert_feed_is_whole(&admin).await;
}

#[tokio::test]
async fn what_goes_out_comes_back_the_same() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, account, agent } = business(&admin, "Sparkle").await;
    let second = json!({"provider": "vapi", "label": "agents", "credentials": {"secret": "s3cret-of-vapi"}});
    let second = admin.create(&format!("/tenants/{tenant}/accounts"), second).await;
    let numbers = format!("/tenants/{tenant}/phone-numbers");
    let bindings =
        json!([{"account_id": account}, {"account_id": second, "role": "agent", "number_id": "pn,\"1\""}]);
    let number = json!({"source": "manual", "phone_number": "+12125550001", "bindings": bindings, "agent_id": agent,
        "display_name": "Café \"Broadway\", 1", "address": "1 Main St", "timezone": "Europe/Berlin", "calls_max": 2});
    let phone = admin.create(&numbers, number).await;
    let parts = json!({"line1": "21 Broadway", "city": "New York", "country": "US"});
    let second = json!({"source": "manual", "phone_number": "+12125550002", "account_id": account, "address": parts,
        "primary": true});
    let second = admin.create(&numbers, second).await;
    admin.create(&numbers, json!({"source": "manual", "prefix": "+4930123"})).await;
    admin.create("/pool", json!({"phone_number": "+12125550009"})).await;
    let gold = json!({"name": "gold", "calls_max": 9});
    admin.expect(StatusCode::CREATED, Method::POST, "/plans", gold).await;
    let whole = json!({"external_id": "salon-1", "plan": "gold", "profile": {"email": "desk@sparkle.example"}, "phone_numbers_max": 3,
        "spend_max": "7.5", "integrations": {"calendar": {"id": "c1"}}, "provisioning": {"country": "US"}});
    admin.expect(StatusCode::OK, Method::PATCH, &format!("/tenants/{tenant}"), whole).await;
    let staff = json!({"staff": [{"name": "Ana"}]});
    admin.expect(StatusCode::OK, Method::PUT, &format!("{numbers}/{second}/staff"), staff).await;
    let services = json!({"services": [{"name": "Cut"}]});
    admin
        .expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/defaults/services"), services)
        .await;
    let sms = json!({"reply_open": "Thanks!"});
    admin.expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/defaults/sms"), sms).await;
    let hours = json!({"weekly": {"fri": [["18:00", "02:00"]]}, "override": null});
    admin.expect(StatusCode::OK, Method::PUT, &format!("{numbers}/{phone}/settings/hours"), hours).await;
    let rules = json!({"rules": [{"then": {"action": "message", "say": "We are\nclosed, \"sorry\"."}}]});
    admin.expect(StatusCode::OK, Method::PUT, &format!("{numbers}/{phone}/routing"), rules.clone()).await;
    admin.expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/defaults/routing"), rules).await;
    let kinds = ["tenants", "numbers", "settings"];
    for format in ["csv", "jsonl"] {
        let mut before = Vec::new();
        for kind in kinds {
            before.push(export(&admin, &format!("kind={kind}&format={format}")).await);
        }
        assert!(before.iter().all(|file| file.lines().count() >= 1), "{before:?}");
        // Back into what is there: all is as it was.
        for (kind, file) in kinds.iter().zip(&before) {
            let done = import(&admin, &format!("/imports?kind={kind}&format={format}"), file.clone()).await;
            let lines = done["lines_received"].as_i64().unwrap();
            let after = export(&admin, &format!("kind={kind}&format={format}")).await;
            assert_eq!(after, *file, "{kind}");
            assert_eq!((&done["state"], counts(&done)), (&json!("done"), [0, 0, lines, 0]), "{kind} {done}");
        }
        // Into what has lost its numbers: they come again, with their settings.
        let list = admin.expect(StatusCode::OK, Method::GET, &numbers, Value::Null).await;
        for item in list["items"].as_array().unwrap() {
            let path = format!("{numbers}/{}", item["id"].as_str().unwrap());
            admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
        }
        for (kind, file) in kinds.iter().zip(&before) {
            let done = import(&admin, &format!("/imports?kind={kind}&format={format}"), file.clone()).await;
            assert_eq!((&done["state"], &done["lines_bad"]), (&json!("done"), &json!(0)), "{kind} {done}");
        }
        for (kind, file) in kinds.iter().zip(&before) {
            assert_eq!(export(&admin, &format!("kind={kind}&format={format}")).await, *file, "{kind}");
            let own = export(&admin, &format!("kind={kind}&format={format}&tenant_id={tenant}")).await;
            assert_eq!(own, *file, "{kind}");
        }
    }
    assert_feed_is_whole(&admin).await;
}

/// What the platform has isn't for files to give away; what a tenant deleted and still rests comes back as it was.
#[tokio::test]
async fn numbers_that_no_tenant_has_are_its_who_had_them_last_or_nobodys() {
    let Some(admin) = Admin::start().await else { return };
    let (mine, theirs) = (business(&admin, "Mine").await.tenant, business(&admin, "Theirs").await.tenant);
    admin.create("/pool", json!({"phone_number": "+12125550001"})).await;
    let numbers = format!("/tenants/{mine}/phone-numbers");
    for (number, name) in [("+12125550002", "Broadway"), ("+12125550003", "Harlem")] {
        let number = json!({"source": "manual", "phone_number": number, "display_name": name});
        let path = format!("{numbers}/{}", admin.create(&numbers, number).await);
        admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    }
    let line = |number: usize, tenant: &str| format!("+1212555000{number},{tenant}\n");
    let file = format!(
        "phone_number,tenant_id\n{}{}{}{}",
        line(1, &mine),
        line(2, &theirs),
        line(3, &mine),
        line(4, &theirs)
    );
    let taken = [
        (2, "phone_number".into(), "phone_number_taken".into()),
        (3, "phone_number".into(), "phone_number_taken".into()),
    ];
    let ready = import(&admin, &format!("{IMPORT}&dry_run=true"), file.clone()).await;
    assert_eq!(errors(&admin, &ready).await, taken);
    let done = import(&admin, IMPORT, file).await;
    assert_eq!(counts(&done), [1, 1, 0, 2], "{done}");
    assert_eq!(errors(&admin, &done).await, taken);
    // An import for the tenant sees no more than the tenant does.
    let file = "phone_number\n+12125550001\n+12125550002\n";
    let done = import(&admin, &format!("{IMPORT}&tenant_id={mine}"), file).await;
    assert_eq!(counts(&done), [0, 1, 0, 1], "{done}");
    let list = admin.expect(StatusCode::OK, Method::GET, &numbers, Value::Null).await;
    let items = list["items"].as_array().unwrap().iter();
    let mut names: Vec<_> = items.map(|item| item["display_name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Broadway", "Harlem"]);
    assert!(!export(&admin, "kind=numbers&format=csv").await.contains("+12125550001"));
    let seeds = "external_id,name,phone_number\nsalon-1,Sparkle,+12125550001\n";
    let done = import(&admin, "/imports?kind=tenants&format=csv", seeds).await;
    assert_eq!(counts(&done), [0, 0, 0, 1], "{done}");
}

#[tokio::test]
async fn limits_and_primary_numbers_hold_in_files() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, .. } = business(&admin, "Sparkle").await;
    let most = json!({"phone_numbers_max": 2});
    admin.expect(StatusCode::OK, Method::PATCH, &format!("/tenants/{tenant}"), most).await;
    let query = format!("{IMPORT}&tenant_id={tenant}");
    let file = "phone_number,status,primary\n+12125550001,active,false\n+12125550002,active,true\n+12125550003,active,\n";
    let done = import(&admin, &query, file).await;
    assert_eq!(counts(&done), [2, 0, 0, 1], "{done}");
    assert_eq!(errors(&admin, &done).await, [(4, "phone_number".into(), "phone_numbers_limit".into())]);
    let primary = async || {
        let path = format!("/tenants/{tenant}/phone-numbers");
        let list = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
        let items: Vec<_> =
            list["items"].as_array().unwrap().iter().filter(|item| item["primary"] == true).collect();
        assert_eq!(items.len(), 1, "{list}");
        items[0]["phone_number"].as_str().unwrap().to_owned()
    };
    assert_eq!(primary().await, "+12125550002");
    // A number whose calls aren't routed can't be it, and gives it up.
    let done = import(&admin, &query, "phone_number,status,primary\n+12125550001,inactive,true\n").await;
    assert_eq!(errors(&admin, &done).await, [(2, "primary".into(), "invalid_field".into())]);
    import(&admin, &query, "phone_number,status\n+12125550002,inactive\n").await;
    assert_eq!(primary().await, "+12125550001");
}

#[tokio::test]
async fn agents_that_tenants_share_are_known_by_name() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle"})).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Everybody's", "provider": "custom", "target": target});
    let agent = admin.create("/agents", agent).await;
    let query = format!("{IMPORT}&tenant_id={tenant}");
    let file = "phone_number,agent\n+12125550001,Everybody's\n";
    let done = import(&admin, &query, file).await;
    assert_eq!(errors(&admin, &done).await, [(2, "agent".into(), "unknown_agent".into())]);
    let grant = format!("/agents/{agent}/grants/{tenant}");
    admin.expect(StatusCode::NO_CONTENT, Method::PUT, &grant, Value::Null).await;
    assert_eq!(counts(&import(&admin, &query, file).await), [1, 0, 0, 0]);
    let rules = json!({"rules": [{"then": {"action": "agent", "agent_id": agent}}]});
    let line = json!({"phone_number": "+12125550001", "routing": rules}).to_string();
    let done = import(&admin, "/imports?kind=settings&format=jsonl", line).await;
    assert_eq!(counts(&done), [0, 1, 0, 0], "{done}");
}

/// Whoever sent a file is in the audit log, with the request that began it; a repetition with its key begins nothing.
#[tokio::test]
async fn files_are_their_senders() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle"})).await;
    let send = async |key: &str| {
        let request = admin.request(OPERATOR, Method::POST, &format!("{IMPORT}&tenant_id={tenant}"));
        let request = request.header("idempotency-key", "one").header("x-request-id", key.to_owned());
        Answer::to(request.body("phone_number\n+12125550001\n")).await
    };
    let (first, again) = (send("first").await, send("again").await);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!((again.header("idempotent-replayed"), &again.body["id"]), (Some("true"), &first.body["id"]));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(counts(&outcome(&admin, &first.body).await), [1, 0, 0, 0]);
    admin.sealed().await;
    let log = admin.expect(StatusCode::OK, Method::GET, "/audit?resource=phone_number", Value::Null).await;
    let entries = log["items"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["action"] == "insert"), "{log}");
    for entry in entries {
        assert_eq!(entry["request_id"], "first", "{log}");
        assert!(entry["actor"].as_str().unwrap().starts_with("operator:"), "{log}");
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, .. } = business(&admin, "Sparkle").await;
    let query = format!("{IMPORT}&tenant_id={tenant}");
    let file = "phone_number,display_name\n+12125550001,\"One\nmore\"\n+12125550002,Two\n";
    let created =
        admin.request(OPERATOR, Method::POST, &query).header("Upload-Complete", "?0").send().await.unwrap();
    assert_eq!(
        (created.status(), &created.headers()["upload-offset"]),
        (StatusCode::CREATED, &"0".parse().unwrap())
    );
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let import: Value = created.json().await.unwrap();
    assert!(location.ends_with(&format!("/imports/{}", import["id"].as_str().unwrap())), "{location}");
    let content = format!("/imports/{}/content", import["id"].as_str().unwrap());
    let append = async |offset: usize, complete: &'static str, part: &'static str| {
        let request = admin
            .request(OPERATOR, Method::PATCH, &content)
            .header("Content-Type", "application/partial-upload");
        let request = request.header("Upload-Offset", offset.to_string()).header("Upload-Complete", complete);
        let response = request.body(part).send().await.unwrap();
        let kept =
            response.headers().get("upload-offset").map(|offset| offset.to_str().unwrap().parse().unwrap());
        (response.status(), kept)
    };
    // In the middle of a record: what is whole is kept.
    assert_eq!(append(0, "?0", &file[..40]).await, (StatusCode::NO_CONTENT, Some(26)));
    let head = admin.request(OPERATOR, Method::HEAD, &content).send().await.unwrap();
    assert_eq!(
        (&head.headers()["upload-offset"], &head.headers()["upload-complete"]),
        (&"26".parse().unwrap(), &"?0".parse().unwrap())
    );
    assert_eq!(append(40, "?1", &file[40..]).await, (StatusCode::CONFLICT, Some(26)));
    assert_eq!(append(26, "?0", &file[26..60]).await, (StatusCode::NO_CONTENT, Some(50)));
    assert_eq!(append(50, "?1", &file[50..]).await, (StatusCode::NO_CONTENT, Some(file.len())));
    let done = outcome(&admin, &import).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [1, 0, 0, 1]), "{done}");
    assert_eq!(append(file.len(), "?1", "x").await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn files_that_cannot_be_are_refused_at_once() {
    let Some(admin) = Admin::start().await else { return };
    for (query, file, field) in [
        (IMPORT, "phone_number,colour\n+12125550001,red\n", "header"),
        (IMPORT, "", "header"),
        (IMPORT, "phone_number,phone_number\n", "header"),
    ] {
        let response = admin.request(OPERATOR, Method::POST, query).body(file).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{file}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["field"], field, "{answer}");
    }
    let endless = format!("phone_number,display_name\n+12125550001,\"{}", "x".repeat(2 << 20));
    let response = admin.request(OPERATOR, Method::POST, IMPORT).body(endless).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    for query in
        ["/imports", "/imports?kind=colours&format=csv", "/imports?kind=numbers&format=csv&mode=some"]
    {
        let response = admin.request(OPERATOR, Method::POST, query).body("x").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    let unknown = format!("{IMPORT}&tenant_id={}", uuid::Uuid::nil());
    let response =
        admin.request(OPERATOR, Method::POST, &unknown).body("phone_number\n").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let (empty, lines) = (import(&admin, "/imports?kind=numbers&format=jsonl", "").await, json!(0));
    assert_eq!((&empty["state"], &empty["lines_received"]), (&json!("done"), &lines));
}

/// Many pieces, and a process that is killed again and again while they are applied: each line once, none lost.
#[tokio::test]
async fn a_crash_loses_nothing_and_repeats_nothing() {
    const LINES: i64 = 40_000;
    let Some(mut admin) = Admin::start().await else { return };
    let Business { tenant, account, agent } = business(&admin, "Sparkle").await;
    let mut file = String::from("phone_number,agent_id,account_id,display_name\n");
    for line in 0..LINES {
        file.push_str(&format!("+1212{:07},{agent},{account},Location {line}\n", 2_000_000 + line));
    }
    let query = format!("{IMPORT}&tenant_id={tenant}&mode=all_or_nothing");
    let created = upload(&admin, &query, file.clone()).await;
    assert_eq!((&created["state"], &created["lines_received"]), (&json!("validating"), &json!(LINES)));
    let path = format!("/imports/{}", created["id"].as_str().unwrap());
    let (mut crashes, mut created_lines) = (0, 0);
    loop {
        let now = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
        if now["state"] == "done" {
            break;
        }
        assert!(matches!(now["state"].as_str(), Some("validating" | "applying")), "{now}");
        let lines = now["lines_created"].as_i64().unwrap();
        assert!(lines >= created_lines, "{now}");
        // Each time that it went on by some pieces.
        if crashes < 4 && lines > created_lines {
            created_lines = lines;
            crashes += 1;
            admin.restart();
        }
    }
    assert!(crashes > 0);
    let done = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(counts(&done), [LINES, 0, 0, 0], "{done}");
    assert_feed_is_whole(&admin).await;
    let exported = export(&admin, "kind=numbers&format=csv").await;
    assert_eq!(i64::try_from(exported.lines().count()).unwrap(), LINES + 1);
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::raw_sql("SET LOCAL ROLE dialplane_operator").execute(&mut *tx).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM import_pieces").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_cancelled_import_goes_no_further() {
    let Some(admin) = Admin::start().await else { return };
    let Business { tenant, .. } = business(&admin, "Sparkle").await;
    let query = format!("{IMPORT}&tenant_id={tenant}&dry_run=true");
    let ready = import(&admin, &query, "phone_number\n+12125550001\n").await;
    let path = format!("/imports/{}", ready["id"].as_str().unwrap());
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    admin.expect(StatusCode::CONFLICT, Method::POST, &format!("{path}/apply"), Value::Null).await;
    let cancelled = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!(cancelled["state"], "cancelled");
    let done = import(&admin, &format!("{IMPORT}&tenant_id={tenant}"), "phone_number\n+12125550001\n").await;
    let path = format!("/imports/{}", done["id"].as_str().unwrap());
    admin.expect(StatusCode::CONFLICT, Method::DELETE, &path, Value::Null).await;
    let list = admin.expect(StatusCode::OK, Method::GET, "/imports", Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}
