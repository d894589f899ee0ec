//! Tools that the location alone answers.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::{Caller, spoken};
use crate::agents::retell;

/// A salon that is open from nine to five every day, with services and staff.
fn salon() -> Caller {
    let caller = Caller::start(&[]);
    let (system, salon) = (&caller.system, &caller.salon);
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let weekly: serde_json::Map<_, _> =
        days.iter().map(|day| ((*day).to_owned(), json!([["09:00", "17:00"]]))).collect();
    system.apply("PUT", &format!("{}/settings/hours", salon.phone_path()), &json!({ "weekly": weekly }));
    let services =
        json!([{"name": "Manicure", "duration_minutes": 45, "price": "30 USD"}, {"name": "Pedicure"}]);
    system.apply(
        "PUT",
        &format!("/tenants/{}/defaults/services", salon.tenant),
        &json!({ "services": services }),
    );
    let staff = json!([{"name": "Anna Meyer", "role": "stylist", "services": ["Manicure"]}, {"name": "Ben"}]);
    system.apply("PUT", &format!("/tenants/{}/defaults/staff", salon.tenant), &json!({ "staff": staff }));
    system.apply("PATCH", &salon.phone_path(), &json!({"address": "12 Broadway, New York"}));
    caller
}

fn holds(said: &Result<String, String>, words: &[&str]) {
    let text = said.as_ref().expect("a result");
    for word in words {
        assert!(text.contains(word), "wanted {word}: {text}");
    }
}

#[test]
fn each_built_in_tool_answers_from_the_location() {
    let caller = salon();
    let ask = |name: &str, arguments: Value| caller.ask(name, &arguments);
    let date = Timestamp::now().to_zoned(TimeZone::get("America/New_York").expect("a zone")).date();
    let ahead = date.saturating_add(3.days());
    let weekday = ahead.strftime("%A").to_string();
    holds(
        &ask("checkAvailability", json!({"date": ahead.to_string()})),
        &[&weekday, "09:00", "17:00", "Anna Meyer", "Ben"],
    );
    let by_weekday =
        ask("checkAvailability", json!({"date": weekday, "service": "manicure", "time": "10:00"}));
    holds(&by_weekday, &["Available", &weekday, "10:00", "Anna Meyer", "Manicure"]);
    holds(&ask("check_availability", json!({"date": weekday, "time": "20:00"})), &["Not available"]);
    let pedicure = ask("checkAvailability", json!({"date": weekday, "service": "Pedicure", "staff": "Anna"}));
    holds(&pedicure, &["Anna Meyer does not give Pedicure."]);
    holds(&ask("get_hours", json!({"date": weekday})), &["09:00", "17:00"]);
    holds(&ask("getServices", json!({})), &["Manicure", "45 minutes", "30 USD", "Pedicure"]);
    holds(&ask("getStaff", json!({})), &["Anna Meyer", "stylist", "Ben"]);
    holds(&ask("staff_on_duty", json!({"date": weekday, "time": "12:00"})), &["Anna Meyer", "Ben"]);
    holds(&ask("getTenantInfo", json!({})), &["Sparkle Nails", "12 Broadway, New York"]);
    assert!(ask("checkAvailability", json!({"date": "the day of days"})).is_err());
}

#[test]
fn whether_it_is_open_changes_with_the_setting() {
    let caller = salon();
    let hours = format!("{}/settings/hours", caller.salon.phone_path());
    for (open, word) in [(true, "open"), (false, "closed")] {
        caller.system.apply("PUT", &hours, &json!({"override": {"open": open}}));
        let said = caller.ask("openNow", &json!({})).expect("a result").to_lowercase();
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn two_at_once_are_answered_in_their_order_however_arguments_are_written() {
    let caller = salon();
    let calls = [
        ("call_b", "getServices", json!({"service": "Manicure"})),
        ("call_a", "getServices", json!(r#"{"service": "Manicure"}"#)),
        ("call_c", "getServices", json!({"service": "Pedicure"})),
    ];
    let results = caller.vapi.tools(caller.router(), &calls);
    let ids: Vec<_> =
        results.iter().map(|result| result["toolCallId"].as_str().unwrap_or_default()).collect();
    assert_eq!(ids, ["call_b", "call_a", "call_c"]);
    let said: Vec<_> = results.iter().map(spoken).collect();
    assert_eq!(said[0], said[1]);
    holds(&said[0], &["Manicure"]);
    holds(&said[2], &["Pedicure"]);
}

#[test]
fn a_tool_that_nobody_has_is_an_error_that_can_be_spoken() {
    let caller = salon();
    assert!(caller.ask("bookTable", &json!({})).is_err());
}

#[test]
fn retells_functions_are_the_same_tools() {
    let caller = salon();
    let (system, salon) = (&caller.system, &caller.salon);
    let key = "key_of_a_function_test";
    let account = system.operator.create(
        &format!("/tenants/{}/accounts", salon.tenant),
        &json!({"provider": "retell", "label": "retell", "credentials": {"api_key": key}}),
    );
    system.apply("PATCH", &salon.phone_path(), &json!({"bindings": [{"account_id": account}]}));
    let call = json!({"call_id": "call_1", "direction": "inbound", "from_number": "+15105550198", "to_number": salon.number});
    let body = json!({"name": "get_services", "args": {"service": "Manicure"}, "call": call});
    let target = format!("/webhooks/retell/functions/{account}");
    let said = crate::agents::retell_answer(&system.router, key, &target, &body);
    assert!(said.status == 200 && said.body.contains("45 minutes"), "{said:?}");
    let inbound = retell(
        &system.router,
        key,
        &format!("/webhooks/retell/inbound/{account}"),
        &json!({"event": "call_inbound", "event_timestamp": 1_795_200_000_000_u64,
                "call_inbound": {"from_number": "+15105550198", "to_number": salon.number}}),
    );
    assert_eq!(inbound["call_inbound"]["reject"], true, "its agent isn't Retell's");
}
