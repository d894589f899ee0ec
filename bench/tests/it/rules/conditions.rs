//! Each condition, and rules in their order.

use dialplane_bench::http::Response;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::{heard, ring, say};
use crate::installation::Installation;
use crate::ops;

/// Yesterday to the day after tomorrow in New York, so that it is one of these however long the test takes.
fn these_days(holiday: impl Fn(String) -> Value) -> Vec<Value> {
    let zone = TimeZone::get("America/New_York").expect("a zone");
    let today = Timestamp::now().to_zoned(zone).date();
    (-1..=2).map(|days| holiday(today.saturating_add(days.days()).to_string())).collect()
}

#[test]
fn the_location_is_open_or_closed_and_has_holidays() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.route(
        &salon,
        &json!([
            {"when": {"open": false, "holiday": true}, "then": say("closed for the holiday")},
            {"when": {"open": false}, "then": say("closed")},
            {"when": {"holiday": true}, "then": say("open on a holiday")},
            {"then": say("open")},
        ]),
    );
    let check = |hours: Value, expected: &str| {
        system.apply("PUT", &format!("{}/settings/hours", salon.phone_path()), &hours);
        assert_eq!(heard(&ring(&salon, &system.router, &[])), expected, "{hours}");
    };
    let closed = || these_days(|date| json!({"date": date, "closed": true}));
    let special = || these_days(|date| json!({"date": date, "intervals": [["00:00", "24:00"]]}));
    check(json!({}), "open");
    check(json!({"override": {"open": false}}), "closed");
    check(json!({"override": {"open": true}}), "open");
    check(json!({"override": {"open": false, "until": "2099-01-01T00:00:00Z"}}), "closed");
    check(json!({"holidays": closed()}), "closed for the holiday");
    check(json!({"holidays": special()}), "open on a holiday");
    check(json!({"holidays": closed(), "override": {"open": true}}), "open on a holiday");
    check(json!({"holidays": special(), "override": {"open": false}}), "closed for the holiday");
    system.apply("DELETE", &format!("{}/settings/hours", salon.phone_path()), &Value::Null);
    assert_eq!(heard(&ring(&salon, &system.router, &[])), "open", "without hours it is always open");
}

#[test]
fn callers_are_told_apart_by_country_and_by_what_they_are_not() {
    let system = Installation::start();
    let salon = system.salon(1);
    system.route(
        &salon,
        &json!([
            {"when": {"caller": {"countries": ["GB"]}}, "then": say("Britain")},
            {"when": {"not_caller": {"countries": ["US"], "withheld": true}}, "then": say("elsewhere")},
            {"when": {"caller": {"numbers": ["+15105550111"], "prefixes": ["+1212"], "withheld": true}},
             "then": say("listed")},
            {"then": say("America")},
        ]),
    );
    for (from, expected) in [
        ("+442071838750", "Britain"),
        // Jersey has the calling code of Britain, and a country code of its own.
        ("+441534440000", "elsewhere"),
        ("+4930901820", "elsewhere"),
        // Canada shares the calling code of the United States.
        ("+14165550123", "elsewhere"),
        ("client:jane", "elsewhere"),
        ("+15105550111", "listed"),
        ("+12125550199", "listed"),
        ("anonymous", "listed"),
        ("", "listed"),
        ("+15105550112", "America"),
    ] {
        assert_eq!(heard(&ring(&salon, &system.router, &[("From", from)])), expected, "{from}");
    }
}

#[test]
fn dates_are_the_locations() {
    let system = Installation::start();
    let salon = system.salon(1);
    let during = |from: &str, to: &str| json!({"time": {"dates": {"from": from, "to": to}}});
    let rules = json!([
        {"when": during("2001-01-01", "2019-12-31"), "then": say("before")},
        {"when": during("2020-01-01", "2098-12-31"), "then": say("now")},
        {"then": say("later")},
    ]);
    system.route(&salon, &rules);
    assert_eq!(heard(&ring(&salon, &system.router, &[])), "now");
}

#[test]
fn times_are_wall_times_and_a_night_belongs_to_the_day_it_starts_on() {
    let system = Installation::start();
    let salon = system.salon(1);
    let rules = json!([
        {"when": {"time": {"days": ["fri"], "from": "22:00", "to": "02:00"}}, "then": say("Friday night")},
        {"when": {"time": {"dates": {"from": "2026-12-24", "to": "2026-12-26"}}}, "then": say("Christmas")},
        {"when": {"time": {"from": "09:00", "to": "17:00"}}, "then": say("by day")},
        {"then": say("else")},
    ]);
    system.route(&salon, &rules);
    let rule = |at: &str| {
        let target = format!("/debug/explain?to={}&at={at}", salon.number.replace('+', "%2B"));
        let answer: Response = ops::get(system.router.ops, &target);
        let explanation: Value = serde_json::from_str(&answer.body).expect("JSON");
        explanation["rule"]["index"].clone()
    };
    // New York is five hours behind in winter and four in summer.
    for (at, expected) in [
        ("2026-11-21T02:59:59Z", 3),
        ("2026-11-21T03:00:00Z", 0),
        ("2026-11-21T06:59:59Z", 0),
        ("2026-11-21T07:00:00Z", 3),
        ("2026-11-22T03:00:00Z", 3),
        ("2026-12-24T04:59:59Z", 3),
        ("2026-12-24T05:00:00Z", 1),
        ("2026-12-27T04:59:59Z", 1),
        ("2026-12-27T05:00:00Z", 3),
        ("2026-11-23T13:59:59Z", 3),
        ("2026-11-23T14:00:00Z", 2),
        ("2026-11-23T22:00:00Z", 3),
        ("2026-07-06T13:00:00Z", 2),
        ("2026-07-06T21:00:00Z", 3),
    ] {
        assert_eq!(rule(at), expected, "{at}");
    }
}
