//! Requests signed as jambonz does and checked with its SDK (`fixtures/signed.json` says how), and what nobody may get
//! past it.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Jambonz;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::{Event, StepResult};
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::{UnixMillis, UnixSeconds};

static SIGNATURE: HeaderName = HeaderName::from_static("jambonz-signature");

fn all() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn named(name: &str) -> Vector {
    all().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    Jambonz.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    vector.secrets.iter().map(|secret| Credential::new(&secret.r#type, &secret.value)).collect()
}

fn verdict(
    credentials: &[Credential],
    vector: &Vector,
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMillis,
) -> Result<(), VerifyError> {
    let verifier = Jambonz.verifier(credentials);
    vector.with_changes(headers, body, |request| verifier.verify(kind(vector.kind_in_url()), request, now))
}

#[test]
fn verify_agrees_with_the_sdk() {
    let all = all();
    assert_eq!((all.len(), all.iter().filter(|vector| vector.valid).count()), (9, 4));
    for vector in all {
        let (headers, body) = (vector.headers(), vector.body.as_bytes());
        let verdict = verdict(&credentials(&vector), &vector, &headers, body, UnixMillis(vector.now_ms));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in all() {
        assert_eq!(vector.kind, format!("call_{}", vector.kind_in_url().replace("call", "hook")));
        vector.with_request(|request| {
            let event = Jambonz.event(kind(vector.kind_in_url()), request).unwrap();
            let call = match (&*vector.kind, event) {
                ("call_hook", Event::Call(call)) => call,
                ("call_status", Event::Status { call: Some(call), status: "completed", .. }) => call,
                (_, other) => panic!("{other:?}"),
            };
            let found = [&*call.to, &*call.from, &*call.call_id];
            let name = &vector.name;
            assert_eq!(found, [&*vector.to, &*vector.from, &*vector.call_id], "{name}");
            assert_eq!(call.called().map(|number| number.to_string()), vector.to_e164, "{name}");
            let claim = Jambonz.claim(kind("call"), request);
            assert_eq!(claim.external_id.as_deref(), Some("bed525b4-af09-40d2-9fe7-cdf6ae577c69"));
            assert_eq!(claim.to, Some(call.to));
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    named("call_status_completed").with_request(|request| {
        match Jambonz.event(kind("status"), request).unwrap() {
            Event::Status { report, .. } => {
                let expected = Report {
                    progress: Progress::Ended(End::Completed),
                    duration_ms: Some(41_000),
                    reason: Some("caller".into()),
                    ..Report::default()
                };
                assert_eq!(report, expected);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_signature_holds_for_five_minutes_and_its_body() {
    let vector = named("call_hook");
    let (headers, body, own) = (vector.headers(), vector.body.as_bytes(), credentials(&vector));
    let at = |age_s: i64| verdict(&own, &vector, &headers, body, UnixSeconds(vector.now + age_s).into());
    for age_s in [-300, 0, 300] {
        assert_eq!(at(age_s), Ok(()));
    }
    for age_s in [-301, 301] {
        assert_eq!(at(age_s), Err(VerifyError::Stale { age_s, age_s_max: 300 }));
    }
    let now = UnixMillis(vector.now_ms);
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        let verdict = verdict(&own, &vector, &headers, &changed, now);
        assert_eq!(verdict, Err(VerifyError::Mismatch), "byte {at}");
    }
    for secret in ["", "other"] {
        let other = [Credential::new("webhook_secret", secret)];
        assert_eq!(verdict(&other, &vector, &headers, body, now), Err(VerifyError::Mismatch));
    }
    assert_eq!(verdict(&[], &vector, &headers, body, now), Err(VerifyError::Mismatch));
}

#[test]
fn a_header_is_there_once_and_whole() {
    let vector = named("call_hook");
    let own = credentials(&vector);
    let whole = vector.headers()[&SIGNATURE].to_str().unwrap().to_owned();
    let (time, v1) = whole.split_once(',').unwrap();
    let check = |values: &[&str], expected: Result<(), VerifyError>| {
        let mut headers = vector.headers();
        headers.remove(&SIGNATURE);
        for value in values {
            headers.append(&SIGNATURE, HeaderValue::from_str(value).unwrap());
        }
        let verdict = verdict(&own, &vector, &headers, vector.body.as_bytes(), UnixMillis(vector.now_ms));
        assert_eq!(verdict, expected, "{values:?}");
    };
    let other = format!("v1={}", "0".repeat(64));
    check(&[&format!("{time}, {v1}")], Ok(()));
    check(&[&format!("{v1},{time}")], Ok(()));
    check(&[&format!("{time},{other},{v1},v0=x,y")], Ok(()));
    check(&[&format!("{time},{other},{other},{other},{other},{v1}")], Err(VerifyError::Mismatch));
    check(&[], Err(VerifyError::Missing));
    check(&[&whole, &whole], Err(VerifyError::Missing));
    for text in
        ["", "t=", time, v1, &format!("{time},{time},{v1}"), &format!("t=,{v1}"), &format!("t=-1,{v1}")]
    {
        check(&[text], Err(VerifyError::Missing));
    }
    check(&[&format!("{time}0,{v1}")], Err(VerifyError::Mismatch));
    check(&[&format!("t=99999999999999999999,{v1}")], Err(VerifyError::Mismatch));
    check(&[&format!("{time},{}", &v1[..66])], Err(VerifyError::Mismatch));
    check(&[&format!("{time},{v1}0")], Err(VerifyError::Mismatch));
}

const CALL: &str =
    r#""call_sid":"c","account_sid":"a","direction":"inbound","to":"14155550165","from":"02079460958""#;

#[test]
fn what_ended_is_told_by_what_ended_it() {
    let check = |rest: &str, expected: StepResult| {
        let body = format!("{{{CALL}{rest}}}");
        let headers = [(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let headers = headers.into_iter().collect();
        let target = "/webhooks/jambonz/after/a1?s=c3";
        let request = WebhookRequest::new(&Method::POST, target, &headers, body.as_bytes(), &[]).unwrap();
        match Jambonz.event(kind("after"), &request).unwrap() {
            Event::After(end) => {
                assert_eq!((end.result, end.state.as_deref()), (expected, Some("c3")), "{body}");
                assert_eq!([&*end.call.call_id, &*end.call.to], ["c", "+14155550165"]);
            }
            other => panic!("{other:?}"),
        }
    };
    check(r#","dial_call_status":"completed","dial_sip_status":200"#, StepResult::Done);
    for status in ["busy", "failed", "no-answer", "ringing"] {
        check(&format!(r#","dial_call_status":"{status}""#), StepResult::Failed);
    }
    // Nobody answered in time, or the socket couldn't be opened.
    check("", StepResult::Failed);
    check(r#","dial_call_duration":41"#, StepResult::Unknown);
    check(r#","dial_call_duration":0"#, StepResult::Unknown);
}

#[test]
fn numbers_get_a_plus_and_other_addresses_stay() {
    let check = |to: &str, expected: &str| {
        let body = format!(r#"{{"call_sid":"c","account_sid":"a","to":"{to}","from":7,"sip":[[{{}}]]}}"#);
        signed::with_json(body.as_bytes(), |request| match Jambonz.event(kind("call"), request).unwrap() {
            Event::Call(call) => assert_eq!([&*call.to, &*call.from], [expected, ""]),
            other => panic!("{other:?}"),
        });
    };
    check("14155550165", "+14155550165");
    check("02079460958", "02079460958");
    check("desk7", "desk7");
    check("sip:desk7@h", "sip:desk7@h");
}

#[test]
fn events_of_called_legs_are_about_no_call_of_ours() {
    let body = format!("{{{}}}", CALL.replace("inbound", "outbound"));
    signed::with_json(body.as_bytes(), |request| {
        match Jambonz.event(kind("status"), request).unwrap() {
            Event::Status { call: Some(call), status: "other", report } => {
                assert_eq!((&*call.call_id, call.names_number(), report.is_outbound), ("c", false, true));
            }
            other => panic!("{other:?}"),
        }
        assert!(Jambonz.event(kind("call"), request).is_err());
    });
}

#[test]
fn what_jambonz_does_not_send_is_an_error() {
    let given = [
        r#"{"call_sid":7,"account_sid":"a","to":"1"}"#,
        r#"{"call_sid":"c","account_sid":"a"}"#,
        r#"{"call_sid":"c","to":"1"}"#,
        r#"{"call_sid":"c","call_sid":"d","account_sid":"a","to":"1"}"#,
        r#"{"call_sid":"c","account_sid":"a","to":"1""#,
    ];
    let given = given.map(|text| text.as_bytes().to_vec());
    let unwanted = hostile::malformed("application/json").into_iter().chain(hostile::of_others("jambonz"));
    let unwanted = unwanted.map(|body| body.bytes);
    for body in unwanted.chain(given) {
        signed::with_json(&body, |request| {
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            for kind in Jambonz.kinds() {
                assert!(Jambonz.event(kind, request).is_err(), "{shown}");
                let _ = Jambonz.claim(kind, request);
            }
        });
    }
}

#[test]
fn damaged_bodies_never_panic() {
    for vector in all().iter().filter(|vector| vector.valid) {
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_json(body, |request| {
                for kind in Jambonz.kinds() {
                    let _ = (Jambonz.event(kind, request), Jambonz.claim(kind, request));
                }
            });
        });
    }
}
