//! A tenant's own server for tools: its secret is shown once, sealed in Postgres and in the feed.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::{Record, ToolServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, ENCRYPTION_KEY, FEED_KEY, OPERATOR};
use crate::records;

/// What routers get: the server, and its secret as they open it.
async fn recorded(admin: &Admin) -> Option<(ToolServer, String)> {
    let Some(Record::Tenant(id, record)) = records::of_kind(admin, Kind::Tenant).await.pop() else {
        panic!("no tenant")
    };
    let server = record.tool_server?;
    let keys = Keyring::feed(FEED_KEY).unwrap();
    let secret = keys.open(id.as_bytes(), &server.sealed_secret).unwrap();
    let secret = String::from_utf8(secret.expose().to_vec()).unwrap();
    Some((server, secret))
}

#[tokio::test]
async fn a_secret_is_drawn_once_and_stays_until_another_is_given() {
    let Some(admin) = Admin::start().await else { return };
    let path = format!("/tenants/{}/tool-server", admin.create("/tenants", json!({"name": "Salon"})).await);
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &path, Value::Null).await;
    let put = async |body: Value| admin.expect(StatusCode::OK, Method::PUT, &path, body).await;

    let made = put(json!({"url": "https://tools.example/a"})).await;
    assert_eq!((&made["timeout_ms"], &made["max_concurrent"]), (&json!(5000), &json!(20)));
    let drawn = made["secret"].as_str().unwrap().to_owned();
    let (server, secret) = recorded(&admin).await.unwrap();
    assert_eq!((server.timeout_ms, server.concurrency_max, &secret), (5000, 20, &drawn));
    assert!(!String::from_utf8_lossy(&server.sealed_secret).contains(&drawn));

    let shown = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
    assert_eq!((&shown["url"], shown.get("secret")), (&json!("https://tools.example/a"), None));
    let changed =
        put(json!({"url": "https://tools.example/b", "timeout_ms": 500, "max_concurrent": 200})).await;
    assert_eq!(changed.get("secret"), None);
    let (server, secret) = recorded(&admin).await.unwrap();
    assert_eq!((server.url.as_str(), server.timeout_ms, secret), ("https://tools.example/b", 500, drawn));

    let given = "a-secret-that-i-chose";
    let changed = put(json!({"url": "https://tools.example/b", "secret": given})).await;
    assert_eq!(changed.get("secret"), None);
    assert_eq!(recorded(&admin).await.unwrap().1, given);

    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &path, Value::Null).await;
    assert_eq!(recorded(&admin).await, None);
}

#[tokio::test]
async fn refusals_name_the_place_and_only_admins_set_it() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let path = format!("/tenants/{tenant}/tool-server");
    let url = "https://tools.example";
    for (body, field) in [
        (json!({"url": "ftp://tools.example"}), "url"),
        (json!({"url": "https://user:password@tools.example"}), "url"),
        (json!({"url": url, "timeout_ms": 499}), "timeout_ms"),
        (json!({"url": url, "timeout_ms": 15001}), "timeout_ms"),
        (json!({"url": url, "max_concurrent": 201}), "max_concurrent"),
        (json!({"url": url, "secret": "short"}), "secret"),
    ] {
        admin.refused(Method::PUT, &path, body, field).await;
    }
    let editor = json!({"name": "editor", "role": "editor"});
    let (_, editor) =
        admin.send(OPERATOR, Method::POST, &format!("/api/v2/tenants/{tenant}/api-keys"), &editor).await;
    let (status, _) = admin
        .send(editor["key"].as_str().unwrap(), Method::PUT, &format!("/api/v2{path}"), &json!({"url": url}))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn republishing_seals_it_with_the_new_key() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = format!("/tenants/{}", admin.create("/tenants", json!({"name": "Salon"})).await);
    let server = json!({"url": "https://tools.example", "secret": "a-secret-that-i-chose"});
    admin.expect(StatusCode::OK, Method::PUT, &format!("{tenant}/tool-server"), server).await;
    let new_key = "another-encryption-key-of-the-tests";
    admin.republish(&format!("{new_key},{ENCRYPTION_KEY}"));
    // From here on without the old key.
    admin.restart_with(new_key);
    admin.expect(StatusCode::OK, Method::PATCH, &tenant, json!({"name": "Nails"})).await;
    assert_eq!(recorded(&admin).await.unwrap().1, "a-secret-that-i-chose");
}
