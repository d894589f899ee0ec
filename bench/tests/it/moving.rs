//! Tenants that are stopped, numbers that come and go, agents that are shared: what callers get meanwhile.

use dialplane_bench::operator::Salon;
use serde_json::{Value, json};

use crate::call::{REJECT, REJECT_BUSY, agent, ending, twiml};
use crate::installation::{Installation, router};

/// Calls the salon's number and gives how it ended and what was answered.
fn call(system: &Installation, salon: &Salon) -> (String, String) {
    let answer = salon.ring(system.router.address);
    let (status, outcome) = ending(&answer);
    assert_eq!(status, 200, "{answer:?}");
    (outcome.to_owned(), answer.body)
}

#[test]
fn every_call_of_a_suspended_tenants_numbers_is_busy_until_it_is_resumed() {
    let mut system = Installation::start();
    let salon = system.salon(1);
    let path = format!("/tenants/{}", salon.tenant);
    let second = json!({"source": "manual", "phone_number": "+12125550002", "account_id": salon.account,
        "agent_id": salon.agent});
    let second = system.apply("POST", &format!("{path}/phone-numbers"), &second);
    let second = Salon {
        phone: second["id"].as_str().expect("an id").to_owned(),
        number: "+12125550002".into(),
        ..salon.clone()
    };
    let bystander = system.salon(3);
    // A router that comes later sees the same.
    for round in 0..2 {
        system.apply("POST", &format!("{path}/suspend"), &Value::Null);
        for salon in [&salon, &second] {
            assert_eq!(call(&system, salon), ("suspended_tenant".into(), twiml(REJECT_BUSY)), "{round}");
        }
        assert_eq!(call(&system, &bystander), ("answered".into(), agent(&bystander)));
        if round == 0 {
            system.router = router(&system.operator, &system.redis, &[("ROUTER_ID", "later")]);
            assert_eq!(call(&system, &salon).0, "suspended_tenant");
        }
        system.apply("POST", &format!("{path}/resume"), &Value::Null);
        for salon in [&salon, &second] {
            assert_eq!(call(&system, salon), ("answered".into(), agent(salon)), "{round}");
        }
    }
}

#[test]
fn a_number_of_the_pool_is_nobodys_and_comes_back_as_it_was() {
    let system = Installation::start();
    let salon = system.salon(1);
    let path = salon.phone_path();
    system.route(&salon, &json!([{"then": {"action": "message", "say": "Broadway."}}]));
    let before = call(&system, &salon);
    assert!(before.1.contains("Broadway."), "{before:?}");
    system.apply("POST", &format!("{path}/unassign"), &Value::Null);
    assert_eq!(call(&system, &salon), ("unknown_number".into(), twiml(REJECT)));
    // With somebody else it isn't the salon's account's to speak of, and says nothing of the salon's.
    let other = system.salon(2);
    let there = format!("/tenants/{}/phone-numbers/{}", other.tenant, salon.phone);
    let got = system.apply("POST", &format!("{there}/assign"), &Value::Null);
    assert_eq!(got["display_name"], json!(salon.number));
    assert_eq!(call(&system, &salon).0, "unknown_number");
    system.apply(
        "PATCH",
        &there,
        &json!({"account_id": other.account, "agent_id": other.agent, "display_name": "Harlem"}),
    );
    let theirs = Salon { phone: salon.phone.clone(), number: salon.number.clone(), ..other };
    assert_eq!(call(&system, &theirs), ("answered".into(), agent(&theirs)));
    system.apply("POST", &format!("{there}/unassign"), &Value::Null);
    system.apply("POST", &format!("{path}/assign"), &Value::Null);
    assert_eq!(call(&system, &salon), before);
    assert_eq!(call(&system, &theirs).0, "unknown_number");
}

#[test]
fn a_deleted_tenants_calls_end_at_once() {
    let system = Installation::start();
    let salon = system.salon(1);
    let path = format!("/tenants/{}?numbers=pool&wait=applied&timeout_ms=30000", salon.tenant);
    let gone = system.operator.send("DELETE", &path, &Value::Null);
    assert_eq!((gone.status, gone.header("dialplane-applied")), (204, Some("true")), "{gone:?}");
    // The account that the call claims to come from is gone with it.
    assert_eq!(salon.ring(system.router.address).status, 404);
    let pool = system.operator.ok("GET", "/pool", &Value::Null);
    assert_eq!(pool["items"][0]["phone_number"], json!(salon.number));
}

#[test]
fn a_shared_agent_answers_for_whom_it_is_granted_to() {
    let system = Installation::start();
    let salon = system.salon(1);
    let target = json!({"type": "stream", "url": "wss://everybody.example/agent"});
    let shared = json!({"name": "Everybody's", "provider": "custom", "target": target, "greeting": "Hello."});
    let shared = system.apply("POST", "/agents", &shared)["id"].as_str().expect("an id").to_owned();
    let grant = format!("/agents/{shared}/grants/{}", salon.tenant);
    let granted = system.operator.send("PUT", &grant, &Value::Null);
    assert_eq!(granted.status, 204, "{granted:?}");
    system.apply("PATCH", &salon.phone_path(), &json!({"agent_id": shared}));
    assert!(call(&system, &salon).1.contains("wss://everybody.example/agent"));
    system.apply("PATCH", &format!("/agents/{shared}"), &json!({"greeting": "Good day."}));
    let explained =
        system.operator.ok("GET", &format!("/explain?to=%2B{}", &salon.number[1..]), &Value::Null);
    assert_eq!(explained["steps"][0]["agent"]["version"], 2, "{explained}");
    // A rule may name it as well.
    system.apply("PATCH", &salon.phone_path(), &json!({"agent_id": salon.agent}));
    assert_eq!(call(&system, &salon), ("answered".into(), agent(&salon)));
    system.route(&salon, &json!([{"then": {"action": "agent", "agent_id": shared}}]));
    assert!(call(&system, &salon).1.contains("wss://everybody.example/agent"));
}
