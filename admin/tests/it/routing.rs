//! Routing rules: what is taken comes back and reaches the routers, what is refused names the place.

use dialplane_common::feed::frame::Kind;
use dialplane_common::feed::record::Record;
use dialplane_common::route::Step;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Admin, OPERATOR};
use crate::records;

#[tokio::test]
async fn rules_are_kept_compiled_and_refused_by_place() {
    let Some(admin) = Admin::start().await else { return };
    let tenant = admin.create("/tenants", json!({"name": "Salon"})).await;
    let other = admin.create("/tenants", json!({"name": "Other"})).await;
    let target = json!({"type": "stream", "url": "wss://voice.example/agent"});
    let agent = json!({"name": "Front desk", "provider": "custom", "target": target});
    let [mine, theirs] = [
        admin.create(&format!("/tenants/{tenant}/agents"), agent.clone()).await,
        admin.create(&format!("/tenants/{other}/agents"), agent).await,
    ];
    let number = json!({"source": "manual", "phone_number": "+12125550001"});
    let number = admin.create(&format!("/tenants/{tenant}/phone-numbers"), number).await;
    let path = format!("/api/v2/tenants/{tenant}/phone-numbers/{number}/routing");

    let split = json!({"action": "agent", "split": [
        {"agent_id": mine, "weight": 90}, {"agent_id": mine, "weight": 10, "version": "2"}]});
    let reject = json!({"action": "reject"});
    let rules = json!({"rules": [
        {"when": {"caller": {"numbers": ["+12125550009", "+12125550003"], "countries": ["GB"]},
                  "not_caller": {"withheld": true}}, "then": reject},
        {"when": {"time": {"days": ["mon"], "from": "22:00", "to": "02:00",
                           "dates": {"from": "2026-12-24", "to": "2027-01-06"}}}, "then": reject},
        {"when": {"share": {"percent": 30, "key": "trial"}}, "then": split},
        {"when": {"over_limit": "any"}, "then": {"action": "reject", "reason": "busy"}},
        {"then": {"action": "agent"}}]});
    let (status, answer) = admin.send(OPERATOR, Method::PUT, &path, &rules).await;
    assert_eq!((status, &answer["own"]), (StatusCode::OK, &rules), "{answer}");
    let numbers = records::of_kind(&admin, Kind::Number).await;
    let [Record::Number(_, record)] = numbers.as_slice() else { panic!("{numbers:?}") };
    let compiled = record.rules.as_deref().unwrap();
    assert!(compiled[0].when.caller.as_ref().unwrap().numbers.is_sorted());
    assert!(matches!(&compiled[2].then[0], Step::Split { agents } if agents.len() == 2));

    // An agent that a share names isn't deleted.
    let agent = format!("/api/v2/tenants/{tenant}/agents/{mine}");
    let (status, answer) = admin.send(OPERATOR, Method::DELETE, &agent, &Value::Null).await;
    assert_eq!((status, &answer["code"]), (StatusCode::CONFLICT, &json!("agent_in_use")));

    let check = async |path: &str, rules: Value, field: &str, wanted: &str| {
        let (status, answer) = admin.send(OPERATOR, Method::PUT, path, &json!({"rules": rules})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let said = (&answer["field"], &answer["detail"]);
        assert_eq!(said, (&json!(field), &json!(format!("{field}: {wanted}"))));
    };
    let foreign = json!([{"then": {"action": "agent", "split": [
        {"agent_id": mine, "weight": 50}, {"agent_id": theirs, "weight": 50}]}}]);
    check(&path, foreign, "rules[0].then.split[1].agent_id", "wanted an agent of this tenant").await;
    let twice = json!([{"when": {"open": true}, "then": reject}, {"when": {"open": true}, "then": reject}]);
    let same = "can never match: rules[0] has the same condition";
    let defaults = format!("/api/v2/tenants/{tenant}/defaults/routing");
    for path in [path.as_str(), defaults.as_str(), "/api/v2/defaults/routing"] {
        check(path, twice.clone(), "rules[1]", same).await;
    }
    let named = "wanted absent: the platform's rules take the number's own agent";
    let place = "rules[0].then.split[0].agent_id";
    check("/api/v2/defaults/routing", json!([{"then": split}]), place, named).await;
}
