//! Where a number has no rules its tenant's hold, then the platform's, then its agent answers.

use serde_json::{Value, json};

use super::{heard, ring, say};
use crate::call::agent;
use crate::installation::Installation;

#[test]
fn the_numbers_rules_hold_then_the_tenants_then_the_platforms() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let number = format!("{}/routing", salon.phone_path());
    let tenant = format!("/tenants/{}/defaults/routing", salon.tenant);
    let set = |path: &str, text: &str| {
        system.apply("PUT", path, &json!({"rules": [{ "then": say(text) }]}));
    };
    let check = |expected: &str| assert_eq!(heard(&ring(&salon, &system.router, &[])), expected);
    let unset = |path: &str| system.apply("DELETE", path, &Value::Null);

    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
    set("/defaults/routing", "the platform's");
    check("the platform's");
    set(&number, "the number's");
    check("the number's");
    set(&tenant, "the tenant's");
    check("the number's");
    unset(&number);
    check("the tenant's");
    assert_eq!(heard(&ring(&other, &system.router, &[])), "the platform's");
    unset(&tenant);
    check("the platform's");
    unset("/defaults/routing");
    assert_eq!(salon.ring(system.router.address).body, agent(&salon));
}

#[test]
fn a_list_of_rules_replaces_the_one_behind_it() {
    let system = Installation::start();
    let salon = system.salon(1);
    let defaults = format!("/tenants/{}/defaults/routing", salon.tenant);
    system.apply("PUT", &defaults, &json!({"rules": [{ "then": say("the tenant's") }]}));
    system.route(&salon, &json!([{"when": {"caller": {"withheld": true}}, "then": say("the number's")}]));
    assert_eq!(heard(&ring(&salon, &system.router, &[("From", "anonymous")])), "the number's");
    let answer = ring(&salon, &system.router, &[]);
    assert_eq!(crate::call::ending(&answer), (200, "no_route"), "the tenant's list isn't asked any more");
}

#[test]
fn hours_are_merged_field_by_field() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.route(&salon, &json!([{"when": {"open": true}, "then": say("open")}, {"then": say("closed")}]));
    let check = |expected: &str| assert_eq!(heard(&ring(&salon, &system.router, &[])), expected);
    let defaults = format!("/tenants/{}/defaults/hours", salon.tenant);
    check("open");
    system.apply("PUT", "/defaults/hours", &json!({"override": {"open": false}}));
    check("closed");
    system.apply("PUT", &defaults, &json!({"override": {"open": true}}));
    check("open");
    system.apply("PUT", &format!("{}/settings/hours", salon.phone_path()), &json!({"weekly": {}}));
    check("open");
    system.apply("DELETE", &defaults, &Value::Null);
    check("closed");
}
