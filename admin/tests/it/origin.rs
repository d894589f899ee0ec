//! Each change says in its transaction who makes it, in which request and from where.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Admin, Answer, OPERATOR};

/// Notes what the transaction says of a change of `tenants`.
const NOTE: &str = "
    CREATE TABLE noted (text text NOT NULL);
    GRANT SELECT, INSERT, DELETE ON noted TO dialplane_operator, dialplane_tenant;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO noted VALUES (concat_ws(' ', current_setting('dialplane.actor', true),
            current_setting('dialplane.request_id', true), current_setting('dialplane.address', true)));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION note();";

#[tokio::test]
async fn a_change_says_where_it_comes_from() {
    let Some(admin) = Admin::start().await else { return };
    admin.execute(NOTE).await;
    let tenant = admin.create("/tenants", json!({"name": "Mine"})).await;
    let path = format!("/tenants/{tenant}");
    let made = json!({"name": "ci", "role": "admin"});
    let made = admin.expect(StatusCode::CREATED, Method::POST, &format!("{path}/api-keys"), made).await;
    let change = async |key: &str, request_id: &str| {
        let request = admin.request(key, Method::PATCH, &path).json(&json!({"name": "Changed"}));
        // Who it is said to be sent for isn't believed.
        let request = request.header("x-request-id", request_id).header("x-forwarded-for", "203.0.113.9");
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let noted: String = admin.query("DELETE FROM noted RETURNING text").await;
        (noted, answer.header("x-request-id").unwrap().to_owned())
    };
    let (noted, _) = change(made["key"].as_str().unwrap(), "my-id:1").await;
    assert_eq!(noted, format!("key:{} my-id:1 127.0.0.1", made["id"].as_str().unwrap()));
    // An id that could do harm is replaced.
    let (noted, given) = change(OPERATOR, "'; DROP TABLE tenants; --").await;
    let operator: String = admin.query("SELECT id::text FROM api_keys WHERE tenant_id IS NULL").await;
    assert!(!given.contains('\''), "{given}");
    assert_eq!(noted, format!("operator:{operator} {given} 127.0.0.1"));
}
