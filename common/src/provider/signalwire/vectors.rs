//! Requests signed and checked with SignalWire's own SDKs: verify and parse agree with them.

use http::HeaderMap;

use super::SignalWire;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::VerifyError;
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
    signed::kind(&SignalWire, name)
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.iter().filter(|vector| vector.valid).count(), vectors.len()), (11, 18));
    for vector in vectors {
        let verdict = vector.verify(&SignalWire, kind(&vector.kind), &vector.credentials());
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let (call, name) = match SignalWire.event(kind(&vector.kind), request).unwrap() {
                Event::Call(call) => (call, "voice"),
                Event::Status { call: Some(call), status: "busy", .. } => (call, "status"),
                Event::Message(call) => (call, "sms"),
                other => panic!("{other:?}"),
            };
            vector.assert_call(&call);
            assert_eq!(name, vector.kind, "{}", vector.name);
            assert_eq!(&*call.context == "swml", vector.name.contains("swml"), "{}", vector.name);
            let claim = SignalWire.claim(kind(&vector.kind), request);
            assert!(claim.external_id.is_some_and(|id| id.len() == 36), "{}", vector.name);
            assert_eq!(claim.to.as_deref(), Some(&*vector.to));
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    named("sdk-test-status").with_request(|request| {
        match SignalWire.event(kind("status"), request).unwrap() {
            Event::Status { report, .. } => {
                let expected = Report {
                    progress: Progress::Ended(End::Busy),
                    at_ms: Some(1_699_549_504_000),
                    reason: Some("486".into()),
                    is_outbound: true,
                    ..Report::default()
                };
                assert_eq!(report, expected);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_message_that_was_left_is_told() {
    let check = |content_type: &str, body: &str, is_message: bool| {
        let headers = [(http::header::CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect();
        signed::with_post(&headers, body.as_bytes(), |request| {
            let Ok(Event::After(end)) = SignalWire.event(kind("after"), request) else { panic!("{body}") };
            assert_eq!(end.report, is_message.then(|| Report::of(Progress::Voicemail)), "{body}");
        });
    };
    let json = |step: &str, vars: &str| {
        let call = r#"{"call_id":"c1","to":"+1","project_id":"p"}"#;
        format!(r#"{{"call":{call},"vars":{{{vars}}},"params":{{"step":"{step}"}}}}"#)
    };
    check(JSON, &json("record", r#""record_url":"https://r.example/1""#), true);
    check(JSON, &json("record", r#""record_url":"","record_result":"failed""#), false);
    check(JSON, &json("record", r#""record_url":[7]"#), false);
    check(JSON, &json("dial", r#""record_url":"https://r.example/1""#), false);
    check(FORM, "CallSid=c1&To=%2B1&RecordingUrl=u&RecordingDuration=4", true);
    check(FORM, "CallSid=c1&To=%2B1&RecordingUrl=u&RecordingDuration=0", false);
}

#[test]
fn only_one_right_signature_proves_anything() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let kind = kind(&vector.kind);
        let other = [Credential::new("signing_key", "PSK_other")];
        assert_eq!(vector.verify(&SignalWire, kind, &other), Err(VerifyError::Mismatch));
        let wrong_kind = [Credential::new("auth_token", "PSK_a1B2c3D4e5F6g7H8i9J0k1L2")];
        assert_eq!(vector.verify(&SignalWire, kind, &wrong_kind), Err(VerifyError::Mismatch));
        let empty = [Credential::new("signing_key", "")];
        assert_eq!(vector.verify(&SignalWire, kind, &empty), Err(VerifyError::Mismatch));
        for name in ["x-signalwire-signature", "x-twilio-signature"] {
            let headers = vector.headers();
            let Some(value) = headers.get(name).cloned() else { continue };
            let verify = |headers: &HeaderMap| {
                let verifier = SignalWire.verifier(&vector.credentials());
                vector.with_headers(headers, |request| verifier.verify(kind, request, UnixMillis(0)))
            };
            assert_eq!(verify(&headers), Ok(()), "{}", vector.name);
            let mut doubled = headers.clone();
            doubled.append(name, value);
            assert_eq!(verify(&doubled), Err(VerifyError::Missing), "{}", vector.name);
            let mut missing = headers.clone();
            missing.remove(name);
            assert_eq!(verify(&missing), Err(VerifyError::Missing), "{}", vector.name);
            let mut empty = headers;
            empty.insert(name, "".parse().unwrap());
            assert_eq!(verify(&empty), Err(VerifyError::Missing), "{}", vector.name);
        }
    }
}

#[test]
fn one_byte_changed_is_another_request() {
    for mut vector in [named("voice-inbound"), named("swml-json")] {
        vector.body = vector.body.replacen("+1208", "+1209", 1).replacen("%2B1208", "%2B1209", 1);
        assert_eq!(
            vector.verify(&SignalWire, kind("voice"), &vector.credentials()),
            Err(VerifyError::Mismatch),
            "{}",
            vector.name
        );
    }
    let mut vector = named("swml-json");
    vector.url = vector.url.replace("swml", "swm1");
    assert_eq!(vector.verify(&SignalWire, kind("voice"), &vector.credentials()), Err(VerifyError::Mismatch));
}

#[test]
fn a_step_says_how_it_ended() {
    let check = |content_type: &str, body: &str, expected: StepResult| {
        let mut vector = named("voice-inbound");
        vector.url = "https://edge.example.com/webhooks/signalwire/after/a1?s=c3RhdGU".to_owned();
        vector.headers = [("content-type".to_owned(), content_type.to_owned())].into();
        vector.body = body.to_owned();
        vector.with_request(|request| {
            let Ok(Event::After(end)) = SignalWire.event(kind("after"), request) else { panic!("{body}") };
            assert_eq!(end.result, expected, "{body}");
            assert_eq!((&*end.call.call_id, end.state.as_deref()), ("c1", Some("c3RhdGU")));
        });
    };
    let form = |rest: &str| format!("CallSid=c1&To=%2B12089806814&From=anonymous{rest}");
    check(FORM, &form(""), StepResult::Unknown);
    check(FORM, &form("&DialCallStatus=completed"), StepResult::Done);
    check(FORM, &form("&DialCallStatus=no-answer"), StepResult::Failed);
    check(FORM, &form("&RecordingUrl=https%3A%2F%2Fx"), StepResult::Done);
    let json = |rest: &str| format!(r#"{{"call":{{"call_id":"c1","to":"+1","project_id":"p"}}{rest}}}"#);
    let ended = |step: &str, result: &str| {
        json(&format!(r#","vars":{{"connect_result":"{result}","x":[1]}},"params":{{"step":"{step}"}}"#))
    };
    check(JSON, &json(""), StepResult::Unknown);
    check(JSON, &ended("dial", "connected"), StepResult::Done);
    check(JSON, &ended("dial", "failed"), StepResult::Failed);
    check(JSON, &ended("stream", "connected"), StepResult::Unknown);
    check(JSON, &ended("stream", "failed"), StepResult::Failed);
    check(JSON, &ended("record", "failed"), StepResult::Done);
}

#[test]
fn a_call_under_way_has_not_ended() {
    let check = |status: &str, expected: &str, progress: Progress| {
        let body = format!("CallSid=c1&To=%2B1&From=%2B2&CallStatus={status}");
        let said = signed::event_of(&SignalWire, kind("status"), FORM, body.as_bytes()).unwrap();
        assert!(said.contains(&format!("status: {expected:?}, ")), "{said}");
        signed::with_report(&SignalWire, kind("status"), FORM, &body, |_, report| {
            assert_eq!(report.progress, progress, "{status}");
        });
    };
    check("ringing", "ringing", Progress::Ringing);
    check("completed", "completed", Progress::Ended(End::Completed));
    check("strange", "other", Progress::Other);
}

#[test]
fn bad_bodies_are_refused() {
    let check = |content_type: &'static str, body: &str| {
        for kind in SignalWire.kinds() {
            let said = signed::event_of(&SignalWire, kind, content_type, body.as_bytes());
            assert!(said.is_err(), "{}: {said:?}", kind.name);
        }
    };
    check(FORM, "");
    check(FORM, "CallSid=&MessageSid=&To=%2B1");
    check(FORM, "CallSid=a&MessageSid=a&To=%2B1&To=%2B2");
    check(FORM, "CallUUID=a&Dst=%2B1&Src=%2B2");
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"call":null}"#,
        r#"{"call":{}}"#,
        r#"{"call":{"call_id":1,"to":"+1","project_id":"p"}}"#,
        r#"{"call":{"call_id":"c","to":["+1"],"project_id":"p"}}"#,
        r#"{"call":{"call_id":"c","to":"+1","project_id":"p"},"call":{"call_id":"d","to":"+2","project_id":"p"}}"#,
        r#"{"call":{"call_id":"c","to":"+1","to":"+2","project_id":"p"}}"#,
        r#"{"call":{"call_id":"c","to":"","project_id":"p"}}"#,
        r#"{"event":"call_started","call":{"call_id":"c","to_number":"+1","from_number":"+2"}}"#,
    ] {
        check(JSON, body);
    }
    // Forms of others that speak TwiML are as SignalWire's; nobody else's JSON is.
    let mut bodies = hostile::of_others("signalwire");
    bodies.retain(|body| body.content_type == JSON);
    bodies.extend(hostile::malformed(FORM).into_iter().chain(hostile::malformed(JSON)));
    for body in &bodies {
        for kind in SignalWire.kinds() {
            let said = signed::event_of(&SignalWire, kind, &body.content_type, &body.bytes);
            assert!(said.is_err(), "{}: {said:?}", body.from);
        }
    }
    let swml = named("swml-json").body;
    for end in 0..swml.len() {
        check(JSON, &swml[..end]);
    }
}

#[test]
fn no_bytes_make_it_panic() {
    for vector in vectors().into_iter().filter(|vector| vector.valid && !vector.body.is_empty()) {
        let content_type = if vector.name == "swml-json" { JSON } else { FORM };
        hostile::mutations(vector.body.as_bytes(), 1000, |body| {
            for kind in SignalWire.kinds() {
                let _ = signed::event_of(&SignalWire, kind, content_type, body);
            }
        });
    }
}
