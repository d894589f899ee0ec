//! Plans: limits by what tenants pay for, behind those that they have themselves.

use std::time::Duration;

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::Record;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::Admin;
use crate::records;

const OK: StatusCode = StatusCode::OK;
const CONFLICT: StatusCode = StatusCode::CONFLICT;

async fn create(admin: &Admin, plan: Value) -> Value {
    admin.expect(StatusCode::CREATED, Method::POST, "/plans", plan).await
}

async fn tenant(admin: &Admin, name: &str, plan: &str) -> String {
    admin.create("/tenants", json!({"name": name, "plan": plan})).await
}

/// How many calls routers allow each tenant, in the order of names.
async fn calls_max(admin: &Admin) -> Vec<Option<u16>> {
    let mut tenants: Vec<_> = records::of_kind(admin, Kind::Tenant)
        .await
        .into_iter()
        .map(|record| match record {
            Record::Tenant(_, record) => (record.business.name.clone(), record.calls_max),
            other => panic!("{other:?}"),
        })
        .collect();
    tenants.sort();
    tenants.into_iter().map(|(_, calls_max)| calls_max).collect()
}

#[tokio::test]
async fn a_plans_limits_hold_where_its_tenants_have_none_and_reach_the_routers() {
    let Some(admin) = Admin::start().await else { return };
    let chain = json!({"action": "voicemail", "say": "All lines are busy."});
    let plan = json!({"name": "basic", "calls_max": 2, "phone_numbers_max": 1, "spend_max": "5", "over_limit": chain});
    let plan = create(&admin, plan).await;
    assert_eq!((&plan["spend_max"], &plan["over_limit"]), (&json!("5.00"), &chain));
    let (first, second) = (tenant(&admin, "a", "basic").await, tenant(&admin, "b", "basic").await);
    let own = json!({"calls_max": 7, "spend_max": "9.00"});
    let second = admin.expect(OK, Method::PATCH, &format!("/tenants/{second}"), own).await;
    let limits = |calls: u32, spend: &str| json!({"calls_max": calls, "phone_numbers_max": 1, "agents_max": null, "spend_max": spend});
    assert_eq!(second["limits"], limits(7, "9.00"));
    let path = format!("/tenants/{first}");
    let key = admin.tenant_key_of(&first, "viewer").await;
    let (_, shown) = admin.send(&key, Method::GET, &format!("/api/v2{path}"), &Value::Null).await;
    assert_eq!(
        (&shown["limits"], &shown["plan"], &shown["calls_max"]),
        (&limits(2, "5.00"), &json!("basic"), &Value::Null)
    );
    assert_eq!(calls_max(&admin).await, [Some(2), Some(7)]);
    admin.expect(OK, Method::PATCH, "/plans/basic", json!({"calls_max": 3})).await;
    assert_eq!(calls_max(&admin).await, [Some(3), Some(7)]);
    // Numbers are counted against the plan's limit.
    let number = |number: &str| json!({"source": "manual", "phone_number": number});
    let numbers = format!("{path}/phone-numbers");
    admin.create(&numbers, number("+12125550001")).await;
    let refused = admin.expect(CONFLICT, Method::POST, &numbers, number("+12125550002")).await;
    assert_eq!(refused["code"], "phone_numbers_limit");
    admin.expect(OK, Method::PATCH, "/plans/basic", json!({"phone_numbers_max": null})).await;
    admin.create(&numbers, number("+12125550002")).await;
    // Another plan, and none.
    create(&admin, json!({"name": "pro", "calls_max": 50})).await;
    admin.expect(OK, Method::PATCH, &path, json!({"plan": "pro"})).await;
    assert_eq!(calls_max(&admin).await, [Some(50), Some(7)]);
    let in_use = admin.expect(CONFLICT, Method::DELETE, "/plans/pro", Value::Null).await;
    assert_eq!(in_use["code"], "plan_in_use");
    admin.expect(OK, Method::PATCH, &path, json!({"plan": null})).await;
    assert_eq!(calls_max(&admin).await, [None, Some(7)]);
    admin.expect(StatusCode::NO_CONTENT, Method::DELETE, "/plans/pro", Value::Null).await;
    // It is the operators' to say.
    let key = admin.tenant_key_of(&first, "admin").await;
    let (status, _) =
        admin.send(&key, Method::PATCH, &format!("/api/v2{path}"), &json!({"plan": "basic"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

/// More tenants than one transaction takes.
#[tokio::test]
async fn a_plans_change_reaches_all_its_tenants() {
    let Some(admin) = Admin::start().await else { return };
    create(&admin, json!({"name": "basic", "calls_max": 2})).await;
    for number in 0..130 {
        tenant(&admin, &format!("{number:03}"), "basic").await;
    }
    admin.expect(OK, Method::PATCH, "/plans/basic", json!({"calls_max": 5})).await;
    for _ in 0..200 {
        if admin.query::<i64>("SELECT count(*) FROM tenants_to_record").await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(calls_max(&admin).await, vec![Some(5); 130]);
}

#[tokio::test]
async fn plans_that_make_no_sense_are_refused() {
    let Some(admin) = Admin::start().await else { return };
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("Basic")),
        ("calls_max", json!(0)),
        ("phone_numbers_max", json!(1_000_001)),
        ("spend_max", json!("1.234")),
        ("colour", json!("red")),
    ] {
        let mut plan = json!({"name": "basic"});
        plan[field] = value;
        admin.refused(Method::POST, "/plans", plan, field).await;
    }
    let chain = json!({"name": "basic", "over_limit": {"action": "forward"}});
    admin.refused(Method::POST, "/plans", chain, "over_limit.to").await;
    let agent = json!({"action": "agent", "agent_id": uuid::Uuid::nil()});
    admin
        .refused(Method::POST, "/plans", json!({"name": "basic", "over_limit": agent}), "over_limit.agent_id")
        .await;
    create(&admin, json!({"name": "basic"})).await;
    let taken = admin.expect(CONFLICT, Method::POST, "/plans", json!({"name": "basic"})).await;
    assert_eq!(taken["code"], "plan_name_taken");
    admin.refused(Method::POST, "/tenants", json!({"name": "x", "plan": "gold"}), "plan").await;
    let tenant = tenant(&admin, "x", "basic").await;
    admin.refused(Method::PATCH, &format!("/tenants/{tenant}"), json!({"plan": "gold"}), "plan").await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, "/plans/gold", Value::Null).await;
    admin.expect(StatusCode::NOT_FOUND, Method::GET, "/plans/%00", Value::Null).await;
    let listed = admin.expect(OK, Method::GET, "/plans", Value::Null).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
