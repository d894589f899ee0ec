//! What agents of a salon are told: lunch break, a Friday that runs past midnight, holidays, staff with their own hours.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::*;
use crate::ids::{PhoneNumberId, TenantId};
use crate::location::{Business, Person, Place, Service};
use crate::route::{Date, Forced, Holiday, Hours, Interval, Weekly};
use crate::time::UnixSeconds;

fn interval(hours: (u16, u16)) -> Interval {
    Interval::new(hours.0 * 60, hours.1 * 60).unwrap()
}

fn weekly<const N: usize>(days: [(usize, &[(u16, u16)]); N]) -> Weekly {
    let mut weekly = Weekly::default();
    for (day, hours) in days {
        weekly[day] = hours.iter().copied().map(interval).collect();
    }
    weekly
}

fn hours() -> Hours {
    let holiday = |month, day, hours: &[(u16, u16)]| Holiday {
        date: Date { year: 2026, month, day },
        intervals: hours.iter().copied().map(interval).collect(),
    };
    Hours {
        weekly: Some(weekly([
            (0, &[(9, 12), (13, 17)]),
            (1, &[(10, 18)]),
            (3, &[(9, 17)]),
            (4, &[(18, 2)]),
            (5, &[(10, 24)]),
        ])),
        holidays: Some(vec![holiday(11, 26, &[(10, 14)]), holiday(12, 25, &[])]),
        forced: None,
    }
}

fn business() -> Business {
    let service = |name: &str, minutes, price: Option<&str>, description: Option<&str>| Service {
        name: name.into(),
        description: description.map(Into::into),
        duration_minutes: minutes,
        price: price.map(Into::into),
    };
    let person = |name: &str, role: Option<&str>, weekly, services: &[&str]| Person {
        name: name.into(),
        role: role.map(Into::into),
        weekly,
        services: services.iter().map(|name| (*name).into()).collect(),
    };
    let anna = weekly([(0, &[(10, 15)]), (4, &[(20, 1)])]);
    Business {
        name: "Sparkle Nails".into(),
        services: vec![
            service("Manicure", Some(45), Some("30 USD"), Some("Hands and nails.")),
            service("Pedicure", Some(60), None, None),
            service("Gel Manicure", None, None, None),
        ],
        staff: vec![
            person("Anna Meyer", Some("stylist"), Some(anna), &["Manicure", "gel manicure"]),
            person("Ben", None, None, &[]),
        ],
        ..Business::default()
    }
}

/// An instant on the salon's wall.
fn instant(wall: &str) -> UnixSeconds {
    let wall: DateTime = wall.parse().unwrap();
    let zone = TimeZone::get("America/New_York").unwrap();
    UnixSeconds(wall.to_zoned(zone).unwrap().timestamp().as_second())
}

/// Asks at a time on the salon's wall.
fn ask_of(
    business: &Business,
    hours: &Hours,
    wall: &str,
    tool: &str,
    arguments: &str,
) -> Result<String, String> {
    let zone = TimeZone::get("America/New_York").unwrap();
    let place =
        Place { display_name: "Broadway".into(), address: Some("21 Broadway".into()), ..Place::default() };
    let location = Location {
        tenant_id: TenantId(uuid::Uuid::from_u128(1)),
        phone_number_id: Some(PhoneNumberId(uuid::Uuid::from_u128(2))),
        number: "+12125550001".parse().ok(),
        business,
        place: Some(&place.into()),
        agent: None,
        agent_intents: &[],
        intent_ids: &[],
        platform: None,
        hours: [Some(hours), None, None],
        zone: &zone,
        now: instant(wall),
    };
    answer(tool, arguments, &location).unwrap()
}

/// On Monday 2026-11-23 at 11:00.
fn check(tool: &str, arguments: &str, expected: Result<&str, &str>) {
    let found = ask_of(&business(), &hours(), "2026-11-23T11:00", tool, arguments);
    assert_eq!(found.as_ref().map(String::as_str).map_err(String::as_str), expected, "{tool} {arguments}");
}

const WANTED_DAY: &str =
    "Which day do you mean? Please say a date with its month and year, a day of the week, today or tomorrow.";

#[test]
fn tools_are_known_by_many_names() {
    let known = |name: &str| BUILT_INS.iter().position(|tool| tool.is_called(name));
    for (name, expected) in [
        ("get_hours", Some("get_hours")),
        ("getHours", Some("get_hours")),
        ("GET-HOURS", Some("get_hours")),
        ("checkAvailability", Some("check_availability")),
        ("open_now", Some("is_open")),
        ("isOpen", Some("is_open")),
        ("getTenantInfo", Some("get_tenant_info")),
        ("book_appointment", None),
        ("", None),
        ("__", None),
    ] {
        assert_eq!(known(name).map(|index| BUILT_INS[index].name), expected, "{name}");
    }
    for (index, tool) in BUILT_INS.iter().enumerate() {
        for name in tool.aliases.iter().chain([&tool.name]) {
            assert_eq!(known(name), Some(index), "{name} is two tools");
        }
        let schema: serde_json::Value = serde_json::from_str(tool.parameters).unwrap();
        assert_eq!(schema["type"], "object");
        assert!(schema["properties"].is_object() && !tool.description.is_empty());
    }
}

#[test]
fn hours_of_a_day() {
    check(
        "get_hours",
        r#"{"date":"today"}"#,
        Ok("Open today, Monday 23 November 2026, from 09:00 to 12:00 and from 13:00 to 17:00."),
    );
    check(
        "get_hours",
        r#"{"date":"tomorrow"}"#,
        Ok("Open tomorrow, Tuesday 24 November 2026, from 10:00 to 18:00."),
    );
    check("get_hours", r#"{"date":"wednesday"}"#, Ok("Closed on Wednesday 25 November 2026."));
    check(
        "get_hours",
        r#"{"date":"2026-11-26"}"#,
        Ok("Open on Thursday 26 November 2026 from 10:00 to 14:00."),
    );
    check(
        "get_hours",
        r#"{"date":"friday"}"#,
        Ok("Open on Friday 27 November 2026 from 18:00 to 02:00 the next day."),
    );
    check(
        "get_hours",
        r#"{"date":"saturday"}"#,
        Ok("Open on Saturday 28 November 2026 until 02:00 and from 10:00 to midnight."),
    );
    check("get_hours", r#"{"date":"2026-12-25"}"#, Ok("Closed on Friday 25 December 2026, a holiday."));
    check("get_hours", r#"{"date":"someday"}"#, Err(WANTED_DAY));
    check("get_hours", r#"{"date":["friday"]}"#, Err("Which date do you mean?"));
    check("get_hours", "[]", Err("I did not understand what is wanted. Please say it again."));
}

#[test]
fn hours_of_the_week() {
    let week = "Today, Monday 23 November 2026: from 09:00 to 12:00 and from 13:00 to 17:00. \
                Tuesday 24 November 2026: from 10:00 to 18:00. Wednesday 25 November 2026: closed. \
                Thursday 26 November 2026: from 10:00 to 14:00. \
                Friday 27 November 2026: from 18:00 to 02:00 the next day. \
                Saturday 28 November 2026: until 02:00 and from 10:00 to midnight. \
                Sunday 29 November 2026: closed.";
    check("get_hours", "{}", Ok(week));
    check("get_hours", "", Ok(week));
}

#[test]
fn whether_it_is_open() {
    check("is_open", "{}", Ok("Yes, open now, until 12:00."));
    check(
        "is_open",
        r#"{"time":"12:30"}"#,
        Ok(
            "No, closed today, Monday 23 November 2026, at 12:30. Opens today, Monday 23 November 2026, at 13:00.",
        ),
    );
    check(
        "is_open",
        r#"{"date":"friday","time":"11pm"}"#,
        Ok("Yes, open on Friday 27 November 2026 at 23:00, until 02:00 on Saturday 28 November 2026."),
    );
    check(
        "is_open",
        r#"{"date":"2026-11-24T10:00:00Z"}"#,
        Ok("Yes, open tomorrow, Tuesday 24 November 2026, at 10:00, until 18:00."),
    );
    check("is_open", r#"{"date":"wed"}"#, Ok("Closed on Wednesday 25 November 2026."));
    check("is_open", r#"{"time":"morning"}"#, Err("Which time do you mean? Please say an hour and minutes."));
}

#[test]
fn what_is_set_by_hand_counts() {
    let forced = |open, until: Option<&str>| Hours {
        forced: Some(Forced { open, until: until.map(instant) }),
        ..hours()
    };
    let ask = |hours: &Hours, tool: &str, arguments: &str| {
        ask_of(&business(), hours, "2026-11-23T11:00", tool, arguments).unwrap()
    };
    let closed = forced(false, Some("2026-11-23T14:00"));
    assert_eq!(
        ask(&closed, "open_now", ""),
        "No, closed now. Opens today, Monday 23 November 2026, at 14:00."
    );
    let today = "Open today, Monday 23 November 2026, from 14:00 to 17:00.";
    assert_eq!(ask(&closed, "get_hours", r#"{"date":"today"}"#), today);
    let closed = forced(false, None);
    assert_eq!(ask(&closed, "open_now", ""), "No, closed now. When it opens again is not known.");
    let nothing = "Nothing is available tomorrow, Tuesday 24 November 2026.";
    assert_eq!(ask(&closed, "check_availability", r#"{"date":"tomorrow"}"#), nothing);
    let open = forced(true, Some("2026-11-25T12:00"));
    let today = "Open today, Monday 23 November 2026, all day, to 12:00 on Wednesday 25 November 2026.";
    assert_eq!(ask(&open, "get_hours", r#"{"date":"today"}"#), today);
    assert_eq!(ask(&Hours::default(), "open_now", ""), "Yes, open now.");
    let always = "Open today, Monday 23 November 2026, around the clock.";
    assert_eq!(ask(&Hours::default(), "get_hours", r#"{"date":"today"}"#), always);
}

#[test]
fn when_a_customer_could_come() {
    let tool = "checkAvailability";
    check(
        tool,
        r#"{"date":"today"}"#,
        Ok(
            "Available today, Monday 23 November 2026, from 11:00 to 12:00 and from 13:00 to 15:00 with Anna Meyer; \
            from 11:00 to 12:00 and from 13:00 to 17:00 with Ben.",
        ),
    );
    check(
        tool,
        r#"{"date":"today","service":"manicure","staff":"anna"}"#,
        Ok(
            "Available today, Monday 23 November 2026, from 11:00 to 12:00 and from 13:00 to 15:00 with Anna Meyer \
            for Manicure, 45 minutes.",
        ),
    );
    check(
        tool,
        r#"{"date":"today","time":"11:15","service":"Manicure"}"#,
        Ok(
            "Available today, Monday 23 November 2026, at 11:15 with Anna Meyer or Ben for Manicure, 45 minutes.",
        ),
    );
    check(
        tool,
        r#"{"date":"today","time":"11:30","service":"Manicure","staff":"Ben"}"#,
        Ok(
            "Not available today, Monday 23 November 2026, at 11:30 for Manicure, 45 minutes. Available today, \
            Monday 23 November 2026, from 11:00 to 12:00 and from 13:00 to 17:00 with Ben.",
        ),
    );
    check(
        tool,
        r#"{"date":"friday","staff":"Anna Meyer"}"#,
        Ok("Available on Friday 27 November 2026 from 20:00 to 01:00 the next day with Anna Meyer."),
    );
    check(
        tool,
        r#"{"date":"wednesday","time":"10:00"}"#,
        Ok(
            "Not available on Wednesday 25 November 2026 at 10:00. Available on Thursday 26 November 2026 from 10:00 \
            to 14:00 with Ben.",
        ),
    );
    check(
        tool,
        r#"{"date":"2026-12-25"}"#,
        Ok(
            "Nothing is available on Friday 25 December 2026. Available on Saturday 26 December 2026 from 10:00 to \
            midnight with Ben.",
        ),
    );
    check(
        tool,
        r#"{"date":"today","service":"pedicure","staff":"anna"}"#,
        Ok("Anna Meyer does not give Pedicure."),
    );
    check(tool, "{}", Err(WANTED_DAY));
    check(tool, r#"{"date":"2026-11-22"}"#, Err("That day is over. Which day from today on do you mean?"));
    check(tool, r#"{"date":"today","time":"9:00"}"#, Err("That time is over. Which later time do you mean?"));
    check(
        tool,
        r#"{"date":"today","service":"massage"}"#,
        Err("Which service do you mean by massage? Please say Manicure, Pedicure or Gel Manicure."),
    );
    check(
        tool,
        r#"{"date":"today","staff":"n"}"#,
        Err("Which person do you mean by n? Please say Anna Meyer or Ben."),
    );
}

#[test]
fn a_place_without_staff_has_time_while_it_is_open() {
    let business = Business { name: "Salon".into(), ..Business::default() };
    let ask =
        |arguments: &str| ask_of(&business, &hours(), "2026-11-23T11:00", "check_availability", arguments);
    assert_eq!(
        ask(r#"{"date":"friday","time":"01:30"}"#).unwrap(),
        "Not available on Friday 27 November 2026 at 01:30. Available on Friday 27 November 2026 from 18:00 to 02:00 \
         the next day."
    );
    assert_eq!(
        ask(r#"{"date":"saturday","time":"01:30"}"#).unwrap(),
        "Available on Saturday 28 November 2026 at 01:30."
    );
    assert_eq!(ask(r#"{"date":"today","service":"x"}"#).unwrap_err(), "No service is listed here.");
}

#[test]
fn services_and_staff() {
    check(
        "get_services",
        "",
        Ok("Services: Manicure (45 minutes, 30 USD); Pedicure (60 minutes); Gel Manicure."),
    );
    check("get_services", r#"{"service":"MANICURE"}"#, Ok("Manicure (45 minutes, 30 USD): Hands and nails."));
    check("get_staff", "", Ok("Staff: Anna Meyer, stylist (Manicure and gel manicure); Ben."));
    check("get_staff", r#"{"service":"pedi"}"#, Ok("For Pedicure: Ben."));
    check("staff_on_duty", "", Ok("On duty now: Anna Meyer, stylist; Ben."));
    check(
        "staff_on_duty",
        r#"{"time":"16:00"}"#,
        Ok("On duty today, Monday 23 November 2026, at 16:00: Ben."),
    );
    check("staff_on_duty", r#"{"date":"wednesday"}"#, Ok("Nobody is on duty on Wednesday 25 November 2026."));
    check(
        "staff_on_duty",
        r#"{"date":"friday"}"#,
        Ok(
            "On duty on Friday 27 November 2026: Anna Meyer from 20:00 to 01:00 the next day; Ben from 18:00 to 02:00 \
            the next day.",
        ),
    );
    check(
        "staff_on_duty",
        r#"{"date":"friday","time":"23:30"}"#,
        Ok("On duty on Friday 27 November 2026 at 23:30: Anna Meyer, stylist; Ben."),
    );
    let nobody = Business { name: "Salon".into(), ..Business::default() };
    for (tool, expected) in [
        ("get_staff", "No staff is listed."),
        ("staff_on_duty", "No staff is listed."),
        ("get_services", "No services are listed."),
    ] {
        assert_eq!(ask_of(&nobody, &hours(), "2026-11-23T11:00", tool, "").unwrap(), expected);
    }
}

#[test]
fn who_and_where() {
    check(
        "get_tenant_info",
        "",
        Ok("Sparkle Nails, Broadway. Address: 21 Broadway. Telephone: +12125550001. Open now, until 12:00."),
    );
}

#[test]
fn results_are_one_line_whatever_people_named() {
    let business = Business { name: "Two\r\nLines\u{2028}and  more".into(), ..Business::default() };
    let text = ask_of(&business, &hours(), "2026-11-23T11:00", "get_tenant_info", "").unwrap();
    assert!(text.starts_with("Two Lines and more, Broadway."), "{text}");
}

#[test]
fn no_arguments_and_no_instant_are_a_panic() {
    let arguments = [
        r#"{"date":"9999-12-31"}"#,
        r#"{"date":"9999-12-31","time":"23:59"}"#,
        r#"{"date":"0000-01-01"}"#,
        r#"{"date":"2026-03-08","time":"02:30"}"#,
        r#"{"date":"today","time":"23:59","service":"","staff":null}"#,
    ];
    for wall in ["2026-11-23T11:00", "9999-12-30T11:00", "0001-01-01T00:00"] {
        for tool in &BUILT_INS {
            for arguments in arguments {
                let _ = ask_of(&business(), &hours(), wall, tool.name, arguments);
            }
        }
    }
}
