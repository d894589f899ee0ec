//! Requests signed with Vonage's own SDK (`fixtures/signed.json` says how), and what nobody may get past it.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};

use super::Vonage;
use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::{UnixMillis, UnixSeconds};

fn all() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn named(name: &str) -> Vector {
    all().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    Vonage.kinds().iter().find(|kind| kind.name == name).unwrap()
}

/// Vonage has one secret for calls and messages; the file has two, never in one request.
fn credentials(vector: &Vector) -> Vec<Credential> {
    let mut credentials = Vec::new();
    for secret in &vector.secrets {
        credentials.push(Credential::new("signature_secret", &secret.value));
        if !secret.method.is_empty() {
            credentials.push(Credential::new("sms_signature_method", &secret.method));
        }
    }
    credentials
}

fn verdict(vector: &Vector, headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<(), VerifyError> {
    verdict_of(&credentials(vector), vector, headers, body, now_s)
}

fn verdict_of(
    credentials: &[Credential],
    vector: &Vector,
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Result<(), VerifyError> {
    let verifier = Vonage.verifier(credentials);
    vector.with_changes(headers, body, |request| {
        verifier.verify(kind(&vector.kind), request, UnixSeconds(now_s).into())
    })
}

#[test]
fn verify_agrees_with_the_sdk() {
    let all = all();
    assert_eq!((all.len(), all.iter().filter(|vector| vector.valid).count()), (20, 9));
    for vector in all {
        let verdict = verdict(&vector, &vector.headers(), vector.body.as_bytes(), vector.now);
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in all() {
        vector.with_request(|request| {
            let call = match (&*vector.kind, Vonage.event(kind(&vector.kind), request).unwrap()) {
                ("voice", Event::Call(call)) | ("sms", Event::Message(call)) => call,
                ("status", Event::Status { call: Some(call), status: "completed", .. }) => call,
                (_, other) => panic!("{other:?}"),
            };
            assert_eq!(Some(&*call.to), vector.to_e164.as_deref(), "{}", vector.name);
            assert_eq!(call.call_id, vector.call_id, "{}", vector.name);
            let from = vector.from.clone();
            let number = from.bytes().all(|byte| byte.is_ascii_digit());
            assert_eq!(*call.from, if number { format!("+{from}") } else { from }, "{}", vector.name);
            assert_eq!(call.called().map(|number| number.to_string()), vector.to_e164, "{}", vector.name);
            let claim = Vonage.claim(kind(&vector.kind), request);
            assert_eq!(claim.to, Some(call.to), "{}", vector.name);
            let names_account = !matches!(&*vector.name, "bad-no-header" | "bad-basic" | "bad-alg-none");
            assert_eq!(claim.external_id.as_deref(), names_account.then_some("a1b2c3d4"), "{}", vector.name);
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    named("event-completed").with_request(|request| match Vonage.event(kind("status"), request).unwrap() {
        Event::Status { call: Some(call), report, .. } => {
            let conversation = "CON-aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
            assert_eq!(call.carrier_call_id.as_deref(), Some(conversation));
            let cost = Cost { amount: "0.00277500".into(), currency: "EUR".into(), stages: Vec::new() };
            let expected = Report {
                progress: Progress::Ended(End::Completed),
                at_ms: Some(1_795_198_467_000),
                duration_ms: Some(37_000),
                cost: Some(cost),
                ..Report::default()
            };
            assert_eq!(report, expected);
        }
        other => panic!("{other:?}"),
    });
    named("event-unicode").with_request(|request| match Vonage.event(kind("status"), request).unwrap() {
        Event::Status { report, .. } => assert_eq!(report.reason.as_deref(), Some("Überlastung 🚧")),
        other => panic!("{other:?}"),
    });
}

#[test]
fn one_token_signs_one_request_for_five_minutes() {
    let vector = named("answer-post");
    let (headers, body) = (vector.headers(), vector.body.as_bytes());
    let issued_at = 1_795_200_000;
    for age_s in [-300, 0, 300] {
        assert_eq!(verdict(&vector, &headers, body, issued_at + age_s), Ok(()));
    }
    for age_s in [-301, 301, 100_000] {
        let expected = Err(VerifyError::Stale { age_s, age_s_max: 300 });
        assert_eq!(verdict(&vector, &headers, body, issued_at + age_s), expected);
    }
    for now_s in [i64::MIN / 1000, i64::MAX / 1000] {
        assert!(matches!(verdict(&vector, &headers, body, now_s), Err(VerifyError::Stale { .. })));
    }
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        assert_eq!(verdict(&vector, &headers, &changed, vector.now), Err(VerifyError::Mismatch), "byte {at}");
    }
    for cut in [1, body.len()] {
        let short = &body[..body.len() - cut];
        assert_eq!(verdict(&vector, &headers, short, vector.now), Err(VerifyError::Mismatch));
    }
}

#[test]
fn a_header_is_there_once_and_whole() {
    let vector = named("answer-post");
    let (headers, body) = (vector.headers(), vector.body.as_bytes());
    let token = headers[AUTHORIZATION].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let check = |value: Option<&str>, expected: Result<(), VerifyError>| {
        let mut headers = headers.clone();
        headers.remove(AUTHORIZATION);
        if let Some(value) = value {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(verdict(&vector, &headers, body, vector.now), expected, "{value:?}");
    };
    check(Some(&format!("bearer {token}")), Ok(()));
    check(Some(&format!("BEARER  {token} ")), Ok(()));
    check(None, Err(VerifyError::Missing));
    check(Some(token), Err(VerifyError::Missing));
    check(Some(""), Err(VerifyError::Missing));
    check(Some("Bearer"), Err(VerifyError::Missing));
    check(Some("Bearer "), Err(VerifyError::Mismatch));
    check(Some(&format!("Bearer {token},Bearer {token}")), Err(VerifyError::Mismatch));
    let mut changed = token.to_owned();
    for at in (0..token.len()).step_by(7) {
        let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
        changed.replace_range(at..=at, other);
        check(Some(&format!("Bearer {changed}")), Err(VerifyError::Mismatch));
        changed.replace_range(at..=at, &token[at..=at]);
    }
    let mut doubled = headers.clone();
    doubled.append(AUTHORIZATION, headers[AUTHORIZATION].clone());
    assert_eq!(verdict(&vector, &doubled, body, vector.now), Err(VerifyError::Missing));
}

#[test]
fn only_the_accounts_secret_and_application_count() {
    let vector = named("answer-post");
    let secret = &*vector.secrets[0].value;
    let check = |credentials: &[(&str, &str)], expected: Result<(), VerifyError>| {
        let given: Vec<_> = credentials.iter().map(|(kind, value)| Credential::new(kind, value)).collect();
        let verdict = verdict_of(&given, &vector, &vector.headers(), vector.body.as_bytes(), vector.now);
        assert_eq!(verdict, expected, "{credentials:?}");
    };
    let application = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
    check(&[("signature_secret", "other"), ("signature_secret", secret)], Ok(()));
    check(&[("signature_secret", secret), ("application_id", application)], Ok(()));
    check(&[("signature_secret", secret), ("application_id", &application.to_uppercase())], Ok(()));
    let other = application.replace('a', "b");
    check(&[("signature_secret", secret), ("application_id", &other)], Err(VerifyError::UnknownKey));
    check(&[], Err(VerifyError::Mismatch));
    check(&[("signature_secret", "")], Err(VerifyError::Mismatch));
    check(&[("signature_secret", "other")], Err(VerifyError::Mismatch));
    check(&[("auth_token", secret)], Err(VerifyError::Mismatch));
}

#[test]
fn a_message_with_a_token_is_proven_by_it() {
    let vector = named("answer-post");
    let verifier = Vonage.verifier(&credentials(&vector));
    vector.with_request(|request| {
        let now = UnixSeconds(vector.now).into();
        assert_eq!(verifier.verify(kind("sms"), request, now), Ok(()));
    });
    let body =
        br#"{"channel":"sms","message_uuid":"m1","to":"447700900000","from":"447700900001","text":"hi"}"#;
    signed::with_json(body, |request| match Vonage.event(kind("sms"), request).unwrap() {
        Event::Message(call) => {
            assert_eq!([&*call.call_id, &*call.to, &*call.from], ["m1", "+447700900000", "+447700900001"]);
        }
        other => panic!("{other:?}"),
    });
}

/// Calls `check` with what an event of a step is taken for, sent to the URL that the step's NCCO named.
fn with_step_event(query: &str, body: &str, check: impl FnOnce(Result<Event<'_>, ParseError>)) {
    let target = format!("/webhooks/vonage/after/a1?{query}");
    let headers = [(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let headers = headers.into_iter().collect();
    let public_urls = ["https://x.example".parse().unwrap()];
    let request =
        WebhookRequest::new(&Method::POST, &target, &headers, body.as_bytes(), &public_urls).unwrap();
    check(Vonage.event(kind("after"), &request));
}

const CARRIED: &str = "s=c3&call=leg-1&called=%2B442079460958&caller=%2B447700900461";

fn leg_event(status: &str) -> String {
    format!(
        r#"{{"uuid":"leg-2","conversation_uuid":"CON-1","from":"442079460958","to":"12025550147","status":"{status}"}}"#
    )
}

#[test]
fn what_ends_a_step_asks_what_follows() {
    let check = |body: &str, expected: StepResult| {
        with_step_event(CARRIED, body, |event| match event.unwrap() {
            Event::After(end) => {
                assert_eq!(end.result, expected, "{body}");
                assert_eq!(end.state.as_deref(), Some("c3"));
                let call = [&*end.call.call_id, &*end.call.to, &*end.call.from];
                assert_eq!(call, ["leg-1", "+442079460958", "+447700900461"]);
                let progress = end.report.map(|report| report.progress);
                let left_a_message = body.contains("recording_url").then_some(Progress::Voicemail);
                assert_eq!(progress, left_a_message, "{body}");
            }
            other => panic!("{body}: {other:?}"),
        });
    };
    for status in ["timeout", "failed", "rejected", "unanswered", "busy"] {
        check(&leg_event(status), StepResult::Failed);
    }
    check(&leg_event("disconnected"), StepResult::Unknown);
    check(r#"{"conversation_uuid":"CON-1","recording_url":"https://r.example/1"}"#, StepResult::Done);
    check(r#"{"conversation_uuid":"CON-1","payload":{"uuid":"leg-1"}}"#, StepResult::Failed);
}

#[test]
fn what_does_not_end_a_step_is_told_and_no_more() {
    for status in ["started", "ringing", "answered", "machine", "human", "cancelled", "completed", "new"] {
        with_step_event(CARRIED, &leg_event(status), |event| match event.unwrap() {
            Event::Status { call: Some(call), status: label, report } => {
                assert_eq!(label, if status == "new" { "other" } else { status });
                // A call of its own, of the caller's: what becomes of it doesn't become of that.
                let names = [&*call.call_id, &*call.to, call.carrier_call_id.as_deref().unwrap()];
                assert_eq!((names, report.is_outbound), (["leg-2", "+442079460958", "leg-1"], true));
            }
            other => panic!("{status}: {other:?}"),
        });
    }
}

/// The one step of the NCCO that rings the next address.
fn rung_next(query: &str, status: &str) -> serde_json::Value {
    let mut step = serde_json::Value::Null;
    with_step_event(query, &leg_event(status), |event| match event.unwrap() {
        Event::Continued { call, rendered, .. } => {
            assert_eq!([&*call.call_id, &*call.to], ["leg-1", "+442079460958"]);
            let ncco: [serde_json::Value; 1] = serde_json::from_slice(&rendered.body).unwrap();
            [step] = ncco;
        }
        other => panic!("{other:?}"),
    });
    step
}

#[test]
fn addresses_ring_one_after_the_other() {
    let step = rung_next(&format!("{CARRIED}&next=%2B12025550148%2Csip%3Adesk%40h&timeout=15"), "unanswered");
    assert_eq!(step["endpoint"][0]["number"], "12025550148");
    assert_eq!((&step["from"], &step["timeout"]), (&"442079460958".into(), &15.into()));
    let url = step["eventUrl"][0].as_str().unwrap();
    let query = url.strip_prefix("https://x.example/webhooks/vonage/after/a1?").unwrap();
    let step = rung_next(query, "busy");
    assert_eq!(step["endpoint"][0]["uri"], "sip:desk@h");
    let query = step["eventUrl"][0].as_str().unwrap().split_once('?').unwrap().1;
    with_step_event(query, &leg_event("busy"), |event| match event.unwrap() {
        Event::After(end) => assert_eq!((end.result, end.state.as_deref()), (StepResult::Failed, Some("c3"))),
        other => panic!("{other:?}"),
    });
}

#[test]
fn events_of_called_legs_are_about_no_call_of_ours() {
    let event = r#"{"uuid":"u","conversation_uuid":"c","to":"447700900461","from":"442079460958","status":"answered",
        "direction":"outbound"}"#;
    signed::with_json(event.as_bytes(), |request| match Vonage.event(kind("status"), request).unwrap() {
        Event::Status { call: Some(call), status: "answered", report } => {
            assert_eq!(([&*call.call_id, &*call.to, &*call.from], report.is_outbound), (["u", "", ""], true));
            assert_eq!(call.carrier_call_id.as_deref(), Some("c"));
        }
        other => panic!("{other:?}"),
    });
    for (body, label) in [
        (r#"{"conversation_uuid":"c","reason":"Syntax error in NCCO"}"#, "error"),
        (r#"{"conversation_uuid":"c","recording_url":"https://r.example"}"#, "recording"),
        (r#"{"conversation_uuid_from":"c","conversation_uuid_to":"d"}"#, "other"),
    ] {
        signed::with_json(body.as_bytes(), |request| match Vonage.event(kind("status"), request).unwrap() {
            Event::Status { call: None, status, .. } => assert_eq!(status, label, "{body}"),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn odd_fields_refuse_no_call() {
    for body in [
        r#"{"uuid":"u","to":"442079460958"}"#,
        r#"{"uuid":"u","to":"442079460958","from":null,"direction":7}"#,
        r#"{"uuid":"u","to":"442079460958","from":{"a":["b"]},"region_url":[[]]}"#,
    ] {
        signed::with_json(body.as_bytes(), |request| match Vonage.event(kind("voice"), request).unwrap() {
            Event::Call(call) => assert_eq!([&*call.to, &*call.from], ["+442079460958", ""]),
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn what_vonage_does_not_send_is_an_error() {
    let given = [
        r#"{"uuid":"u"}"#,
        r#"{"uuid":"u","to":7}"#,
        r#"{"uuid":["u"],"to":"442079460958"}"#,
        r#"{"uuid":"u","to":"1","to":"442079460958"}"#,
        r#"{"uuid":"u","to":"442079460958","status":"completed"}"#,
        r#"{"uuid":"u","to":"442079460958""#,
    ];
    let unwanted = hostile::malformed("application/json").into_iter().chain(hostile::of_others("vonage"));
    let unwanted = unwanted.map(|body| body.bytes);
    for body in unwanted.chain(given.map(|text| text.as_bytes().to_vec())) {
        signed::with_json(&body, |request| {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            assert!(Vonage.event(kind("voice"), request).is_err(), "{shown}");
            assert!(Vonage.event(kind("sms"), request).is_err(), "{shown}");
            let _ = Vonage.claim(kind("voice"), request);
        });
    }
}

#[test]
fn damaged_requests_never_panic() {
    for vector in all().iter().filter(|vector| vector.valid) {
        let verifier = Vonage.verifier(&credentials(vector));
        let headers = vector.headers();
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            vector.with_changes(&headers, body, |request| {
                for kind in Vonage.kinds() {
                    let _ = Vonage.event(kind, request);
                    let _ = Vonage.claim(kind, request);
                    let _ = verifier.verify(kind, request, UnixMillis(0));
                }
            });
        });
    }
}
