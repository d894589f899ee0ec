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
    let api_key = json!({"name": "theirs", "role": "viewer"});
    let ids = BTreeMap::from([
        ("{tenant_id}", theirs.clone()),
        ("{account_id}", admin.create(&format!("/tenants/{theirs}/accounts"), account).await),
        ("{agent_id}", admin.create(&format!("/tenants/{theirs}/agents"), agent).await),
        ("{phone_number_id}", admin.create(&format!("/tenants/{theirs}/phone-numbers"), number).await),
        ("{intent_id}", admin.create(&format!("/tenants/{theirs}/intents"), json!({"name": "book"})).await),
        ("{api_key_id}", admin.create(&format!("/tenants/{theirs}/api-keys"), api_key).await),
        ("{person_id}", admin.create(&format!("/tenants/{theirs}/staff"), json!({"name": "Ana"})).await),
        ("{service_id}", admin.create(&format!("/tenants/{theirs}/services"), json!({"name": "Cut"})).await),
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
                let (status, answer) = admin.send(&key, method.clone(), &mixed, &smallest(path)).await;
                let operators = path.ends_with("/assign") || path.ends_with("/unassign");
                let expected = if operators { StatusCode::FORBIDDEN } else { StatusCode::NOT_FOUND };
                assert_eq!(status, expected, "{method} {mixed} {answer}");
            }
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
    let (status, _) =
        admin.send(OPERATOR, Method::GET, &format!("/api/v2/tenants/{theirs}/agents"), &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
}

/// The smallest body that this path takes, so that it isn't refused for that.
fn smallest(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("routing") => json!({"rules": []}),
        Some("phone-numbers") => json!({"phone_number_ids": [uuid::Uuid::nil()]}),
        Some("{phone_number_id}") => json!({"display_name": "Broadway"}),
        Some(list @ ("staff" | "services")) => json!({list: []}),
        _ => json!({}),
    }
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

/// Every table that a tenant's role may read, whichever there are.
#[tokio::test]
async fn each_table_shows_a_tenant_its_own_rows_alone() {
    let Some(admin) = Admin::start().await else { return };
    let mut tenants = Vec::new();
    for name in ["Mine", "Theirs"] {
        let tenant = admin.create("/tenants", json!({"name": name})).await;
        admin.create(&format!("/tenants/{tenant}/intents"), json!({"name": "book"})).await;
        let server = json!({"url": "https://tools.example/dialplane"});
        admin.expect(StatusCode::OK, Method::PUT, &format!("/tenants/{tenant}/tool-server"), server).await;
        tenants.push(tenant);
    }
    let [mine, theirs] = tenants.try_into().unwrap();
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
         WHERE relkind = 'r' AND has_table_privilege('dialplane_tenant', pg_class.oid, 'SELECT') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mine_only = format!("SET LOCAL ROLE dialplane_tenant; SET LOCAL dialplane.tenant_id TO '{mine}'");
    let mut seen = Vec::new();
    for table in tables {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(mine_only.clone())).execute(&mut *tx).await.unwrap();
        let owners = sqlx::AssertSqlSafe(format!("SELECT DISTINCT tenant_id::text FROM {table}"));
        let owners: Vec<String> = sqlx::query_scalar(owners).fetch_all(&mut *tx).await.unwrap();
        assert!(owners.iter().all(|owner| *owner == mine), "{table} {owners:?}");
        if !owners.is_empty() {
            // Nor can a row be given away.
            let give = sqlx::AssertSqlSafe(format!("UPDATE {table} SET tenant_id = '{theirs}'"));
            let refused = sqlx::query(give).execute(&mut *tx).await.unwrap_err();
            let code =
                refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{table} {refused}");
            seen.push(table);
        }
    }
    assert_eq!(seen, ["audit_log", "intents", "tool_servers"]);
}
