//! Why a call goes where it goes: the router, the platform and the tenant tell the same.

use dialplane_bench::operator::{Operator, Salon};
use serde_json::{Value, json};

use crate::installation::Installation;
use crate::ops;

struct Explainers {
    system: Installation,
    salon: Salon,
    other: Salon,
    /// The salon's own key.
    own: Operator,
}

impl Explainers {
    fn start() -> Self {
        let system = Installation::start();
        let (salon, other) = (system.salon(1), system.salon(2));
        let key =
            system.key(&format!("/tenants/{}", salon.tenant), &json!({"name": "reader", "role": "viewer"}));
        let own = Operator::with_key(system.admin.address, &key);
        Self { system, salon, other, own }
    }

    fn router(&self, query: &str) -> Value {
        let answer = ops::get(self.system.router.ops, &format!("/debug/explain?{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    fn tenant(&self, query: &str) -> Value {
        self.own.ok("GET", &format!("/tenants/{}/explain?{query}", self.salon.tenant), &Value::Null)
    }

    /// What all of them say; the router tells the feed's life besides.
    fn agreed(&self, query: &str) -> Value {
        let mut router = self.router(query);
        assert!(router["epoch"].is_string(), "{router}");
        router.as_object_mut().expect("an object").remove("epoch");
        let platform = self.system.operator.ok("GET", &format!("/explain?{query}"), &Value::Null);
        assert_eq!(platform, router, "{query}");
        assert_eq!(self.tenant(query), router, "{query}");
        router
    }
}

fn query(number: &str, more: &str) -> String {
    format!("to={}&at=2026-11-23T15:00:00Z{more}", number.replace('+', "%2B"))
}

#[test]
fn router_platform_and_tenant_agree() {
    let all = Explainers::start();
    let (system, salon) = (&all.system, &all.salon);
    let check = |more: &str, outcome: &str, rule: Value| {
        let said = all.agreed(&query(&salon.number, more));
        assert_eq!((&said["outcome"], &said["rule"]), (&json!(outcome), &rule), "{more}: {said}");
        said
    };
    let built_in = check("", "answered", json!({"scope": "builtin", "index": null}));
    assert_eq!(built_in["steps"][0]["agent"]["id"], salon.agent.as_str(), "{built_in}");
    let split = json!([{"agent_id": salon.agent, "weight": 60}, {"agent_id": salon.agent, "version": "2", "weight": 40}]);
    system.apply(
        "PUT",
        &format!("{}/settings/hours", salon.phone_path()),
        &json!({"weekly": {"mon": [["09:00", "12:00"]]}}),
    );
    system.route(
        salon,
        &json!([
            {"when": {"caller": {"withheld": true}}, "then": {"action": "reject"}},
            {"when": {"open": false}, "then": {"action": "message", "say": "Closed."}},
            {"when": {"share": {"percent": 50}}, "then": {"action": "forward", "to": "+12025550147"}},
            {"then": {"action": "agent", "split": split, "else": {"action": "voicemail"}}},
        ]),
    );
    let number = |index: u32| json!({"scope": "number", "index": index});
    check("", "answered", number(0));
    for from in ["&from=%2B15105550198", "&from=+15105550198", "&from=client:jane"] {
        let drawn = |call: u32| all.agreed(&query(&salon.number, &format!("{from}&call_id=CA{call}")));
        let rules: Vec<_> = (0..20).map(|call| drawn(call)["rule"]["index"].clone()).collect();
        assert!(rules.contains(&json!(2)) && rules.contains(&json!(3)), "{rules:?}");
    }
    let at_night = query(&salon.number, "&from=%2B15105550198").replace("T15", "T23");
    let closed = all.agreed(&at_night);
    assert_eq!((&closed["rule"], &closed["open"]["open"]), (&number(1), &json!(false)), "{closed}");
    assert_eq!(closed["rules_before"][0]["why_not"], "caller: the caller is none of these");
    system.apply("PATCH", &salon.phone_path(), &json!({"status": "inactive"}));
    check("", "inactive_number", Value::Null);
    system.apply("PATCH", &format!("/tenants/{}", salon.tenant), &json!({"status": "suspended"}));
    assert_eq!(all.router(&query(&salon.number, ""))["outcome"], "suspended_tenant");
}

#[test]
fn another_tenants_number_is_one_that_nobody_has() {
    let all = Explainers::start();
    let said = all.tenant(&query(&all.other.number, ""));
    assert_eq!(
        (&said["outcome"], &said["phone_number"], &said["tenant"]),
        (&json!("unknown_number"), &Value::Null, &Value::Null)
    );
    assert_eq!(said["why"], "nobody has this number");
    let nobodys = all.agreed(&query("+12125559999", ""));
    let as_nobodys = |mut said: Value| {
        said["to"] = Value::Null;
        said
    };
    assert_eq!(as_nobodys(said), as_nobodys(nobodys));
    assert_eq!(all.router(&query(&all.other.number, ""))["tenant"]["id"], all.other.tenant.as_str());
    let path = |tenant: &str| format!("/tenants/{tenant}/explain?{}", query(&all.other.number, ""));
    assert_eq!(all.own.send("GET", &path(&all.other.tenant), &Value::Null).status, 404);
    let platforms = format!("/explain?{}", query(&all.salon.number, ""));
    assert_eq!(all.own.send("GET", &platforms, &Value::Null).status, 403);
}

#[test]
fn a_range_is_explained_as_it_is_routed() {
    let all = Explainers::start();
    let numbers = format!("/tenants/{}/phone-numbers", all.salon.tenant);
    for prefix in ["+493090", "+49309018"] {
        let body = json!({"source": "manual", "prefix": prefix, "account_id": all.salon.account, "display_name": prefix});
        all.system.apply("POST", &numbers, &body);
    }
    for (number, name) in [("+493090182000", "+49309018"), ("+493090192000", "+493090")] {
        assert_eq!(all.agreed(&query(number, ""))["phone_number"]["display_name"], name);
    }
    assert_eq!(all.agreed(&query("+493091192000", ""))["outcome"], "unknown_number");
}

#[test]
fn a_question_that_is_none_is_refused() {
    let all = Explainers::start();
    for wrong in ["", "to=%2B12125550001&at=yesterday"] {
        let router = ops::get(all.system.router.ops, &format!("/debug/explain?{wrong}"));
        let admin = all.system.operator.send("GET", &format!("/explain?{wrong}"), &Value::Null);
        let statuses = (router.status, admin.status);
        assert!(matches!(statuses, (400..=422, 400..=422)), "{wrong}: {statuses:?}");
    }
}
