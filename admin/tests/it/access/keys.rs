//! Keys that were good lately: not asked for again, and gone at once when they are deleted.

use std::time::{Duration, Instant};

use dialplane_admin::api::auth::keys::TRUST;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::{Admin, OPERATOR};

async fn status(admin: &Admin, key: &str) -> StatusCode {
    admin.send(key, Method::GET, "/api/v2/tenants", &Value::Null).await.0
}

/// Asks until a key is no longer good: how long that took.
async fn until_refused(admin: &Admin, key: &str) -> Duration {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if status(admin, key).await == StatusCode::UNAUTHORIZED {
            return began.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("still good");
}

async fn key(admin: &Admin, tenant: &str, expires_at: Option<String>) -> (String, String) {
    let path = format!("/tenants/{tenant}/api-keys");
    let body = json!({"name": "ci", "role": "viewer", "expires_at": expires_at});
    let made = admin.expect(StatusCode::CREATED, Method::POST, &path, body).await;
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn run(admin: &Admin, sql: &str) {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_deleted_key_stops_at_once_here_and_a_moment_later_elsewhere() {
    let Some(admin) = Admin::start().await else { return };
    let other = admin.beside();
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    // An operator deletes it, or its tenant does.
    let deleters = [OPERATOR.to_owned(), admin.tenant_key(&tenant).await];
    for deleter in deleters {
        let (key, id) = key(&admin, &tenant, None).await;
        assert_eq!(status(&other, &key).await, StatusCode::OK);
        assert_eq!(status(&admin, &key).await, StatusCode::OK);
        let path = format!("/api/v2/tenants/{tenant}/api-keys/{id}");
        let (deleted, _) = admin.send(&deleter, Method::DELETE, &path, &Value::Null).await;
        assert_eq!(deleted, StatusCode::NO_CONTENT);
        assert_eq!(status(&admin, &key).await, StatusCode::UNAUTHORIZED);
        // Sooner than it would be asked for again anyway.
        let took = until_refused(&other, &key).await;
        assert!(took < TRUST / 2, "{took:?}");
    }
    // With its tenant.
    let (key, _) = key(&admin, &tenant, None).await;
    assert_eq!((status(&other, &key).await, status(&admin, &key).await), (StatusCode::OK, StatusCode::OK));
    let path = format!("/tenants/{tenant}");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status(&admin, &key).await, StatusCode::UNAUTHORIZED);
    let took = until_refused(&other, &key).await;
    assert!(took < TRUST / 2, "{took:?}");
}

#[tokio::test]
async fn a_key_that_nobody_said_is_deleted_stops_all_the_same() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let (key, id) = key(&admin, &tenant, None).await;
    assert_eq!(status(&admin, &key).await, StatusCode::OK);
    run(&admin, &format!("SET ROLE dialplane_operator; DELETE FROM api_keys WHERE id = '{id}'")).await;
    let took = until_refused(&admin, &key).await;
    assert!(took < TRUST * 2, "{took:?}");
}

#[tokio::test]
async fn a_key_stops_when_it_expires_though_it_was_good_lately() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let (key, id) = key(&admin, &tenant, Some("2100-01-01T00:00:00Z".into())).await;
    run(
        &admin,
        &format!(
            "SET ROLE dialplane_operator;
             UPDATE api_keys SET expires_at = now() + interval '1500 milliseconds' WHERE id = '{id}'"
        ),
    )
    .await;
    assert_eq!(status(&admin, &key).await, StatusCode::OK);
    let took = until_refused(&admin, &key).await;
    assert!(took < TRUST - Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_key_that_was_good_a_moment_ago_costs_no_question() {
    let Some(admin) = Admin::start().await else { return };
    // A moment after the start it begins to hear of deleted keys, and doubts what it knew: then once more.
    for _ in 0..3 {
        assert_eq!(status(&admin, OPERATOR).await, StatusCode::OK);
        run(&admin, "ALTER TABLE api_keys RENAME TO away").await;
        let unasked = status(&admin, OPERATOR).await;
        run(&admin, "ALTER TABLE away RENAME TO api_keys").await;
        if unasked == StatusCode::OK {
            return;
        }
    }
    panic!("Postgres is asked each time");
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let (key, id) = key(&admin, &tenant, None).await;
    let path = format!("/tenants/{tenant}/api-keys");
    let last_used = async || {
        let listed = admin.expect(StatusCode::OK, Method::GET, &path, Value::Null).await;
        let keys = listed["items"].as_array().unwrap().clone();
        keys.into_iter().find(|key| key["id"] == id.as_str()).unwrap()["last_used_at"].clone()
    };
    assert_eq!(last_used().await, Value::Null);
    assert_eq!(status(&admin, &key).await, StatusCode::OK);
    let began = Instant::now();
    let first = loop {
        let used = last_used().await;
        if used.is_string() {
            break used;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "never written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for _ in 0..50 {
        assert_eq!(status(&admin, &key).await, StatusCode::OK);
    }
    assert_eq!(last_used().await, first);
}
