//! Whose bearer tokens routers take: the feed has the hash of each, and of no other.

use std::collections::BTreeMap;
use std::time::Duration;

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::{Record, TokenHash, TokenHolder, TokenRecord};
use dialplane_common::ids::{AgentId, TenantId};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::harness::{Admin, ENCRYPTION_KEY, OPERATOR};
use crate::records;

/// The tokens that routers take.
async fn tokens(admin: &Admin) -> BTreeMap<TokenHash, TokenRecord> {
    let token = |record| match record {
        Record::Token(hash, record) => (hash, record),
        other => panic!("{other:?}"),
    };
    records::of_kind(admin, Kind::Token).await.into_iter().map(token).collect()
}

/// Those of them that are these, in the order of `keys`.
async fn holders(admin: &Admin, keys: &[&str]) -> Vec<Option<TokenHolder>> {
    let tokens = tokens(admin).await;
    keys.iter().map(|key| tokens.get(&TokenHash::of(key)).map(|record| record.holder)).collect()
}

/// Makes a key and gives it with its id.
async fn key(admin: &Admin, path: &str, body: Value) -> (String, String) {
    let made = admin.expect(StatusCode::CREATED, Method::POST, path, body).await;
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

/// Runs SQL that changes rows, as the operators' role.
async fn execute(admin: &Admin, sql: &'static str) {
    let mut connection = PgConnection::connect(&admin.database_url).await.unwrap();
    sqlx::raw_sql("SET ROLE dialplane_operator").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

async fn agent(admin: &Admin, tenant: &str) -> String {
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    admin.create(&format!("/tenants/{tenant}/agents"), agent).await
}

#[tokio::test]
async fn keys_of_the_api_are_taken_by_routers_until_they_are_deleted() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let keys = format!("/tenants/{tenant}/api-keys");
    let body = json!({"name": "ci", "role": "viewer", "expires_at": "2100-01-01T00:00:00Z"});
    let (of_tenant, tenant_key_id) = key(&admin, &keys, body).await;
    let (of_operator, operator_key_id) = key(&admin, "/api-keys", json!({"name": "second"})).await;
    let all = [OPERATOR, of_operator.as_str(), of_tenant.as_str()];
    let id = TenantId(tenant.parse().unwrap());
    let (operator, tenant) = (Some(TokenHolder::Operator), Some(TokenHolder::Tenant(id)));
    assert_eq!(holders(&admin, &all).await, [operator, operator, tenant]);
    let expires_at = tokens(&admin).await[&TokenHash::of(&of_tenant)].expires_at;
    assert_eq!(expires_at.map(|at| at.0), Some(4_102_444_800));
    for path in [format!("{keys}/{tenant_key_id}"), format!("/api-keys/{operator_key_id}")] {
        admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    }
    assert_eq!(holders(&admin, &all).await, [operator, None, None]);
}

#[tokio::test]
async fn an_agent_has_one_token_or_none() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let id = agent(&admin, &tenant).await;
    let one = format!("/tenants/{tenant}/agents/{id}");
    let token = async || {
        let made =
            admin.expect(StatusCode::CREATED, Method::POST, &format!("{one}/token"), Value::Null).await;
        made["token"].as_str().unwrap().to_owned()
    };
    let (first, second) = (token().await, token().await);
    let holder = TokenHolder::Agent(TenantId(tenant.parse().unwrap()), AgentId(id.parse().unwrap()));
    assert_eq!(holders(&admin, &[&first, &second]).await, [None, Some(holder)]);
    let shown = admin.expect(StatusCode::OK, Method::GET, &one, Value::Null).await;
    assert!(shown.get("token").is_none() && shown.get("token_hash").is_none(), "{shown}");
    // It opens routers, not this API.
    let (status, _) = admin.send(&second, Method::GET, "/api/v2/tenants", &Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let path = format!("{one}/token");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(holders(&admin, &[&second]).await, [None]);
    let third = token().await;
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &one, Value::Null).await;
    assert_eq!(holders(&admin, &[&third]).await, [None]);
}

#[tokio::test]
async fn a_tenants_tokens_go_with_it() {
    let Some(admin) = Admin::start().await else { return };
    let before = tokens(&admin).await;
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    admin.tenant_key(&tenant).await;
    let agent = agent(&admin, &tenant).await;
    let path = format!("/tenants/{tenant}/agents/{agent}/token");
    admin.expect(StatusCode::CREATED, Method::POST, &path, Value::Null).await;
    assert_eq!(tokens(&admin).await.len(), before.len() + 2);
    let path = format!("/tenants/{tenant}");
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &path, Value::Null).await;
    assert_eq!(tokens(&admin).await, before);
}

#[tokio::test]
async fn keys_that_are_over_leave_the_feed() {
    let Some(mut admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let path = format!("/tenants/{tenant}/api-keys");
    let body = json!({"name": "over", "role": "viewer", "expires_at": "2100-01-01T00:00:00Z"});
    let (over, _) = key(&admin, &path, body).await;
    let (good, _) = key(&admin, &path, json!({"name": "good", "role": "viewer"})).await;
    execute(&admin, "UPDATE api_keys SET expires_at = now() WHERE name = 'over'").await;
    // Whoever begins to publish looks after them at once.
    admin.restart();
    for _ in 0..200 {
        if holders(&admin, &[&over]).await == [None] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let holders = holders(&admin, &[&over, &good]).await;
    assert!(holders[0].is_none() && holders[1].is_some(), "{holders:?}");
    // Nor does writing everything anew bring it back.
    let before = tokens(&admin).await;
    admin.republish(ENCRYPTION_KEY);
    assert_eq!(tokens(&admin).await, before);
}

#[tokio::test]
async fn republishing_brings_the_keys_of_an_older_version() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    admin.tenant_key(&tenant).await;
    let agent = agent(&admin, &tenant).await;
    let path = format!("/tenants/{tenant}/agents/{agent}/token");
    admin.expect(StatusCode::CREATED, Method::POST, &path, Value::Null).await;
    let all = tokens(&admin).await;
    assert_eq!(all.len(), 3);
    // As they were before keys went into the feed.
    execute(
        &admin,
        "SELECT feed_append(array_agg(kind), array_agg(key), array_agg(version), array_agg(NULL::bytea),
            array_agg(NULL::text), ''::bytea) FROM feed_records WHERE kind = 6",
    )
    .await;
    assert_eq!(tokens(&admin).await.len(), 0);
    admin.republish(ENCRYPTION_KEY);
    assert_eq!(tokens(&admin).await, all);
}
