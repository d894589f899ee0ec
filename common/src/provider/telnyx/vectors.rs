//! Requests signed for, and checked with, Telnyx's own SDK: verify and parse agree with it.

use http::HeaderMap;

use super::Telnyx;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::{ParseError, VerifyError};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::UnixMillis;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn vectors() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn named(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    signed::kind(&Telnyx, name)
}

/// The file speaks of what is said, our kinds of where it is said.
fn our_kind(vector: &Vector) -> &'static Kind {
    kind(match &*vector.kind {
        "sms" => "sms",
        _ if vector.body.starts_with('{') => "call-control",
        "status" => "status",
        _ => "texml",
    })
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.iter().filter(|vector| vector.valid).count(), vectors.len()), (10, 20));
    for vector in vectors {
        let verdict = vector.verify(&Telnyx, our_kind(&vector), &vector.credentials());
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        let kind = our_kind(&vector);
        vector.with_request(|request| {
            let event = Telnyx.event(kind, request);
            if vector.name == "bad-texml-param-appended" {
                assert_eq!(event.unwrap_err(), ParseError::Ambiguous("To"));
                return;
            }
            let (call, name) = match event.unwrap() {
                Event::Call(call) => (call, "voice"),
                Event::Status { call: Some(call), status: "completed", .. } => (call, "status"),
                Event::Message(call) => (call, "sms"),
                other => panic!("{other:?}"),
            };
            vector.assert_call(&call);
            assert_eq!(name, vector.kind, "{}", vector.name);
            assert_eq!(call.context.is_empty(), kind.name != "call-control", "{}", vector.name);
            let claim = Telnyx.claim(kind, request);
            assert_eq!(claim.external_id.is_some(), kind.name != "sms", "{}", vector.name);
            assert_eq!(claim.to.as_deref(), Some(&*vector.to));
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    let check = |name: &str, expected: Report<'_>| {
        let vector = named(name);
        vector.with_request(|request| match Telnyx.event(our_kind(&vector), request).unwrap() {
            Event::Status { report, .. } => assert_eq!(report, expected, "{name}"),
            other => panic!("{other:?}"),
        });
    };
    let ended = |at_ms: i64, duration_ms: i64| Report {
        progress: Progress::Ended(End::Completed),
        at_ms: Some(at_ms),
        duration_ms: Some(duration_ms),
        reason: Some("normal_clearing".into()),
        ..Report::default()
    };
    check("texml-status-completed", ended(1_795_198_467_000, 45_000));
    check("cc-call-hangup", ended(1_795_198_467_000, 44_479));
}

#[test]
fn only_one_right_signature_proves_anything() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let kind = our_kind(&vector);
        let verify_with = |secrets: &[Credential]| vector.verify(&Telnyx, kind, secrets);
        let other = "fyS8G3/Vz0cLTFSdqI8bI4EF0FsF+RPYl1ta+HgER/c=";
        if vector.name != "cc-key-rotation" {
            assert_eq!(
                verify_with(&[Credential::new("ed25519_public_key", other)]),
                Err(VerifyError::Mismatch)
            );
        }
        assert_eq!(verify_with(&[Credential::new("ed25519_public_key", "")]), Err(VerifyError::Mismatch));
        assert_eq!(verify_with(&[]), Err(VerifyError::Mismatch));
        let headers = vector.headers();
        let verify = |headers: &HeaderMap| {
            let verifier = Telnyx.verifier(&vector.credentials());
            let now = UnixMillis(vector.now * 1000);
            vector.with_headers(headers, |request| verifier.verify(kind, request, now))
        };
        for name in ["telnyx-signature-ed25519", "telnyx-timestamp"] {
            let value = headers[name].clone();
            let mut doubled = headers.clone();
            doubled.append(name, value.clone());
            assert_eq!(verify(&doubled), Err(VerifyError::Missing), "{name}");
            let mut missing = headers.clone();
            missing.remove(name);
            assert_eq!(verify(&missing), Err(VerifyError::Missing), "{name}");
            for (changed, expected) in [
                (String::new(), VerifyError::Missing),
                (format!("+{}", value.to_str().unwrap()), VerifyError::Mismatch),
                (format!("{}=", value.to_str().unwrap()), VerifyError::Mismatch),
                ("x".repeat(9_000), VerifyError::Mismatch),
                ("9".repeat(19), VerifyError::Mismatch),
            ] {
                let mut other = headers.clone();
                other.insert(name, changed.parse().unwrap());
                let verdict = verify(&other).unwrap_err();
                let is_far_off = matches!(verdict, VerifyError::Stale { .. }) && changed.starts_with('9');
                assert!(verdict == expected || is_far_off, "{name}: {changed:.20}: {verdict:?}");
            }
        }
    }
}

#[test]
fn signatures_are_good_for_five_minutes_either_way() {
    let check = |offset_s: i64, expected: Result<(), VerifyError>| {
        let mut vector = named("texml-voice");
        vector.now += offset_s;
        assert_eq!(vector.verify(&Telnyx, kind("texml"), &vector.credentials()), expected, "{offset_s}");
    };
    let stale = |age_s| Err(VerifyError::Stale { age_s, age_s_max: 300 });
    check(300, Ok(()));
    check(301, stale(301));
    check(-300, Ok(()));
    check(-301, stale(-301));
}

#[test]
fn one_byte_changed_is_another_request() {
    for mut vector in [named("texml-voice"), named("cc-call-initiated"), named("message-received")] {
        let kind = our_kind(&vector);
        vector.url.push_str("/elsewhere");
        assert_eq!(vector.verify(&Telnyx, kind, &vector.credentials()), Ok(()), "the URL isn't signed");
        vector.body.push(' ');
        assert_eq!(
            vector.verify(&Telnyx, kind, &vector.credentials()),
            Err(VerifyError::Mismatch),
            "{}",
            vector.name
        );
    }
}

#[test]
fn commands_are_authorized_with_the_api_key() {
    let authorization =
        |credentials: &[Credential]| Telnyx.verifier(credentials).authorization().map(str::to_owned);
    assert_eq!(authorization(&[Credential::new("api_key", "KEY1")]).as_deref(), Some("Bearer KEY1"));
    assert_eq!(authorization(&[Credential::new("api_key", "")]), None);
    assert_eq!(authorization(&[]), None);
}

#[test]
fn a_step_of_texml_says_how_it_ended() {
    let check = |rest: &str, expected: StepResult| {
        let mut vector = named("texml-voice");
        vector.url = "https://edge.example.com/webhooks/telnyx/after/a1?s=c3RhdGU".to_owned();
        vector.body.push_str(rest);
        vector.with_request(|request| {
            let Ok(Event::After(end)) = Telnyx.event(kind("after"), request) else { panic!("{rest}") };
            assert_eq!((end.result, end.state.as_deref()), (expected, Some("c3RhdGU")), "{rest}");
        });
    };
    check("", StepResult::Unknown);
    check("&DialCallStatus=completed", StepResult::Done);
    check("&DialCallStatus=busy", StepResult::Failed);
    check("&RecordingUrl=https%3A%2F%2Fx", StepResult::Done);
}

#[test]
fn no_kind_takes_a_get_whose_parameters_nobody_signed() {
    assert!(Telnyx.kinds().iter().all(|kind| !kind.get));
}

#[test]
fn numbers_with_hyphens_are_numbers() {
    let check = |kind_name: &str, content_type: &'static str, body: &str| {
        let said = signed::event_of(&Telnyx, kind(kind_name), content_type, body.as_bytes()).unwrap();
        assert!(said.contains(r#"to: "+12025550133""#) && said.contains(r#"from: "sip:a-b@h""#), "{said}");
    };
    check("texml", FORM, "CallSid=c&To=%2B1-202-555-0133&From=sip%3Aa-b%40h");
    check(
        "call-control",
        JSON,
        r#"{"data":{"id":"e","event_type":"call.initiated","payload":{"call_control_id":"c",
           "to":"+1-202-555-0133","from":"sip:a-b@h"}}}"#,
    );
}

#[test]
fn bad_bodies_are_refused() {
    let check = |content_type: &'static str, body: &str| {
        for kind in Telnyx.kinds() {
            let said = signed::event_of(&Telnyx, kind, content_type, body.as_bytes());
            assert!(said.is_err(), "{}: {body:.80}: {said:?}", kind.name);
        }
    };
    check(FORM, "");
    check(FORM, "CallSid=&To=%2B1");
    check(FORM, "CallUUID=a&To=%2B1");
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"data":{"id":"e","event_type":"number_order.complete"}}"#,
        r#"{"data":{"id":1,"event_type":"call.initiated"}}"#,
        r#"{"data":{"id":"","event_type":"call.initiated"}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated"}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated","payload":[]}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated","payload":{"to":"+1"}}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated","payload":{"call_control_id":"c"}}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated","payload":{"call_control_id":"c","to":"+1","to":"+2"}}}"#,
        r#"{"data":{"id":"e","event_type":"call.initiated","event_type":"call.hangup"}}"#,
        r#"{"data":{"id":"e","event_type":"message.received","payload":{"id":"m","to":[]}}}"#,
        r#"{"data":{"id":"e","event_type":"message.received","payload":{"id":"m","to":"+1"}}}"#,
        r#"{"call":{"call_id":"c","to":"+1","from":"+2","project_id":"p"}}"#,
        r#"{"message":{"type":"assistant-request","call":{"id":"c"}}}"#,
    ] {
        check(JSON, body);
    }
    for name in ["cc-call-initiated", "message-received"] {
        let body = named(name).body;
        for (end, _) in body.char_indices() {
            check(JSON, &body[..end]);
        }
    }
    // Forms of others that speak TwiML are as Telnyx's; nobody else's JSON is.
    let mut bodies = hostile::of_others("telnyx");
    bodies.retain(|body| body.content_type == JSON);
    bodies.extend(hostile::malformed(FORM).into_iter().chain(hostile::malformed(JSON)));
    for body in &bodies {
        for kind in Telnyx.kinds() {
            let said = signed::event_of(&Telnyx, kind, &body.content_type, &body.bytes);
            assert!(said.is_err(), "{}: {said:?}", body.from);
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let content_type = if vector.body.starts_with('{') { JSON } else { FORM };
        hostile::mutations(vector.body.as_bytes(), 1000, |body| {
            for kind in Telnyx.kinds() {
                let _ = signed::event_of(&Telnyx, kind, content_type, body);
            }
        });
    }
}
