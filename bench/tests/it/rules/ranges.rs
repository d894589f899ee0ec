//! Ranges of numbers: which one a call belongs to, and whose they may be.

use dialplane_bench::operator::{Operator, Salon};
use serde_json::{Value, json};

use super::{heard, ring, say};
use crate::call::ending;
use crate::installation::Installation;

fn range(salon: &Salon, prefix: &str) -> Value {
    json!({"source": "manual", "prefix": prefix, "account_id": salon.account})
}

#[test]
fn an_exact_number_goes_before_ranges_and_a_longer_range_before_a_shorter() {
    let system = Installation::start();
    let salon = system.salon(1);
    let numbers = format!("/tenants/{}/phone-numbers", salon.tenant);
    let create = |body: Value, text: &str| {
        let id = system.apply("POST", &numbers, &body)["id"].as_str().expect("an id").to_owned();
        let path = format!("{numbers}/{id}");
        system.apply("PUT", &format!("{path}/routing"), &json!({"rules": [{ "then": say(text) }]}));
        path
    };
    let exact = json!({"source": "manual", "phone_number": "+493090182000", "account_id": salon.account});
    create(range(&salon, "+493090"), "short");
    let long = create(range(&salon, "+49309018"), "long");
    let exact = create(exact, "exact");
    let to = |number: &str| ring(&salon, &system.router, &[("To", number)]);
    let check = |number: &str, expected: &str| assert_eq!(heard(&to(number)), expected, "{number}");
    check("+493090182000", "exact");
    check("+493090182001", "long");
    check("+4930901820001", "long");
    check("+493090192000", "short");
    assert_eq!(ending(&to("+493091182000")), (200, "unknown_number"));
    system.apply("DELETE", &exact, &Value::Null);
    check("+493090182000", "long");
    system.apply("DELETE", &long, &Value::Null);
    check("+493090182000", "short");
}

#[test]
fn nobody_gets_a_number_in_another_tenants_range_or_a_range_around_its_number() {
    let system = Installation::start();
    let (salon, other) = (system.salon(1), system.salon(2));
    let numbers = |salon: &Salon| format!("/tenants/{}/phone-numbers", salon.tenant);
    let key = system.operator.ok(
        "POST",
        &format!("/tenants/{}/api-keys", other.tenant),
        &json!({"name": "own", "role": "admin"}),
    );
    let tenant =
        Operator::with_key(system.admin.address, key["key"].as_str().expect("the key is shown once"));
    system.apply("POST", &numbers(&salon), &range(&salon, "+49309018"));
    for operator in [&system.operator, &tenant] {
        let refused = |body: Value, code: &str| {
            let answer = operator.send("POST", &numbers(&other), &body);
            let problem: Value = serde_json::from_str(&answer.body).expect("a problem");
            let field = if body["prefix"].is_null() { "phone_number" } else { "prefix" };
            let said = (answer.status, problem["code"].as_str(), problem["field"].as_str());
            assert_eq!(said, (409, Some(code), Some(field)), "{body}: {problem}");
            assert!(!answer.body.contains(&salon.tenant), "whose it is isn't told: {problem}");
        };
        let number =
            |number: &str| json!({"source": "manual", "phone_number": number, "account_id": other.account});
        refused(number("+493090182000"), "phone_number_overlaps");
        refused(range(&other, "+493090182"), "phone_number_overlaps");
        refused(range(&other, "+4930901"), "phone_number_overlaps");
        refused(range(&other, "+49309018"), "phone_number_taken");
        refused(range(&other, &salon.number[..8]), "phone_number_overlaps");
    }
    // One's own lie inside each other.
    system.apply("POST", &numbers(&salon), &range(&salon, "+493090182"));
}
