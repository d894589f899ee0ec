//! Intents: a tenant's own, each name once, in the tenant's record.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::Record;
use dialplane_common::location::Intent;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;
use crate::records;

async fn recorded(admin: &Admin) -> Vec<Intent> {
    match records::of_kind(admin, Kind::Tenant).await.pop() {
        Some(Record::Tenant(_, record)) => record.business.intents,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn intents_are_made_changed_and_deleted() {
    let Some(admin) = Admin::start().await else { return };
    let path = format!("/tenants/{}/intents", admin.create("/tenants", json!({"name": "Salon"})).await);
    let book = json!({"name": "book", "phrases": ["I'd like to come"], "responses": {"en": "When?", "es": "¿Cuándo?"}});
    let id = admin.create(&path, book.clone()).await;
    let one = format!("{path}/{id}");
    let found = admin.expect(StatusCode::OK, Method::GET, &one, Value::Null).await;
    assert_eq!((&found["name"], &found["responses"]), (&book["name"], &book["responses"]));
    let recorded_now = recorded(&admin).await;
    assert_eq!(recorded_now[0].response("es-MX"), Some("¿Cuándo?"));

    let taken = admin.expect(StatusCode::CONFLICT, Method::POST, &path, json!({"name": "book"})).await;
    assert_eq!((&taken["code"], &taken["field"]), (&json!("intent_name_taken"), &json!("name")));
    let other = admin.create(&path, json!({"name": "cancel"})).await;
    let other = format!("{path}/{other}");
    admin.expect(StatusCode::CONFLICT, Method::PATCH, &other, json!({"name": "book"})).await;

    let changed = admin.expect(StatusCode::OK, Method::PATCH, &one, json!({"phrases": ["book me"]})).await;
    assert_eq!((&changed["phrases"], &changed["responses"]), (&json!(["book me"]), &book["responses"]));
    assert_eq!(recorded(&admin).await[0].phrases, ["book me"]);
    admin.refused(Method::PATCH, &one, json!({"responses": {"en": " "}}), "responses.en").await;
    admin.refused(Method::POST, &path, json!({"name": "", "phrases": []}), "name").await;

    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, &one, Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, &one, Value::Null).await;
    let names: Vec<String> = recorded(&admin).await.into_iter().map(|intent| intent.name).collect();
    assert_eq!(names, ["cancel"]);
}

#[tokio::test]
async fn a_name_is_taken_in_its_own_tenant_alone() {
    let Some(admin) = Admin::start().await else { return };
    for name in ["One", "Two"] {
        let tenant = admin.create("/tenants", json!({"name": name})).await;
        admin.create(&format!("/tenants/{tenant}/intents"), json!({"name": "book"})).await;
    }
}
