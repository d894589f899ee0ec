//! Requests signed as Bland's document says (`fixtures/signed.json`), and what nobody may get past that.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::Bland;
use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::request::VerifyError;
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-webhook-signature");

fn all() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn kind() -> &'static Kind {
    &Bland.kinds()[0]
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    vector.secrets.iter().map(|secret| Credential::new(&secret.r#type, &secret.value)).collect()
}

fn verdict(
    credentials: &[Credential],
    vector: &Vector,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), VerifyError> {
    let verifier = Bland.verifier(credentials);
    vector.with_changes(headers, body, |request| verifier.verify(kind(), request, UnixMillis(vector.now_ms)))
}

#[test]
fn verify_agrees_with_the_document() {
    let all = all();
    assert_eq!((all.len(), all.iter().filter(|vector| vector.valid).count()), (6, 3));
    for vector in all {
        assert_eq!((vector.kind_in_url(), &*vector.kind), ("post-call", "post_call"), "{}", vector.name);
        let verdict = verdict(&credentials(&vector), &vector, &vector.headers(), vector.body.as_bytes());
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in all() {
        vector.with_request(|request| match Bland.event(kind(), request).unwrap() {
            Event::Status { call: Some(call), status: "completed", .. } => {
                let found = [&*call.to, &*call.from, &*call.call_id];
                let name = &vector.name;
                assert_eq!(found, [&*vector.to, &*vector.from, &*vector.call_id], "{name}");
                assert_eq!(call.called().map(|number| number.to_string()), vector.to_e164, "{name}");
                assert_eq!(Bland.claim(kind(), request).to, Some(call.to), "{name}");
            }
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    let vector = all().into_iter().find(|vector| vector.name == "post_call").unwrap();
    vector.with_request(|request| match Bland.event(kind(), request).unwrap() {
        Event::Status { report, .. } => {
            let cost = Cost { amount: "0.12".into(), currency: "USD".into(), stages: Vec::new() };
            let expected = Report {
                progress: Progress::Ended(End::Completed),
                at_ms: Some(1_793_534_361_000),
                duration_ms: Some(81_000),
                cost: Some(cost),
                ..Report::default()
            };
            assert_eq!(report, expected);
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn one_whole_signature_of_the_accounts_own_secret_counts() {
    let vector = all().into_iter().find(|vector| vector.name == "post_call").unwrap();
    let (headers, body) = (vector.headers(), vector.body.as_bytes());
    let own = credentials(&vector);
    let signature = headers[&SIGNATURE].to_str().unwrap().to_owned();
    let check = |values: &[&str], expected: VerifyError| {
        let mut headers = headers.clone();
        headers.remove(&SIGNATURE);
        for value in values {
            headers.append(&SIGNATURE, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(verdict(&own, &vector, &headers, body), Err(expected), "{values:?}");
    };
    check(&[], VerifyError::Missing);
    check(&[""], VerifyError::Missing);
    check(&[&signature, &signature], VerifyError::Missing);
    check(&[&signature[..63]], VerifyError::Mismatch);
    check(&[&format!("{signature}0")], VerifyError::Mismatch);
    check(&[&format!("sha256={signature}")], VerifyError::Mismatch);
    for secret in ["", "other"] {
        let other = [Credential::new("webhook_secret", secret)];
        assert_eq!(verdict(&other, &vector, &headers, body), Err(VerifyError::Mismatch));
    }
    assert_eq!(verdict(&[], &vector, &headers, body), Err(VerifyError::Mismatch));
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        assert_eq!(verdict(&own, &vector, &headers, &changed), Err(VerifyError::Mismatch), "byte {at}");
    }
}

#[test]
fn calls_of_an_agents_own_are_outbound() {
    let check = |body: &str, to: &str, is_outbound: bool, expected: &str| {
        signed::with_json(body.as_bytes(), |request| match Bland.event(kind(), request).unwrap() {
            Event::Status { call: Some(call), status, report } => {
                assert_eq!((&*call.to, report.is_outbound, status), (to, is_outbound, expected), "{body}");
            }
            other => panic!("{other:?}"),
        });
    };
    let ours = "+14155550181";
    check(r#"{"call_id":"c","to":"14155550181","completed":true}"#, ours, false, "completed");
    let made = r#"{"call_id":"c","to":"12025550147","from":"14155550181","completed":true,"inbound":false}"#;
    check(made, ours, true, "completed");
    check(r#"{"call_id":"c","to":"12025550147","completed":true,"inbound":false}"#, "", true, "completed");
    check(
        r#"{"call_id":"c","to":"14155550181","completed":null,"call_length":0.5,"from":7,"status":"no-answer"}"#,
        ours,
        false,
        "no-answer",
    );
    check(r#"{"call_id":"c","to":"14155550181","completed":false,"status":"new"}"#, ours, false, "other");
    check(r#"{"call_id":"c","to":"14155550181","completed":false,"status":["x"]}"#, ours, false, "other");
}

#[test]
fn what_bland_does_not_send_is_an_error() {
    let given = [
        r#"{"call_id":7,"to":"1","completed":true}"#,
        r#"{"call_id":"c","completed":true}"#,
        r#"{"call_id":"c","to":"1"}"#,
        r#"{"call_id":"c","call_id":"d","to":"1","completed":true}"#,
    ];
    let given = given.map(|text| text.as_bytes().to_vec());
    let unwanted = hostile::malformed("application/json").into_iter().chain(hostile::of_others("bland"));
    let unwanted = unwanted.map(|body| body.bytes);
    for body in unwanted.chain(given) {
        signed::with_json(&body, |request| {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            assert!(Bland.event(kind(), request).is_err(), "{shown}");
            let _ = Bland.claim(kind(), request);
        });
    }
}

#[test]
fn damaged_bodies_never_panic() {
    for vector in all().iter().filter(|vector| vector.valid) {
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_json(body, |request| {
                let _ = (Bland.event(kind(), request), Bland.claim(kind(), request));
            });
        });
    }
}

#[test]
fn nothing_is_answered() {
    let rendered = Bland.acknowledge(kind());
    assert_eq!((rendered.status, &*rendered.body), (200, &b"{}"[..]));
}
