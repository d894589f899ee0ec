//! Calls that are divided: by shares, and between agents.

use std::collections::BTreeMap;

use dialplane_bench::system::Router;
use serde_json::{Value, json};

use super::{call_sid, heard, ring, say};
use crate::installation::Installation;

const CALLS: u32 = 200;

/// How many calls got each answer.
fn tally(answers: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn shares_add_up_and_a_call_keeps_its_own_at_every_router() {
    let system = Installation::start();
    let salon = system.salon(1);
    let another = system.router(&[]);
    let share = |percent: u32, key: &str, text: &str| json!({"when": {"share": {"percent": percent, "key": key}}, "then": say(text)});
    let divide = |key: &str| {
        let rules =
            [share(30, key, "a"), share(50, key, "b"), share(20, key, "c"), json!({"then": say("nobody's")})];
        system.route(&salon, &json!(rules));
    };
    let answers = |router: &Router| -> Vec<String> {
        let one = |call| heard(&ring(&salon, router, &[("CallSid", &call_sid(call))])).to_owned();
        (0..CALLS).map(one).collect()
    };
    divide("");
    let first = answers(&system.router);
    let counts = tally(&first);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["a", "b", "c"], "every call is of one share");
    for (answer, percent) in [("a", 30), ("b", 50), ("c", 20)] {
        let wanted = percent * CALLS as usize / 100;
        assert!(counts[answer].abs_diff(wanted) <= 25, "{answer}: {counts:?}");
    }
    assert_eq!(answers(&another), first);
    divide("another test");
    assert_ne!(answers(&system.router), first, "each key divides anew");
}

#[test]
fn a_call_keeps_its_agent_and_version_at_every_router() {
    let system = Installation::start();
    let salon = system.salon(1);
    let another = system.router(&[]);
    let agents = format!("/tenants/{}/agents", salon.tenant);
    let hosted = |name: &str, version: Value| {
        let target = json!({"type": "hosted", "id": name, "version": version});
        system.operator.create(&agents, &json!({"name": name, "provider": "retell", "target": target}))
    };
    let (one, two) = (hosted("agent_one", json!("3")), hosted("agent_two", Value::Null));
    let credentials = json!({"api_key": "key_of_a_split_test"});
    let account = system.operator.create(
        &format!("/tenants/{}/accounts", salon.tenant),
        &json!({"provider": "retell", "label": "retell", "credentials": credentials}),
    );
    system.apply("PATCH", &salon.phone_path(), &json!({"bindings": [{"account_id": account}]}));
    let split =
        |shares: Value| system.route(&salon, &json!([{"then": {"action": "agent", "split": shares}}]));
    let answers = |router: &Router| -> Vec<String> {
        let one = |call| {
            let answer = crate::agents::retell_inbound(
                &salon.number,
                &call_sid(call),
                "key_of_a_split_test",
                router,
                &account,
            );
            let call = &answer["call_inbound"];
            format!("{} {}", call["override_agent_id"], call["override_agent_version"])
        };
        (0..CALLS / 2).map(one).collect()
    };
    split(
        json!([{"agent_id": one, "weight": 50}, {"agent_id": one, "version": "7", "weight": 20}, {"agent_id": two, "weight": 30}]),
    );
    let first = answers(&system.router);
    let counts = tally(&first);
    let wanted = ["\"agent_one\" 3", "\"agent_one\" 7", "\"agent_two\" null"];
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), wanted);
    assert_eq!(answers(&another), first);
    // Written in another order they are the same shares.
    split(
        json!([{"agent_id": two, "weight": 30}, {"agent_id": one, "weight": 50}, {"agent_id": one, "version": "7", "weight": 20}]),
    );
    assert_eq!(answers(&system.router), first);
}
