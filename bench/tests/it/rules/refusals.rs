//! Rules and hours that are refused when they are saved, with the place named.

use serde_json::{Value, json};

use super::say;
use crate::installation::Installation;

#[test]
fn what_is_wrong_in_rules_is_named_with_its_place() {
    let system = Installation::start();
    let salon = system.salon(1);
    let hours = format!("{}/settings/hours", salon.phone_path());
    let routings =
        [format!("{}/routing", salon.phone_path()), format!("/tenants/{}/defaults/routing", salon.tenant)];
    let refused = |path: &str, body: &Value, field: &str, detail: &str| {
        let answer = system.operator.send("PUT", path, body);
        let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
        let said = (answer.status, problem["code"].as_str(), problem["field"].as_str());
        assert_eq!(said, (422, Some("invalid_field"), Some(field)), "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "{body}: {problem}");
    };
    let rules = |rules: Value, field: &str, detail: &str| {
        for path in &routings {
            refused(path, &json!({ "rules": rules }), field, detail);
        }
    };
    let when = |conditions: &[Value]| -> Value {
        conditions.iter().map(|when| json!({"when": when, "then": say("x")})).collect()
    };
    // Never reached.
    let taken = "can never match: rules[0] has no condition and takes every call";
    rules(json!([{"then": say("x")}, {"when": {"open": true}, "then": say("y")}]), "rules[1]", taken);
    let open = |value: bool| json!({ "open": value });
    rules(when(&[open(true), open(false), json!({"holiday": true})]), "rules[2]", "rules[0] and rules[1]");
    rules(
        when(&[json!({"caller": {"prefixes": ["+1"]}}), json!({"caller": {"numbers": ["+15105550111"]}})]),
        "rules[1]",
        "rules[0] holds whenever this one does",
    );
    let withheld = json!({"withheld": true});
    let contradiction = json!({"caller": withheld, "not_caller": withheld});
    rules(when(&[contradiction]), "rules[0].when.not_caller", "can never match");
    let dates = json!({"from": "2026-12-26", "to": "2026-12-24"});
    rules(when(&[json!({"time": {"dates": dates}})]), "rules[0].when.time.dates", "can never match");
    let day = json!({"days": ["mon"], "dates": {"from": "2026-12-24", "to": "2026-12-25"}});
    rules(when(&[json!({ "time": day })]), "rules[0].when.time.days", "can never match");
    // Of one meaning.
    let same = "can never match: rules[0] has the same condition";
    rules(when(&[open(false), json!({"holiday": true}), open(false)]), "rules[2]", same);
    let countries = |list: [&str; 2]| json!({"caller": {"countries": list}});
    rules(when(&[countries(["US", "CA"]), countries(["CA", "US"])]), "rules[1]", same);
    // Unknown countries.
    for code in ["ZZ", "UK", "usa", ""] {
        let caller = json!({"caller": {"countries": ["US", code]}});
        rules(when(&[caller]), "rules[0].when.caller.countries[1]", "country");
    }
    // Weights and shares.
    let share = |percent: u32| json!({"share": {"percent": percent}});
    rules(when(&[share(0)]), "rules[0].when.share.percent", "wanted 1 to 99");
    rules(when(&[share(60), share(41)]), "rules[1].when.share.percent", "have 60 of 100");
    let agents = format!("/tenants/{}/agents", salon.tenant);
    let target = json!({"type": "sip", "uri": "sip:desk@voice.example"});
    let second =
        system.operator.create(&agents, &json!({"name": "B", "provider": "custom", "target": target}));
    let split = |one: u32, two: u32| {
        json!([{"then": {"action": "agent", "split": [{"agent_id": salon.agent, "weight": one},
                                                     {"agent_id": second, "weight": two}]}}])
    };
    rules(split(50, 49), "rules[0].then.split", "add up to 100, not 99");
    rules(split(99, 2), "rules[0].then.split", "add up to 100, not 101");
    rules(split(0, 99), "rules[0].then.split[0].weight", "wanted 1 to 99");
    // Hours.
    let weekly = |day: Value| json!({"weekly": {"mon": day}});
    refused(&hours, &weekly(json!([["09:00", "12:00"], ["11:59", "17:00"]])), "weekly.mon[1]", "");
    refused(&hours, &weekly(json!([["09:00", "09:00"]])), "weekly.mon[0]", "");
    refused(&hours, &weekly(json!([["09:00", "25:00"]])), "weekly.mon[0][1]", "");
    let night = json!({"weekly": {"mon": [["22:00", "02:00"]], "tue": [["01:00", "03:00"]]}});
    refused(&hours, &night, "weekly.tue[0]", "");
}

#[test]
fn an_unknown_zone_is_refused() {
    let system = Installation::start();
    let salon = system.salon(1);
    for zone in ["Mars/Olympus", "New York", "EST5EDT4", "", "../etc/passwd"] {
        for path in [salon.phone_path(), format!("/tenants/{}", salon.tenant)] {
            let answer = system.operator.send("PATCH", &path, &json!({ "timezone": zone }));
            let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
            assert_eq!(
                (answer.status, problem["field"].as_str()),
                (422, Some("timezone")),
                "{zone}: {problem}"
            );
        }
    }
}

#[test]
fn an_agent_of_another_tenant_is_nobodys() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let routing = format!("{}/routing", salon.phone_path());
    let check = |then: Value, field: &str| {
        let answer = system.operator.send("PUT", &routing, &json!({"rules": [{ "then": then }]}));
        let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
        assert_eq!((answer.status, problem["field"].as_str()), (422, Some(field)), "{then}: {problem}");
    };
    check(json!({"action": "agent", "agent_id": other.agent}), "rules[0].then.agent_id");
    let split = json!([{"agent_id": salon.agent, "weight": 50}, {"agent_id": other.agent, "weight": 50}]);
    check(json!({"action": "agent", "split": split}), "rules[0].then.split[1].agent_id");
}
