//! Lists: their filters, their pages, and cursors that lead nowhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, OPERATOR};

/// A field of the items on all pages of a list, two items a page.
async fn all(admin: &Admin, path: &str, query: &str, field: &str) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?limit=2{query}{cursor}");
        let page = admin.expect(StatusCode::OK, Method::GET, &page, Value::Null).await;
        let items = page["items"].as_array().unwrap();
        names.extend(items.iter().map(|item| item[field].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { return names };
        assert_eq!(items.len(), 2, "{page}");
        cursor = format!("&cursor={next}");
    }
}

async fn refused(admin: &Admin, path: &str, expected: (u16, &str)) {
    let (status, answer) = admin.send(OPERATOR, Method::GET, &format!("/api/v2{path}"), &Value::Null).await;
    assert_eq!((status.as_u16(), answer["code"].as_str().unwrap()), expected, "{path} {answer}");
}

#[tokio::test]
async fn tenants_are_found_by_name_and_status() {
    let Some(admin) = Admin::start().await else { return };
    let mut ids = Vec::new();
    for name in ["Sparkle Nails", "Nail_Bar", "50% Off", "Barber", "NAILS 2"] {
        ids.push(admin.create("/tenants", json!({"name": name})).await);
    }
    let suspended = json!({"status": "suspended"});
    admin.expect(StatusCode::OK, Method::PATCH, &format!("/tenants/{}", ids[3]), suspended).await;
    let check = async |query: &str, expected: &[&str]| {
        assert_eq!(all(&admin, "/tenants", query, "name").await, expected, "{query}");
    };
    check("", &["Sparkle Nails", "Nail_Bar", "50% Off", "Barber", "NAILS 2"]).await;
    check("&q=nail", &["Sparkle Nails", "Nail_Bar", "NAILS 2"]).await;
    check("&q=_", &["Nail_Bar"]).await;
    check("&q=%25", &["50% Off"]).await;
    check("&q=%5C", &[]).await;
    check("&q=bar&status=active", &["Nail_Bar"]).await;
    check("&status=suspended", &["Barber"]).await;
    // A tenant's key finds itself alone.
    let key = admin.tenant_key(&ids[0]).await;
    for (query, expected) in [("?q=nail", 1), ("?q=bar", 0)] {
        let (_, page) = admin.send(&key, Method::GET, &format!("/api/v2/tenants{query}"), &Value::Null).await;
        assert_eq!(page["items"].as_array().unwrap().len(), expected, "{page}");
    }
    for query in ["q=", "q=%00", "status=gone", "stat=active", &format!("q={}", "x".repeat(101))] {
        refused(&admin, &format!("/tenants?{query}"), (400, "invalid_query")).await;
    }
}

#[tokio::test]
async fn a_tenants_things_are_filtered() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Mine"})).await);
    let own = |path: &str| format!("{tenant}/{path}");
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let mut agents = Vec::new();
    for (name, provider, target) in [("Front desk", "custom", &target), ("Night desk", "custom", &target)] {
        let agent = json!({"name": name, "provider": provider, "target": target});
        agents.push(admin.create(&own("agents"), agent).await);
    }
    for (number, name, status, agent) in [
        ("+12125550001", "Broadway", "active", Some(&agents[0])),
        ("+12125550002", "Harlem 212", "inactive", Some(&agents[1])),
        ("+13105550003", "Venice", "active", Some(&agents[0])),
    ] {
        let number = json!({"source": "manual", "phone_number": number, "display_name": name, "status": status,
            "agent_id": agent});
        admin.create(&own("phone-numbers"), number).await;
    }
    for (provider, id) in [("twilio", "AC1"), ("signalwire", "3f2504e0-4f89-41d3-9a0c-0305e82c3301")] {
        let credentials = match provider {
            "twilio" => json!({"account_sid": id, "auth_token": "t"}),
            _ => json!({"project_id": id, "signing_key": "k"}),
        };
        let account = json!({"provider": provider, "label": provider, "credentials": credentials});
        let (status, answer) =
            admin.send(OPERATOR, Method::POST, &format!("/api/v2{}", own("accounts")), &account).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
    }
    for name in ["Book", "Cancel a booking", "Prices"] {
        admin.create(&own("intents"), json!({"name": name})).await;
        admin.create(&own("api-keys"), json!({"name": name, "role": "viewer"})).await;
    }
    let check = async |path: &str, query: &str, field: &str, expected: &[&str]| {
        assert_eq!(all(&admin, &own(path), query, field).await, expected, "{path} {query}");
    };
    check("agents", "&q=DESK", "name", &["Front desk", "Night desk"]).await;
    check("agents", "&q=night&provider=custom", "name", &["Night desk"]).await;
    check("agents", "&provider=vapi", "name", &[]).await;
    check("accounts", "&provider=signalwire", "provider", &["signalwire"]).await;
    check("intents", "&q=book", "name", &["Book", "Cancel a booking"]).await;
    check("api-keys", "&q=book", "name", &["Book", "Cancel a booking"]).await;
    let numbers = "phone-numbers";
    check(numbers, "&q=212", "display_name", &["Broadway", "Harlem 212"]).await;
    check(numbers, "&q=(310)%20555-0", "display_name", &["Venice"]).await;
    check(numbers, "&q=e", "display_name", &["Harlem 212", "Venice"]).await;
    check(numbers, "&phone_number=%2B12125550001", "display_name", &["Broadway"]).await;
    check(numbers, "&status=active", "display_name", &["Broadway", "Venice"]).await;
    check(numbers, "&lifecycle=active&status=inactive", "display_name", &["Harlem 212"]).await;
    check(numbers, "&lifecycle=released", "display_name", &[]).await;
    check(numbers, &format!("&agent_id={}", agents[0]), "display_name", &["Broadway", "Venice"]).await;
    for (path, query, expected) in [
        ("agents", "provider=nobody", (422, "invalid_field")),
        ("accounts", "provider=%00", (422, "invalid_field")),
        (numbers, "phone_number=12125550001", (422, "invalid_field")),
        (numbers, "agent_id=x", (400, "invalid_query")),
        (numbers, "lifecycle=born", (400, "invalid_query")),
    ] {
        refused(&admin, &format!("{}?{query}", own(path)), expected).await;
    }
}

#[tokio::test]
async fn a_cursor_leads_on_in_its_own_list_alone() {
    let Some(admin) = Admin::start().await else { return };
    let mut ids = Vec::new();
    for name in ["Nails 1", "Nails 2", "Nails 3"] {
        ids.push(admin.create("/tenants", json!({"name": name})).await);
    }
    let first = admin.expect(StatusCode::OK, Method::GET, "/tenants?limit=2&q=nails", Value::Null).await;
    let cursor = first["next"].as_str().unwrap();
    // How long the page is doesn't matter.
    let longer = format!("/tenants?q=nails&cursor={cursor}");
    let longer = admin.expect(StatusCode::OK, Method::GET, &longer, Value::Null).await;
    assert_eq!(longer["items"][0]["name"], "Nails 3");
    for path in [
        format!("/tenants?cursor={cursor}"),
        format!("/tenants?q=nail&cursor={cursor}"),
        format!("/tenants?q=nails&status=active&cursor={cursor}"),
        format!("/accounts?cursor={cursor}"),
        format!("/tenants/{}/agents?cursor={cursor}", ids[0]),
        format!("/tenants?q=nails&cursor={}", &cursor[1..]),
        format!("/tenants?q=nails&cursor={cursor}A"),
        "/tenants?cursor=".to_owned(),
    ] {
        refused(&admin, &path, (400, "invalid_cursor")).await;
    }
    // What is behind the cursor is gone: a page past the end is empty.
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &format!("/tenants/{}", ids[2]), Value::Null).await;
    let past = format!("/tenants?limit=2&q=nails&cursor={cursor}");
    let past = admin.expect(StatusCode::OK, Method::GET, &past, Value::Null).await;
    assert_eq!(past, json!({"items": [], "next": null}));
}
