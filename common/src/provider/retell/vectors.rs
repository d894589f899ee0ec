//! Requests signed and checked with Retell's own SDKs (`fixtures/signed.json` says how), and what happens to them on the
//! way.

use http::HeaderMap;

use super::Retell;
use crate::call;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::UnixMillis;

const HEADER: &str = "x-retell-signature";

fn vectors() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn named(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    Retell.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    vector.secrets.iter().map(|secret| Credential::new(&secret.r#type, &secret.value)).collect()
}

fn event<'r>(kind_name: &str, request: &'r WebhookRequest<'_>) -> Result<Event<'r>, ParseError> {
    Retell.event(kind(kind_name), request)
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.len(), vectors.iter().filter(|vector| vector.valid).count()), (16, 7));
    for vector in vectors {
        let verifier = Retell.verifier(&credentials(&vector));
        let verdict = vector.with_request(|request| {
            verifier.verify(kind(vector.kind_in_url()), request, UnixMillis(vector.now_ms))
        });
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let claim = Retell.claim(kind(vector.kind_in_url()), request);
            assert_eq!(claim.to.as_deref(), Some(&*vector.to));
            let (call, said) = match event(vector.kind_in_url(), request).unwrap() {
                Event::Call(call) => (call, "call_inbound"),
                Event::Tools(tools) => {
                    let [tool] = &tools.calls[..] else { panic!("{tools:?}") };
                    assert_eq!((&*tool.name, &*tool.id), ("book_appointment", ""));
                    let arguments = r#"{"date":"2026-11-03","time":"14:30","party_size":2}"#;
                    assert_eq!(tool.arguments, arguments);
                    (tools.call, "custom_function")
                }
                Event::Status { call: Some(call), status, .. } => (call, status),
                other => panic!("{other:?}"),
            };
            assert_eq!(said, vector.kind, "{}", vector.name);
            assert_eq!([&*call.to, &*call.from], [&*vector.to, &*vector.from]);
            assert_eq!(call::address(&call.to).map(|number| number.to_string()), vector.to_e164);
            match &*vector.call_id {
                "" => assert!(call.call_id.starts_with("call_inbound_"), "{}", call.call_id),
                id => assert_eq!(call.call_id, id),
            }
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    let check = |name: &str, expected: Report<'_>| {
        named(name).with_request(|request| match event("events", request).unwrap() {
            Event::Status { call: Some(call), report, .. } => {
                assert_eq!(call.carrier_call_id.as_deref(), Some("CA5f0a2b6d4d7c4f1e9a1b3c5d7e9f0a1b"));
                assert_eq!(report, expected, "{name}");
            }
            other => panic!("{other:?}"),
        });
    };
    check("call_started", Report { at_ms: Some(1_793_534_335_000), ..Report::of(Progress::Answered) });
    let ended = Report {
        progress: Progress::Ended(End::Completed),
        at_ms: Some(1_793_534_399_000),
        duration_ms: Some(64_000),
        reason: Some("user_hangup".into()),
        ..Report::default()
    };
    check("call_ended_unicode_transcript", ended);
}

#[test]
fn a_signature_holds_for_five_minutes_either_way() {
    let vector = named("call_inbound_basic");
    let verifier = Retell.verifier(&credentials(&vector));
    let check = |now_ms: i64, good: bool| {
        let verdict =
            vector.with_request(|request| verifier.verify(kind("inbound"), request, UnixMillis(now_ms)));
        assert_eq!(verdict.is_ok(), good, "{now_ms}");
        assert!(good || matches!(verdict, Err(VerifyError::Stale { age_s_max: 300, .. })), "{verdict:?}");
    };
    let at = vector.now_ms;
    for (now_ms, good) in [
        (at + 300_000, true),
        (at + 300_001, false),
        (at - 300_000, true),
        (at - 300_001, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        check(now_ms, good);
    }
}

#[test]
fn whatever_is_changed_is_refused() {
    let vector = named("call_inbound_basic");
    let check = |headers: &HeaderMap, body: &[u8], credentials: &[Credential], expected: VerifyError| {
        let verdict = signed::with_post(headers, body, |request| {
            Retell.verifier(credentials).verify(kind("inbound"), request, UnixMillis(vector.now_ms))
        });
        assert_eq!(verdict, Err(expected), "{headers:?}");
    };
    let (headers, body, right) = (vector.headers(), vector.body.as_bytes(), credentials(&vector));
    let mut doubled = headers.clone();
    doubled.append(HEADER, headers[HEADER].clone());
    check(&doubled, body, &right, VerifyError::Missing);
    let with = |value: &str| {
        let mut changed = headers.clone();
        changed.insert(HEADER, value.parse().unwrap());
        changed
    };
    check(&with(""), body, &right, VerifyError::Missing);
    let good = headers[HEADER].to_str().unwrap();
    let (v, d) = good.split_once(',').unwrap();
    for malformed in [
        format!("{d},{v}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{v}, {d}"),
        format!("{good},d=0"),
        format!("v=+1793534400000,{d}"),
        format!("v=,{d}"),
        format!("v=99999999999999999999999,{d}"),
        good.to_uppercase(),
        good.replace("d=5", "d=6"),
        "x".to_owned(),
    ] {
        check(&with(&malformed), body, &right, VerifyError::Mismatch);
    }
    for key in ["", "key_other"] {
        check(&headers, body, &[Credential::new("api_key", key)], VerifyError::Mismatch);
    }
    check(&headers, body, &[], VerifyError::Mismatch);
    let other_kind = Credential::new("auth_token", &vector.secrets[0].value);
    check(&headers, body, &[other_kind], VerifyError::Mismatch);
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        check(&headers, &changed, &right, VerifyError::Mismatch);
    }
}

/// The id of the call in a body of kind `inbound`.
fn inbound_id(json: &str) -> String {
    signed::with_json(json.as_bytes(), |request| match event("inbound", request).unwrap() {
        Event::Call(call) | Event::Message(call) => call.call_id.into_owned(),
        other => panic!("{other:?}"),
    })
}

#[test]
fn a_call_without_an_id_gets_one_that_its_repetition_gets_too() {
    let body = |from: &str, at: &str| {
        format!(
            r#"{{"event":"call_inbound","event_timestamp":{at},"call_inbound":{{"from_number":"{from}","to_number":"+2"}}}}"#
        )
    };
    let id = inbound_id(&body("+1", "17"));
    assert_eq!(inbound_id(&body("+1", "17")), id);
    assert_ne!(inbound_id(&body("+1", "18")), id);
    assert_ne!(inbound_id(&body("+3", "17")), id);
    assert!(!id.contains("+1") && id.len() == "call_inbound_".len() + 32, "{id}");
    let older = r#"{"event":"call_inbound","call_inbound":{"from_number":"+1","to_number":"+2"}}"#;
    let signed = |at: &str| {
        let mut headers = named("call_inbound_basic").headers();
        headers.insert(HEADER, format!("v={at},d=0").parse().unwrap());
        signed::with_post(&headers, older.as_bytes(), |request| match event("inbound", request).unwrap() {
            Event::Call(call) => call.call_id.into_owned(),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(signed("60000"), signed("119999"));
    assert_ne!(signed("60000"), signed("120000"));
    assert_eq!(inbound_id(older), inbound_id(older));
}

#[test]
fn odd_fields_refuse_no_call() {
    let calls = [
        r#"{"to_number":"+2"}"#,
        r#"{"to_number":"+2","from_number":null,"call_id":null}"#,
        r#"{"to_number":"+2","from_number":7,"call_id":[1],"agent_version":{"a":1}}"#,
        r#"{"to_number":"+2","from_number":"","call_id":"","custom_sip_headers":[[]]}"#,
    ];
    for call in calls {
        let body = format!(r#"{{"call_inbound":{call},"event":"call_inbound","event_timestamp":"x"}}"#);
        signed::with_json(body.as_bytes(), |request| match event("inbound", request).unwrap() {
            Event::Call(call) => assert_eq!((&*call.to, &*call.from), ("+2", "")),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn a_chat_is_a_message_and_known_by_its_id() {
    for (id, expected) in
        [(r#""chat_id":"chat_98","#, "chat_98"), (r#""chat_id":"98","#, "chat_98"), ("", "chat_inbound_")]
    {
        let chat = format!(r#"{{{id}"agent_id":"a","from_number":"+1","to_number":"+2"}}"#);
        let body = format!(r#"{{"event":"chat_inbound","event_timestamp":1,"chat_inbound":{chat}}}"#);
        signed::with_json(body.as_bytes(), |request| match event("inbound", request).unwrap() {
            Event::Message(call) => assert!(call.call_id.starts_with(expected), "{call:?}"),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn our_number_of_an_outbound_call_is_the_calling_one() {
    let call = r#"{"call_id":"call_1","direction":"outbound","from_number":"+2","to_number":"+1"}"#;
    let body = format!(r#"{{"event":"call_ended","call":{call}}}"#);
    signed::with_json(body.as_bytes(), |request| match event("events", request).unwrap() {
        Event::Status { call: Some(call), report, .. } => {
            assert_eq!((&*call.to, &*call.from, report.is_outbound), ("+2", "+1", true));
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn events_without_a_number_or_of_a_new_name_are_taken() {
    for (body, expected) in [
        (r#"{"event":"call_ended","call":{"call_type":"web_call","call_id":"call_1"}}"#, "call_ended"),
        (r#"{"event":"chat_ended","chat":{"chat_id":"chat_1"}}"#, "chat_ended"),
        (r#"{"event":"brand_new","call":{}}"#, "other"),
    ] {
        signed::with_json(body.as_bytes(), |request| match event("events", request).unwrap() {
            Event::Status { call: None, status, .. } => assert_eq!(status, expected),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn a_function_without_a_call_is_told_what_to_set() {
    let check = |body: &str, expected: &str| {
        let error = signed::with_json(body.as_bytes(), |request| event("functions", request).unwrap_err());
        assert!(error.to_string().contains(expected), "{body}: {error}");
    };
    let call = r#"{"call_id":"call_1","from_number":"+1","to_number":"+2"}"#;
    check(r#"{"date":"2026-11-03"}"#, "args_at_root");
    check(r#"{"name":{"first":"Ana"},"date":"2026-11-03"}"#, "args_at_root");
    check(&format!(r#"{{"call":{call},"args":{{}}}}"#), "name");
    check(&format!(r#"{{"name":"f","call":{call},"args":[1]}}"#), "args");
    check(r#"{"name":"f","call":{"call_id":"call_1","call_type":"web_call"},"args":{}}"#, "browser");
    let body = format!(r#"{{"name":"f","call":{call}}}"#);
    signed::with_json(body.as_bytes(), |request| match event("functions", request).unwrap() {
        Event::Tools(tools) => assert_eq!(tools.calls[0].arguments, "{}"),
        other => panic!("{other:?}"),
    });
}

#[test]
fn bodies_of_others_are_refused() {
    let refused = |body: &[u8]| {
        for kind in Retell.kinds() {
            let answered = signed::with_json(body, |request| Retell.event(kind, request).is_ok());
            let preview = String::from_utf8_lossy(&body[..body.len().min(60)]);
            assert!(!answered, "{}: {preview}", kind.name);
            let claim = signed::with_json(body, |request| Retell.claim(kind, request).to.is_some());
            assert!(!claim);
        }
    };
    let bodies = hostile::malformed("application/json").into_iter().chain(hostile::of_others(super::NAME));
    bodies.for_each(|body| refused(&body.bytes));
    for wrong in [
        r#"{"event":"call_inbound","event":"call_inbound","call_inbound":{"to_number":"+2"}}"#,
        r#"{"event":"call_inbound","call_inbound":{"to_number":"+2","to_number":"+3"}}"#,
        r#"{"event":"call_inbound","call_inbound":{"to_number":2}}"#,
        r#"{"event":"call_inbound","call_inbound":{"to_number":""}}"#,
        r#"{"event":"call_inbound","call_inbound":{}}"#,
        r#"{"event":"call_inbound","call_inbound":null}"#,
        r#"{"event":"call_inbound","call_inbound":"+2"}"#,
        r#"{"event":7,"call_inbound":{"to_number":"+2"}}"#,
        r#"{"event":"brand_new","call":null}"#,
    ] {
        refused(wrong.as_bytes());
    }
}

#[test]
fn each_kind_refuses_the_others_bodies() {
    for vector in vectors() {
        for kind in Retell.kinds().iter().filter(|kind| kind.name != vector.kind_in_url()) {
            vector.with_request(|request| {
                let answered = Retell.event(kind, request);
                assert!(
                    matches!(answered, Err(ParseError::Foreign(_) | ParseError::Missing(_))),
                    "{answered:?}"
                );
            });
        }
    }
}

#[test]
fn damaged_bodies_never_panic() {
    for vector in vectors() {
        let verifier = Retell.verifier(&credentials(&vector));
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_post(&vector.headers(), body, |request| {
                for kind in Retell.kinds() {
                    let _ = Retell.event(kind, request);
                }
                let changed = body != vector.body.as_bytes();
                let verdict = verifier.verify(kind("inbound"), request, UnixMillis(vector.now_ms));
                assert!(!changed || verdict.is_err());
            });
        });
    }
}
