//! What is told when Postgres can't do what it is asked for.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Admin, OPERATOR};

#[tokio::test]
async fn what_ends_by_itself_may_be_asked_for_again() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Sparkle Nails"})).await;
    // A tenant is given its new name as an error.
    admin
        .execute(
            "CREATE FUNCTION fault_raise() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE EXCEPTION 'refused by the test' USING ERRCODE = NEW.name;
             END
             $$;
             CREATE TRIGGER fault BEFORE UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION fault_raise()",
        )
        .await;
    let path = format!("/api/v2/tenants/{tenant}");
    for (sqlstate, status, code) in [
        // A standby; a statement that took too long; files that can't be read; a full disk; a lost connection; an end.
        ("25006", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        ("57014", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        ("58030", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        ("53100", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        ("08006", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        ("57P01", StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        // A mistake of this program: asking again leads nowhere.
        ("42804", StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    ] {
        let (answered, problem) =
            admin.send(OPERATOR, Method::PATCH, &path, &json!({"name": sqlstate})).await;
        assert_eq!((answered, problem["code"].as_str()), (status, Some(code)), "{sqlstate}");
    }
    let kept = admin.expect(StatusCode::OK, Method::GET, &format!("/tenants/{tenant}"), json!(null)).await;
    assert_eq!(kept["name"], "Sparkle Nails");
}
