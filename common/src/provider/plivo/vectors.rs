//! Requests signed and checked with Plivo's own SDK, and others that nobody signed.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Plivo;
use crate::call;
use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::UnixMillis;

fn vectors() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    Plivo.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    vector.secrets.iter().map(|secret| Credential::new(&secret.r#type, &secret.value)).collect()
}

fn verify(
    kind_name: &str,
    credentials: &[Credential],
    request: &WebhookRequest<'_>,
) -> Result<(), VerifyError> {
    Plivo.verifier(credentials).verify(kind(kind_name), request, UnixMillis(0))
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.len(), vectors.iter().filter(|vector| vector.valid).count()), (20, 11));
    for vector in vectors {
        let verdict = vector.with_request(|request| verify(&vector.kind, &credentials(&vector), request));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
        // What follows a step is signed as the call is.
        if vector.kind == "voice" {
            let after = vector.with_request(|request| verify("after", &credentials(&vector), request));
            assert_eq!(after, verdict, "{}", vector.name);
        }
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let found = match (&*vector.kind, Plivo.event(kind(&vector.kind), request).unwrap()) {
                ("voice", Event::Call(call)) => call,
                ("status", Event::Status { call: Some(call), status: "completed", .. }) => call,
                ("sms", Event::Message(call)) => call,
                (_, other) => panic!("{}: {other:?}", vector.name),
            };
            assert_eq!(found.call_id, vector.call_id, "{}", vector.name);
            assert_eq!(found.from.trim_start_matches('+'), vector.from, "{}", vector.name);
            assert_eq!(found.to.trim_start_matches('+'), vector.to, "{}", vector.name);
            assert_eq!(found.called().map(|to| to.to_string()), vector.to_e164, "{}", vector.name);
            let claim = Plivo.claim(kind(&vector.kind), request);
            let account = (vector.kind != "sms").then_some("MAXXXXXXXXXXXXXXXXXX");
            assert_eq!(claim.external_id.as_deref(), account, "{}", vector.name);
            assert_eq!(claim.to.as_deref().and_then(call::address), found.called(), "{}", vector.name);
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    vector("hangup-v3").with_request(|request| match Plivo.event(kind("status"), request).unwrap() {
        Event::Status { report, .. } => {
            let cost = Cost { amount: "0.00850".into(), currency: "USD".into(), stages: Vec::new() };
            let expected = Report {
                progress: Progress::Ended(End::Completed),
                at_ms: Some(1_795_198_467_000),
                duration_ms: Some(37_000),
                reason: Some("NORMAL_CLEARING".into()),
                cost: Some(cost),
                is_outbound: false,
            };
            assert_eq!(report, expected);
        }
        other => panic!("{other:?}"),
    });
}

/// The verdict on a vector with a header changed.
fn with_headers(
    vector: &Vector,
    kind_name: &str,
    change: impl FnOnce(&mut HeaderMap),
) -> Result<(), VerifyError> {
    let mut headers = vector.headers();
    change(&mut headers);
    vector.with_headers(&headers, |request| verify(kind_name, &credentials(vector), request))
}

#[test]
fn each_header_is_there_once() {
    for (name, kind) in
        [("answer-post-v3", "voice"), ("answer-subaccount-main-v3", "voice"), ("message-v2", "sms")]
    {
        let vector = vector(name);
        for header in vector.headers.keys().filter(|name| name.starts_with("X-Plivo")) {
            let name: HeaderName = header.parse().unwrap();
            let doubled = with_headers(&vector, kind, |headers| {
                headers.append(&name, headers[&name].clone());
            });
            assert_eq!(doubled, Err(VerifyError::Missing), "{header}");
            let empty = with_headers(&vector, kind, |headers| {
                headers.insert(&name, HeaderValue::from_static(""));
            });
            assert_eq!(empty, Err(VerifyError::Missing), "{header}");
            let missing = with_headers(&vector, kind, |headers| drop(headers.remove(&name)));
            // Of two signatures one is enough, when it is the one that the account has the token of.
            let spare = vector.headers.len() == 4 && header == "X-Plivo-Signature-V3";
            assert_eq!(missing.is_ok(), spare, "{header}: {missing:?}");
        }
    }
}

#[test]
fn a_token_proves_its_own_header_only() {
    let check = |name: &str, kind_name: &str, kind: &str, token: &str, expected| {
        let verdict =
            vector(name).with_request(|request| verify(kind_name, &[Credential::new(kind, token)], request));
        assert_eq!(verdict, expected, "{name} {kind_name} {kind}");
    };
    let token = "NTBiZGUyMzk3ZGFiOWM4NjViNTYxYTA5ZDFjMTI0";
    let main = "bWFpbi1hY2NvdW50LXRva2VuLTAwMDExMTIyMjMz";
    check("answer-post-v3", "voice", "auth_token", token, Ok(()));
    check("answer-post-v3", "voice", "main_auth_token", token, Err(VerifyError::Mismatch));
    check("answer-post-v3", "voice", "auth_token", "", Err(VerifyError::Mismatch));
    check("answer-post-v3", "voice", "token", token, Err(VerifyError::Mismatch));
    check("answer-post-v3", "voice", "auth_token", &token[1..], Err(VerifyError::Mismatch));
    check("answer-subaccount-main-v3", "voice", "main_auth_token", main, Ok(()));
    check("answer-subaccount-main-v3", "voice", "auth_token", main, Err(VerifyError::Mismatch));
    // A call is never decided on a message's signature, nor the other way round.
    check("message-v2", "sms", "auth_token", token, Ok(()));
    for kind_name in ["voice", "after", "status"] {
        check("message-v2", kind_name, "auth_token", token, Err(VerifyError::Missing));
    }
    check("answer-post-v3", "sms", "auth_token", token, Err(VerifyError::Missing));
}

#[test]
fn one_byte_more_or_less_is_another_request() {
    let vector = vector("answer-post-query-v3");
    let headers = vector.headers();
    let verdict = |url: &str, body: &str| {
        signed::with_request("POST", url, &headers, body.as_bytes(), |request| {
            verify("voice", &credentials(&vector), request)
        })
    };
    assert_eq!(verdict(&vector.url, &vector.body), Ok(()));
    let mut signature = vector.headers["X-Plivo-Signature-V3"].clone().into_bytes();
    signature[0] ^= 1;
    let changed = with_headers(&vector, "voice", |headers| {
        headers.insert("x-plivo-signature-v3", HeaderValue::from_bytes(&signature).unwrap());
    });
    assert_eq!(changed, Err(VerifyError::Mismatch));
    for url in [
        "https://edge.example.com/v1/plivo/answer?ws=w_42&n=a%2B",
        "https://edge.example.com/v1/plivo/answe?ws=w_42&n=a%2Bb",
        "http://edge.example.com/v1/plivo/answer?ws=w_42&n=a%2Bb",
        "https://edge.example.com/v1/plivo/answer",
        "https://edge.example.com/v1/plivo/answer?%zz",
    ] {
        assert_eq!(verdict(url, &vector.body), Err(VerifyError::Mismatch), "{url}");
    }
    assert_eq!(verdict(&vector.url, &format!("{}0", vector.body)), Err(VerifyError::Mismatch));
    assert_eq!(verdict(&vector.url, ""), Err(VerifyError::Mismatch));
}

/// The event in a form that is posted to `/webhooks/plivo/KIND?s=state`.
fn check_event(kind_name: &str, body: &str, check: impl FnOnce(Result<Event<'_>, ParseError>)) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let url = format!("https://edge.example.com/webhooks/plivo/{kind_name}?s=st-_1");
    signed::with_request("POST", &url, &headers, body.as_bytes(), |request| {
        check(Plivo.event(kind(kind_name), request));
    });
}

#[test]
fn a_step_says_how_it_ended() {
    let check = |fields: &str, expected: StepResult| {
        let body = format!("CallUUID=c1&From=1&To=14155550123{fields}");
        check_event("after", &body, |event| match event.unwrap() {
            Event::After(end) => {
                assert_eq!((end.result, end.state.as_deref()), (expected, Some("st-_1")), "{fields}");
                assert_eq!((&*end.call.call_id, &*end.call.to), ("c1", "+14155550123"));
                assert_eq!(end.report.is_some(), fields.contains("RecordUrl"), "{fields}");
            }
            other => panic!("{fields}: {other:?}"),
        });
    };
    check("&Event=Redirect", StepResult::Unknown);
    check("&DialStatus=completed", StepResult::Done);
    for status in ["busy", "failed", "timeout", "no-answer", "cancel", "", "new"] {
        check(&format!("&DialStatus={status}"), StepResult::Failed);
    }
    check("&RecordUrl=https%3A%2F%2Fmedia.example%2F1.mp3&RecordingDuration=-1", StepResult::Done);
}

#[test]
fn the_end_of_a_call_is_no_new_call() {
    for kind_name in ["voice", "after", "status"] {
        let body = "CallUUID=c1&From=1&To=14155550123&Event=Hangup&CallStatus=no-answer";
        check_event(kind_name, body, |event| {
            assert!(
                matches!(event, Ok(Event::Status { call: Some(_), status: "no-answer", .. })),
                "{event:?}"
            );
        });
    }
    check_event("sms", "MessageUUID=m1&From=14155550123&To=1510&Status=delivered", |event| {
        assert!(matches!(event, Ok(Event::Status { call: None, status: "delivered", .. })), "{event:?}");
    });
}

#[test]
fn addresses_get_the_plus_that_plivo_leaves_out() {
    let check = |from: &str, to: &str, expected: [&str; 2]| {
        check_event("voice", &format!("CallUUID=c1&From={from}&To={to}"), |event| match event.unwrap() {
            Event::Call(call) => assert_eq!([&*call.from, &*call.to], expected),
            other => panic!("{other:?}"),
        });
    };
    check("15105550198", "14155550123", ["+15105550198", "+14155550123"]);
    check("%2B15105550198", "%2B14155550123", ["+15105550198", "+14155550123"]);
    check("40404", "sip%3Adesk7%40phone.plivo.com", ["40404", "sip:desk7@phone.plivo.com"]);
    check("", "14155550123", ["", "+14155550123"]);
    check("Restricted", "0800123456", ["Restricted", "0800123456"]);
}

#[test]
fn what_is_needed_is_there_once() {
    let check = |kind_name: &str, body: &str, expected: ParseError| {
        check_event(kind_name, body, |event| assert_eq!(event.err(), Some(expected), "{body}"));
    };
    check("voice", "To=1", ParseError::Missing("CallUUID"));
    check("voice", "CallUUID=c", ParseError::Missing("To"));
    check("voice", "CallUUID=c&To=", ParseError::Invalid("To", "it is empty".into()));
    check("voice", "CallUUID=c&To=1&To=2", ParseError::Ambiguous("To"));
    check("voice", "CallUUID=c&To=1&Event=StartApp&Event=Hangup", ParseError::Ambiguous("Event"));
    check(
        "after",
        "CallUUID=c&To=1&DialStatus=busy&DialStatus=completed",
        ParseError::Ambiguous("DialStatus"),
    );
    check("sms", "CallUUID=c&To=1", ParseError::Missing("MessageUUID"));
    check("voice", "MessageUUID=c&To=1", ParseError::Missing("CallUUID"));
}

#[test]
fn strange_bodies_are_errors() {
    let form = "application/x-www-form-urlencoded";
    let mut count = 0;
    for body in hostile::of_others("plivo").into_iter().chain(hostile::malformed(form)) {
        for kind in Plivo.kinds() {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", body.content_type.parse().unwrap());
            let method = "POST".parse().unwrap();
            let request = WebhookRequest::new(&method, "/webhooks/plivo", &headers, &body.bytes, &[]);
            let event = request.as_ref().map(|request| Plivo.event(kind, request));
            assert!(!matches!(event, Ok(Ok(_))), "{}: {event:?}", body.from);
            count += 1;
        }
    }
    assert!(count > 100);
}

#[test]
fn no_bytes_make_it_panic() {
    for vector in vectors().iter().filter(|vector| vector.valid && vector.method == "POST") {
        let headers = vector.headers();
        let verifier = Plivo.verifier(&credentials(vector));
        let kind = kind(&vector.kind);
        let path = vector.url.split_once(".com").unwrap().1;
        let method = "POST".parse().unwrap();
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            let urls = ["https://edge.example.com".parse().unwrap()];
            if let Ok(request) = WebhookRequest::new(&method, path, &headers, body, &urls) {
                let proven = verifier.verify(kind, &request, UnixMillis(0)).is_ok();
                let _ = (Plivo.claim(kind, &request), Plivo.event(kind, &request).is_ok());
                // A message's body isn't covered. A call's is, but not where a name ends and its value begins.
                let covers_body = vector.kind != "sms";
                let same = vector.with_request(|signed| covered(signed) == covered(&request));
                assert!(!proven || same || !covers_body, "{}", vector.name);
            }
        });
    }
}

fn covered(request: &WebhookRequest<'_>) -> String {
    let mut text = String::new();
    request.form.each_sorted(|name, value| text.extend([name, value]));
    text
}
