//! Nobody sees or touches what is another tenant's, whatever the path and whatever the door.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::{Admin, OPERATOR};

/// Every path of the OpenAPI document, those of other tenants with a key that isn't theirs.
#[tokio::test]
async fn another_tenants_paths_lead_nowhere() {
    let Some(admin) = Admin::start().await else { return };
    let mine = admin.create("/tenants", json!({"name": "Mine"})).await;
    let theirs = admin.create("/tenants", json!({"name": "Theirs"})).await;
    let account = json!({"provider": "twilio", "label": "main", "credentials": {"account_sid": "AC1", "auth_token": "t"}});
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let ids = BTreeMap::from([
        ("{tenant_id}", theirs.clone()),
        ("{account_id}", admin.create(&format!("/tenants/{theirs}/accounts"), account).await),
        ("{agent_id}", admin.create(&format!("/tenants/{theirs}/agents"), agent).await),
        ("{phone_number_id}", admin.create(&format!("/tenants/{theirs}/phone-numbers"), number).await),
        ("{api_key_id}", uuid::Uuid::nil().to_string()),
    ]);
    let key = admin.tenant_key(&mine).await;
    let (_, document) = admin.send(&key, Method::GET, "/api/v2/openapi.json", &Value::Null).await;
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let body = if matches!(method, Method::GET | Method::DELETE) { Value::Null } else { json!({}) };
            let foreign = ids.iter().fold(path.clone(), |path, (name, id)| path.replace(name, id));
            let (status, answer) = admin.send(&key, method.clone(), &foreign, &body).await;
            if path == "/api/v2/tenants" && method == Method::GET {
                let items = answer["items"].as_array().unwrap();
                assert!(items.len() == 1 && items[0]["id"] == mine.as_str(), "{answer}");
                continue;
            }
            let expected = if path.starts_with("/api/v2/tenants/{") {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(status, expected, "{method} {path} {answer}");
            // The other tenant's ids below one's own tenant: the same.
            if path.matches('{').count() > 1 && path.starts_with("/api/v2/tenants/{") {
                let mixed = foreign.replace(&theirs, &mine);
                let (status, answer) = admin.send(&key, method.clone(), &mixed, &json!({"rules": []})).await;
                let is_checked_first = status == StatusCode::UNPROCESSABLE_ENTITY;
                assert!(
                    status == StatusCode::NOT_FOUND || is_checked_first,
                    "{method} {mixed} {status} {answer}"
                );
            }
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
    let (status, _) =
        admin.send(OPERATOR, Method::GET, &format!("/api/v2/tenants/{theirs}/agents"), &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}

/// Below the application: the database itself shows nothing to whoever hasn't said for whom.
#[tokio::test]
async fn the_database_shows_nothing_unasked() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    admin.create("/tenants", json!({"name": "Theirs"})).await;
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let unforced: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
         WHERE relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(unforced, [""; 0], "tables with a tenant_id and without forced row-level security");
    let mut count = async |set_up: String| -> i64 {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(set_up)).execute(&mut *tx).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM tenants").fetch_one(&mut *tx).await.unwrap()
    };
    assert_eq!(count("SET LOCAL ROLE dialplane_tenant".into()).await, 0);
    let of_tenant = format!("SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{tenant}'");
    assert_eq!(count(of_tenant).await, 1);
    assert_eq!(count("SET LOCAL ROLE dialplane_operator".into()).await, 2);
}
