//! Requests with credentials and bodies as Bandwidth's own SDK makes and reads them, and others.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::Bandwidth;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::secret::Secret;
use crate::time::UnixMillis;

fn vectors() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn kind(name: &str) -> &'static Kind {
    Bandwidth.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn basic(username: &str, password: &str) -> Credential {
    Credential { kind: "basic".into(), id: username.into(), value: Secret::new(password) }
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    assert!(vector.secrets.iter().all(|secret| secret.r#type == "basic" && secret.value.is_empty()));
    vector.secrets.iter().map(|secret| basic(&secret.username, &secret.password)).collect()
}

fn verify(
    kind_name: &str,
    credentials: &[Credential],
    request: &WebhookRequest<'_>,
) -> Result<(), VerifyError> {
    Bandwidth.verifier(credentials).verify(kind(kind_name), request, UnixMillis(0))
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.len(), vectors.iter().filter(|vector| vector.valid).count()), (16, 9));
    for vector in vectors {
        let verdict = vector.with_request(|request| verify(&vector.kind, &credentials(&vector), request));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let found = match (&*vector.kind, Bandwidth.event(kind(&vector.kind), request).unwrap()) {
                ("voice", Event::Call(call)) => call,
                ("status", Event::Status { call: Some(call), status: "hangup", .. }) => call,
                ("sms", Event::Message(call)) => call,
                (_, other) => panic!("{}: {other:?}", vector.name),
            };
            let expected = [&*vector.call_id, &*vector.from, &*vector.to];
            assert_eq!([&*found.call_id, &*found.from, &*found.to], expected, "{}", vector.name);
            assert_eq!(found.called().map(|to| to.to_string()), vector.to_e164, "{}", vector.name);
            let claim = Bandwidth.claim(kind(&vector.kind), request);
            let account = (vector.kind != "sms").then_some("55555555");
            assert_eq!(claim.external_id.as_deref(), account, "{}", vector.name);
            assert_eq!(claim.to.as_deref(), Some(&*vector.to), "{}", vector.name);
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    let vector = vectors().into_iter().find(|vector| vector.name == "disconnect").unwrap();
    vector.with_request(|request| match Bandwidth.event(kind("status"), request).unwrap() {
        Event::Status { report, .. } => {
            let expected = Report {
                progress: Progress::Ended(End::Completed),
                at_ms: Some(1_795_198_467_123),
                duration_ms: Some(41_997),
                reason: Some("hangup".into()),
                ..Report::default()
            };
            assert_eq!(report, expected);
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn the_password_is_shown_once_and_whole() {
    let check = |shown: &[&str], credentials: &[Credential], expected: Result<(), VerifyError>| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for value in shown {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        for kind in ["voice", "status", "sms"] {
            signed::with_request("POST", "https://edge.example.com/w?s=x", &headers, b"{}", |request| {
                assert_eq!(verify(kind, credentials, request), expected, "{kind} {shown:?}");
            });
        }
    };
    // "user:pass"
    let right = "Basic dXNlcjpwYXNz";
    let known = [basic("user", "pass")];
    check(&[right], &known, Ok(()));
    check(&["bAsIc   dXNlcjpwYXNz"], &known, Ok(()));
    check(&[right], &[basic("user", "other"), basic("user", "pass")], Ok(()));
    check(&[], &known, Err(VerifyError::Missing));
    check(&[right, right], &known, Err(VerifyError::Missing));
    check(&["Basic", "dXNlcjpwYXNz"], &known, Err(VerifyError::Missing));
    check(&["Basic "], &known, Err(VerifyError::Missing));
    check(&["Digest dXNlcjpwYXNz"], &known, Err(VerifyError::Missing));
    check(&["Basicd XNlcjpwYXNz"], &known, Err(VerifyError::Missing));
    check(&["Basic dXNlcjpwYXN"], &known, Err(VerifyError::Mismatch));
    check(&["Basic dXNlcjpwYXNzAA=="], &known, Err(VerifyError::Mismatch));
    check(&["Basic dXNlcjpwYXNz dXNlcjpwYXNz"], &known, Err(VerifyError::Mismatch));
    check(&[right], &[], Err(VerifyError::Mismatch));
    check(&[right], &[basic("user", "pas")], Err(VerifyError::Mismatch));
    check(&[right], &[basic("use", "r:pass")], Err(VerifyError::Mismatch));
    check(
        &[right],
        &[Credential { kind: "token".into(), ..basic("user", "pass") }],
        Err(VerifyError::Mismatch),
    );
    // "user:" and ":": nobody's password is empty, and a user name ends at the first colon.
    check(&["Basic dXNlcjo="], &[basic("user", "")], Err(VerifyError::Mismatch));
    check(&["Basic Og=="], &[basic("", "")], Err(VerifyError::Mismatch));
    check(&[right], &[basic("user:pa", "ss")], Err(VerifyError::Mismatch));
    check(&["Basic dXNlcjpwYTpzcw=="], &[basic("user:pa", "ss")], Err(VerifyError::Mismatch));
}

/// Calls `check` with a request to `/webhooks/bandwidth/KIND` and this query.
fn with_body<T>(query: &str, body: &str, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    let url = format!("https://edge.example.com/webhooks/bandwidth/a1{query}");
    signed::with_request("POST", &url, &headers, body.as_bytes(), check)
}

fn call_event(event_type: &str, more: &str) -> String {
    format!(
        r#"{{"eventType":"{event_type}","accountId":"5","callId":"c-1","to":"+15553334444","from":"Private"{more}}}"#
    )
}

#[test]
fn what_follows_a_step_is_proven_by_its_state_alone() {
    let check = |query: &str, expected: Result<(), VerifyError>| {
        with_body(query, &call_event("redirect", ""), |request| {
            assert_eq!(verify("after", &[basic("user", "pass")], request), expected, "{query}");
            // What nobody proves says nothing.
            let event = Bandwidth.event(kind("after"), request);
            assert_eq!(event.is_ok(), expected.is_ok(), "{query}: {event:?}");
        });
    };
    check("?s=sealed", Ok(()));
    check("?a=1&s=sealed", Ok(()));
    check("", Err(VerifyError::Missing));
    check("?s=", Err(VerifyError::Missing));
    check("?S=sealed", Err(VerifyError::Missing));
    check("?s=%zz", Err(VerifyError::Missing));
    // No state opens another kind.
    with_body("?s=sealed", &call_event("initiate", ""), |request| {
        for kind in ["voice", "status", "sms"] {
            assert_eq!(verify(kind, &[basic("user", "pass")], request), Err(VerifyError::Missing), "{kind}");
        }
    });
}

#[test]
fn a_state_brings_nothing_but_the_end_of_a_step() {
    let types = ["initiate", "answer", "disconnect", "gather", "transferAnswer", "message-received", ""];
    for event_type in types {
        with_body("?s=sealed", &call_event(event_type, r#","cause":"hangup""#), |request| {
            let event = Bandwidth.event(kind("after"), request);
            assert!(matches!(event, Err(ParseError::Foreign(_))), "{event_type}: {event:?}");
        });
    }
}

#[test]
fn a_step_says_how_it_ended() {
    let check = |event_type: &str, more: &str, expected: StepResult| {
        with_body("?s=st-_1", &call_event(event_type, more), |request| {
            match Bandwidth.event(kind("after"), request).unwrap() {
                Event::After(end) => {
                    assert_eq!((end.result, end.state.as_deref()), (expected, Some("st-_1")), "{more}");
                    let progress = end.report.map(|report| report.progress);
                    assert_eq!(progress, (event_type == "recordComplete").then_some(Progress::Voicemail));
                    assert_eq!((&*end.call.call_id, &*end.call.to), ("c-1", "+15553334444"));
                }
                other => panic!("{other:?}"),
            }
        });
    };
    check("redirect", "", StepResult::Unknown);
    check("recordComplete", r#","duration":"PT13.67S","channels":1"#, StepResult::Done);
    check("transferComplete", r#","cause":"hangup","direction":"inbound""#, StepResult::Done);
    check("transferComplete", "", StepResult::Unknown);
    for cause in ["busy", "timeout", "cancel", "rejected", "error", "account-limit", "something-new"] {
        check("transferComplete", &format!(r#","cause":"{cause}""#), StepResult::Failed);
    }
}

#[test]
fn the_end_of_a_call_is_no_new_call() {
    for (cause, expected) in [("cancel", "cancel"), ("something-new", "other")] {
        for kind_name in ["voice", "status"] {
            with_body("", &call_event("disconnect", &format!(r#","cause":"{cause}""#)), |request| {
                match Bandwidth.event(kind(kind_name), request).unwrap() {
                    Event::Status { call: Some(_), status, .. } => assert_eq!(status, expected),
                    other => panic!("{other:?}"),
                }
            });
        }
    }
}

#[test]
fn the_first_message_of_a_list_counts() {
    let check = |body: &str, expected: Result<[&str; 3], &str>| {
        with_body("", body, |request| match (Bandwidth.event(kind("sms"), request).unwrap(), expected) {
            (Event::Message(found), Ok(expected)) => {
                assert_eq!([&*found.call_id, &*found.to, &*found.from], expected, "{body}");
            }
            (Event::Status { call: None, status, .. }, Err(expected)) => {
                assert_eq!(status, expected, "{body}")
            }
            (other, _) => panic!("{body}: {other:?}"),
        });
    };
    let received = |id: &str| {
        let message =
            format!(r#"{{"id":"{id}","owner":"+1555333{id}","from":"+1","to":["+2","+3"],"text":"\u00e9"}}"#);
        format!(r#"{{"type":"message-received","to":"+1555000","message":{message}}}"#)
    };
    let delivered =
        r#"{"type":"message-delivered","to":"+1","message":{"id":"m","owner":"+1555","from":"+1555"}}"#;
    let (one, two) = (received("4441"), received("4442"));
    check(&format!("[{one}]"), Ok(["4441", "+15553334441", "+1"]));
    check(&format!("[{one},{two},{delivered}]"), Ok(["4441", "+15553334441", "+1"]));
    check(&format!("[{delivered},{two},{one}]"), Ok(["4442", "+15553334442", "+1"]));
    check(&format!("[{delivered}]"), Err("message-delivered"));
    let ownerless = r#"[{"type":"message-received","to":"+15553334444","message":{"id":"m"}}]"#;
    check(ownerless, Ok(["m", "+15553334444", ""]));
}

#[test]
fn what_is_needed_is_there_once() {
    let check = |kind_name: &str, body: &str, expected: ParseError| {
        with_body("", body, |request| {
            assert_eq!(Bandwidth.event(kind(kind_name), request).err(), Some(expected), "{body}");
        });
    };
    check("voice", "{}", ParseError::Missing("eventType"));
    check("voice", r#"{"eventType":"initiate","to":"+1"}"#, ParseError::Missing("callId"));
    check("voice", r#"{"eventType":"initiate","callId":"c"}"#, ParseError::Missing("to"));
    check(
        "voice",
        r#"{"eventType":"initiate","callId":"c","to":""}"#,
        ParseError::Invalid("to", "it is empty".into()),
    );
    check("voice", &call_event("answer", ""), ParseError::Foreign("wanted eventType initiate"));
    check("status", &call_event("initiate", ""), ParseError::Foreign("wanted eventType disconnect"));
    check("sms", "[]", ParseError::Missing("type"));
    check("sms", r#"[{"type":"message-received"}]"#, ParseError::Missing("message"));
    check(
        "sms",
        r#"[{"type":"message-received","message":{"owner":"+1"}}]"#,
        ParseError::Missing("message.id"),
    );
    check(
        "sms",
        r#"[{"type":"message-received","message":{"id":"m"}}]"#,
        ParseError::Missing("message.owner"),
    );
    check("sms", r#"[{"type":"other"}]"#, ParseError::Foreign("wanted type message-received"));
    let malformed = |kind_name: &str, body: &str| {
        with_body("?s=1", body, |request| {
            let event = Bandwidth.event(kind(kind_name), request);
            assert!(matches!(event, Err(ParseError::Json(_))), "{body}: {event:?}");
        });
    };
    for kind_name in ["voice", "after", "status"] {
        malformed(kind_name, &call_event("initiate", r#","to":"+15550000000""#));
        malformed(kind_name, &call_event("initiate", r#","cause":7"#));
        malformed(kind_name, r#"{"eventType":"initiate","callId":["c"],"to":"+1"}"#);
        malformed(kind_name, &format!("{}x", call_event("initiate", "")));
    }
    malformed("sms", r#"{"type":"message-received"}"#);
    malformed("sms", r#"[{"type":"message-received","message":{"id":"m","id":"n","owner":"+1"}}]"#);
    malformed("sms", r#"[{"type":"message-received","message":{"id":1,"owner":"+1"}}]"#);
}

#[test]
fn strange_bodies_are_errors() {
    let mut count = 0;
    for body in hostile::of_others("bandwidth").into_iter().chain(hostile::malformed("application/json")) {
        for kind in Bandwidth.kinds() {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", body.content_type.parse().unwrap());
            let method = "POST".parse().unwrap();
            let request = WebhookRequest::new(&method, "/webhooks/bandwidth?s=1", &headers, &body.bytes, &[]);
            let event = request.as_ref().map(|request| {
                assert_eq!(Bandwidth.claim(kind, request).external_id, None, "{}", body.from);
                Bandwidth.event(kind, request)
            });
            assert!(!matches!(event, Ok(Ok(_))), "{}: {event:?}", body.from);
            count += 1;
        }
    }
    assert!(count > 100);
}

#[test]
fn no_bytes_make_it_panic() {
    for vector in vectors() {
        let headers = vector.headers();
        let kind = kind(&vector.kind);
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_request("POST", &vector.url, &headers, body, |request| {
                let _ = (Bandwidth.claim(kind, request), Bandwidth.event(kind, request).is_ok());
            });
        });
    }
}
