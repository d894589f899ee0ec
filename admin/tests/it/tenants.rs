//! Tenants: what is said of them, their limits, suspension, and what becomes of their numbers when they go.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::Record;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, OPERATOR};
use crate::records;

const TAKEN: StatusCode = StatusCode::CONFLICT;

async fn number(admin: &Admin, tenant: &str, number: &str) -> String {
    let body = json!({"source": "manual", "phone_number": number});
    admin.create(&format!("/tenants/{tenant}/phone-numbers"), body).await
}

#[tokio::test]
async fn what_routers_need_not_see_makes_no_entry_of_the_feed() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle Nails"})).await;
    let path = format!("/tenants/{tenant}");
    for (patch, is_seen) in [
        (json!({"integrations": {"crm": {"id": "1"}}, "external_id": "crm-1", "agents_max": 3}), false),
        (json!({"profile": {"email": "desk@sparkle.example"}, "phone_numbers_max": 3}), false),
        (json!({"provisioning": {"area_code": "212"}}), false),
        (json!({"name": "Sparkle"}), true),
        (json!({"timezone": "UTC"}), true),
        (json!({"calls_max": 3}), true),
        (json!({"status": "suspended", "integrations": {}}), true),
    ] {
        let answer = admin.respond(OPERATOR, Method::PATCH, &format!("/api/v2{path}"), &patch).await;
        assert_eq!(answer.status(), StatusCode::OK, "{patch}");
        assert_eq!(answer.headers().contains_key("dialplane-revision"), is_seen, "{patch}");
    }
    // It is compared all the same.
    let other = admin.request(OPERATOR, Method::PATCH, &path).header("if-match", "\"x\"");
    let other = other.json(&json!({"integrations": {}})).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn an_answer_without_a_body_says_nothing_of_its_content() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle Nails"})).await;
    let gone =
        admin.respond(OPERATOR, Method::DELETE, &format!("/api/v2/tenants/{tenant}"), &Value::Null).await;
    assert_eq!((gone.status(), gone.headers().get("content-type")), (StatusCode::NO_CONTENT, None));
}

#[tokio::test]
async fn a_tenant_is_kept_whole() {
    let Some(admin) = Admin::start().await else { return };
    let whole = json!({
        "name": "Sparkle Nails", "timezone": "America/New_York", "external_id": "crm-7",
        "profile": {"legal_name": "Sparkle Nails LLC", "business_type": "nail salon",
            "website": "https://sparkle.example", "email": "desk@sparkle.example", "phone": "+12125550147",
            "address": {"line1": "21 Broadway", "city": "New York", "country": "US"}, "description": "Nails."},
        "integrations": {"calendar": {"id": "c1"}},
        "provisioning": {"strategies": ["pool", "tenant_account", "manual"], "agent_mode": "own", "country": "US",
            "area_code": "212"},
        "calls_max": 5, "phone_numbers_max": 2, "agents_max": 1, "spend_max": "12.50",
    });
    let tenant = admin.create("/tenants", whole.clone()).await;
    let path = format!("/tenants/{tenant}");
    let kept = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    for (field, value) in whole.as_object().unwrap() {
        assert_eq!(&kept[field], value, "{field}");
    }
    // A document is replaced as a whole; what isn't named stays.
    let patch = json!({"profile": {"email": "owner@sparkle.example"}, "external_id": null});
    let changed = admin.expect(StatusCode::OK, Method::PATCH, &path, patch.clone()).await;
    assert_eq!((&changed["profile"], &changed["external_id"]), (&patch["profile"], &Value::Null));
    assert_eq!(changed["integrations"], whole["integrations"]);
    for (body, field) in [
        (json!({"profile": {"email": "desk"}}), "profile.email"),
        (json!({"profile": {"fax": "1"}}), "profile.fax"),
        (json!({"integrations": {"crm": {"api_key": "x"}}}), "integrations.crm.api_key"),
        (json!({"provisioning": {"strategies": ["luck"]}}), "provisioning.strategies[0]"),
        (json!({"external_id": ""}), "external_id"),
        (json!({"phone_numbers_max": 1_000_001}), "phone_numbers_max"),
        (json!({"agents_max": -1}), "agents_max"),
        (json!({"spend_max": "12.345"}), "spend_max"),
        (json!({"spend_max": "1000000.01"}), "spend_max"),
        (json!({"spend_max": 12}), "spend_max"),
    ] {
        admin.refused(Method::PATCH, &path, body, field).await;
    }
    for (spend_max, expected) in [(json!("7.5"), json!("7.50")), (Value::Null, Value::Null)] {
        let patch = json!({"spend_max": spend_max});
        let changed = admin.expect(StatusCode::OK, Method::PATCH, &path, patch).await;
        assert_eq!(changed["spend_max"], expected);
    }
    // Two tenants aren't known by one name.
    admin.expect(StatusCode::OK, Method::PATCH, &path, json!({"external_id": "crm-7"})).await;
    let second = json!({"name": "Second", "external_id": "crm-7"});
    let refused = admin.expect(TAKEN, Method::POST, "/tenants", second).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("external_id_taken"), &json!("external_id")));

    // What operators set, a tenant doesn't.
    let key = admin.tenant_key(&tenant).await;
    let own = format!("/api/v2{path}");
    for body in [
        json!({"external_id": null}),
        json!({"agents_max": null}),
        json!({"spend_max": "20"}),
        json!({"status": "active"}),
    ] {
        let (status, answer) = admin.send(&key, Method::PATCH, &own, &body).await;
        assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("operator_only")), "{body}");
    }
    let (status, answer) = admin.send(&key, Method::PATCH, &own, &json!({"integrations": {}})).await;
    assert_eq!((status, &answer["integrations"]), (StatusCode::OK, &json!({})), "{answer}");
}

#[tokio::test]
async fn limits_hold_for_those_who_come_at_once() {
    let Some(admin) = Admin::start().await else { return };
    let limits = json!({"name": "Salon", "phone_numbers_max": 3, "agents_max": 2});
    let tenant = format!("/tenants/{}", admin.create("/tenants", limits).await);
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let create = |path: &'static str, code: &'static str, body: Value| {
        let path = format!("/api/v2{tenant}/{path}");
        let admin = &admin;
        async move {
            let (status, answer) = admin.send(OPERATOR, Method::POST, &path, &body).await;
            assert!(status == StatusCode::CREATED || answer["code"] == code, "{answer}");
            status == StatusCode::CREATED
        }
    };
    let numbers = (0..8).map(|index| {
        let body = json!({"source": "manual", "phone_number": format!("+1212555000{index}")});
        create("phone-numbers", "phone_numbers_limit", body)
    });
    let agents = (0..8).map(|index| {
        let body = json!({"name": format!("Desk {index}"), "provider": "custom", "target": target});
        create("agents", "agents_limit", body)
    });
    let created = futures_util::future::join_all(numbers).await;
    assert_eq!(created.into_iter().filter(|created| *created).count(), 3);
    let created = futures_util::future::join_all(agents).await;
    assert_eq!(created.into_iter().filter(|created| *created).count(), 2);
    assert_eq!(records::of_kind(&admin, Kind::Number).await.len(), 3);
    // A smaller limit takes nothing away.
    admin.expect(StatusCode::OK, Method::PATCH, &tenant, json!({"phone_numbers_max": 0})).await;
    let list = format!("{tenant}/phone-numbers");
    let kept = admin.expect(StatusCode::OK, Method::GET, &list, Value::Null).await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 3);
    let one = format!("{list}/{}", kept["items"][0]["id"].as_str().unwrap());
    admin.expect(StatusCode::OK, Method::PATCH, &one, json!({"status": "inactive"})).await;
}

#[tokio::test]
async fn operators_suspend_and_resume() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let key = admin.tenant_key(&tenant).await;
    let suspended = async || match records::of_kind(&admin, Kind::Tenant).await.pop() {
        Some(Record::Tenant(_, record)) => record.suspended,
        other => panic!("{other:?}"),
    };
    for (action, status, is_suspended) in [("suspend", "suspended", true), ("resume", "active", false)] {
        let path = format!("/tenants/{tenant}/{action}");
        for _twice_is_once in 0..2 {
            let answer = admin.expect(StatusCode::OK, Method::POST, &path, Value::Null).await;
            assert_eq!((&answer["status"], suspended().await), (&json!(status), is_suspended));
        }
        let (refused, _) = admin.send(&key, Method::POST, &format!("/api/v2{path}"), &Value::Null).await;
        assert_eq!(refused, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_deletion_says_what_will_happen_and_does_just_that() {
    let Some(admin) = Admin::start().await else { return };
    for (numbers, becomes) in [("pool", "available"), ("release", "quarantined")] {
        let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
        let path = format!("/tenants/{tenant}");
        let first = number(&admin, &tenant, "+12125550001").await;
        let second = number(&admin, &tenant, "+12125550002").await;
        admin.create(&format!("{path}/intents"), json!({"name": "book"})).await;
        let unknown = json!({"rules": [], "unknown_numbers": tenant});
        admin.expect(StatusCode::OK, Method::PUT, "/defaults/routing", unknown).await;

        let refused = admin.expect(TAKEN, Method::DELETE, &path, Value::Null).await;
        assert_eq!(refused["code"], "tenant_has_numbers");
        let said = refused["detail"].as_str().unwrap();
        for part in ["2 phone numbers", "+12125550001", "?numbers=pool", "?numbers=release", "dry_run=true"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let preview = |query: String| {
            let path = format!("{path}?dry_run=true{query}");
            let admin = &admin;
            async move { admin.expect(StatusCode::OK, Method::DELETE, &path, Value::Null).await }
        };
        let without = preview(String::new()).await;
        assert_eq!((&without["deletes"], &without["numbers"]), (&json!(false), &json!("refuse")));
        let with = preview(format!("&numbers={numbers}")).await;
        assert_eq!((&with["deletes"], &with["takes_unknown_numbers"]), (&json!(true), &json!(true)));
        assert_eq!((&with["counts"]["phone_numbers"], &with["counts"]["intents"]), (&json!(2), &json!(1)));
        let named = |id: &str, number| json!({"id": id, "phone_number": number, "becomes": becomes});
        let expected = json!([named(&first, "+12125550001"), named(&second, "+12125550002")]);
        assert_eq!(with["phone_numbers"], expected);
        assert_eq!(records::of_kind(&admin, Kind::Number).await.len(), 2, "nothing has happened yet");
        let wrong = format!("{path}?numbers=sell");
        admin.expect(StatusCode::BAD_REQUEST, Method::DELETE, &wrong, Value::Null).await;

        let path = format!("{path}?numbers={numbers}");
        admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
        admin.expect(StatusCode::NOT_FOUND, Method::DELETE, &path, Value::Null).await;
        assert!(records::of_kind(&admin, Kind::Number).await.is_empty());
        assert!(records::of_kind(&admin, Kind::Tenant).await.is_empty());
        let list = format!("/pool?lifecycle={becomes}");
        let unheld = admin.expect(StatusCode::OK, Method::GET, &list, Value::Null).await;
        let unheld: Vec<_> = unheld["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        assert_eq!(unheld, [&json!(first), &json!(second)]);
        for id in [first, second] {
            let path = format!("/pool/{id}");
            admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
        }
    }
}
