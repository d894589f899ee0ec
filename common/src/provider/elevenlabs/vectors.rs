//! Requests signed and checked with ElevenLabs's own SDKs (`fixtures/signed.json` says how), and what happens to them on the
//! way.

use http::HeaderMap;

use super::ElevenLabs;
use crate::call;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::time::UnixMillis;

const HEADER: &str = "elevenlabs-signature";

fn vectors() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn named(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    ElevenLabs.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    let kind = |of: &str| if of == "header_value" { "initiation_secret".to_owned() } else { of.to_owned() };
    vector.secrets.iter().map(|secret| Credential::new(&kind(&secret.r#type), &secret.value)).collect()
}

fn verdict(vector: &Vector, headers: &HeaderMap, body: &[u8], now_ms: i64) -> Result<(), VerifyError> {
    let verifier = ElevenLabs.verifier(&credentials(vector));
    let verify = |request: &WebhookRequest<'_>| {
        verifier.verify(kind(vector.kind_in_url()), request, UnixMillis(now_ms))
    };
    signed::with_post(headers, body, verify)
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert_eq!((vectors.len(), vectors.iter().filter(|vector| vector.valid).count()), (18, 8));
    for vector in vectors {
        let verdict = verdict(&vector, &vector.headers(), vector.body.as_bytes(), vector.now_ms);
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let claim = ElevenLabs.claim(kind(vector.kind_in_url()), request);
            assert_eq!(claim.to.unwrap_or_default(), vector.to);
            let (call, said) = match ElevenLabs.event(kind(vector.kind_in_url()), request).unwrap() {
                Event::Call(call) => (Some(call), "conversation_initiation"),
                Event::Status { call, status, .. } => (call, status),
                other => panic!("{other:?}"),
            };
            assert_eq!(said, vector.kind, "{}", vector.name);
            let Some(call) = call else {
                assert_eq!([&*vector.to, &*vector.from], ["", ""], "{}", vector.name);
                return;
            };
            assert_eq!([&*call.to, &*call.from], [&*vector.to, &*vector.from]);
            assert_eq!(call::address(&call.to).map(|number| number.to_string()), vector.to_e164);
            // The requests of one call are told by the carrier's id, not the conversation's.
            let has_failed = vector.kind == "call_initiation_failure";
            let carriers = if has_failed { "SCL_abc" } else { "CA9d0f3c1b5a7e4c2d8f6b0a1c2e3d4f5a" };
            assert_eq!(call.call_id, carriers);
            assert!(vector.call_id == call.call_id || vector.call_id.starts_with("conv_"));
            assert_eq!(call.carrier_call_id, Some(call.call_id));
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    named("post_call_transcription_ascii_escaped").with_request(|request| {
        match ElevenLabs.event(kind("post-call"), request).unwrap() {
            Event::Status { report, .. } => {
                let expected = Report {
                    progress: Progress::Ended(End::Completed),
                    at_ms: Some(1_793_534_367_000),
                    duration_ms: Some(62_000),
                    reason: Some("Client ended call".into()),
                    ..Report::default()
                };
                assert_eq!(report, expected);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_signature_holds_for_half_an_hour_either_way() {
    let vector = named("post_call_audio");
    let check = |now_ms: i64, good: bool| {
        let verdict = verdict(&vector, &vector.headers(), vector.body.as_bytes(), now_ms);
        assert_eq!(verdict.is_ok(), good, "{now_ms}");
        assert!(good || matches!(verdict, Err(VerifyError::Stale { age_s_max: 1800, .. })), "{verdict:?}");
    };
    let at = vector.now_ms;
    for (now_ms, good) in [
        (at + 1_800_000, true),
        (at + 1_800_001, false),
        (at - 1_800_000, true),
        (at - 1_800_001, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        check(now_ms, good);
    }
}

#[test]
fn whatever_is_changed_is_refused() {
    let vector = named("post_call_audio");
    let (headers, body) = (vector.headers(), vector.body.as_bytes());
    let check = |headers: &HeaderMap, body: &[u8], expected: Result<(), VerifyError>| {
        assert_eq!(verdict(&vector, headers, body, vector.now_ms), expected, "{headers:?}");
    };
    let with = |value: &str| {
        let mut changed = headers.clone();
        changed.insert(HEADER, value.parse().unwrap());
        changed
    };
    let mut doubled = headers.clone();
    doubled.append(HEADER, headers[HEADER].clone());
    check(&doubled, body, Err(VerifyError::Missing));
    check(&with(""), body, Err(VerifyError::Missing));
    let good = headers[HEADER].to_str().unwrap();
    let (t, v0) = good.split_once(',').unwrap();
    let wrong = format!("v0={}", "0".repeat(64));
    for allowed in [
        format!("{v0},{t}"),
        format!("{t},{wrong},{v0}"),
        format!("{t},{v0},{wrong}"),
        format!("x,{t},v1=1,,{v0}"),
    ] {
        check(&with(&allowed), body, Ok(()));
    }
    for malformed in [
        t.to_owned(),
        v0.to_owned(),
        wrong.clone(),
        format!("{t},{wrong}"),
        format!("{t}, {v0}"),
        format!("{t},{}", v0.to_uppercase().replace("V0", "v0")),
        format!("{t},{t},{v0}"),
        format!("t=,{v0}"),
        format!("t=+1793534400,{v0}"),
        format!("t=99999999999999999999999,{v0}"),
        "x".to_owned(),
    ] {
        check(&with(&malformed), body, Err(VerifyError::Mismatch));
    }
    check(
        &with(&format!("t=9223372036854775807,{v0}")),
        body,
        Err(VerifyError::Stale { age_s: (vector.now_ms - i64::MAX) / 1000, age_s_max: 1800 }),
    );
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        check(&headers, &changed, Err(VerifyError::Mismatch));
    }
}

#[test]
fn a_secret_is_good_for_its_own_webhook_only() {
    let (signed, shown) = (named("post_call_audio"), named("initiation_webhook_shared_header"));
    let check = |vector: &Vector, credentials: &[Credential], expected: Result<(), VerifyError>| {
        let verifier = ElevenLabs.verifier(credentials);
        let verdict = vector.with_request(|request| {
            verifier.verify(kind(vector.kind_in_url()), request, UnixMillis(vector.now_ms))
        });
        assert_eq!(verdict, expected);
    };
    for (vector, own, other) in
        [(&signed, "webhook_secret", "initiation_secret"), (&shown, "initiation_secret", "webhook_secret")]
    {
        let right = &*vector.secrets[0].value;
        check(vector, &[Credential::new(own, right)], Ok(()));
        check(vector, &[Credential::new(own, "x"), Credential::new(own, right)], Ok(()));
        for wrong in [
            &[][..],
            &[Credential::new(own, "")],
            &[Credential::new(own, "x")],
            &[Credential::new(other, right)],
        ] {
            check(vector, wrong, Err(VerifyError::Mismatch));
        }
    }
}

#[test]
fn the_initiation_header_is_the_one_that_the_account_names() {
    let vector = named("initiation_webhook_shared_header");
    let secret = Credential::new("initiation_secret", &vector.secrets[0].value);
    let check = |name: Option<&str>, headers: &[(&'static str, &str)], expected: Result<(), VerifyError>| {
        let mut credentials = vec![secret.clone()];
        credentials.extend(name.map(|name| Credential::new("initiation_header", name)));
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        all.insert("content-type", "application/json".parse().unwrap());
        let verdict = signed::with_post(&all, vector.body.as_bytes(), |request| {
            ElevenLabs.verifier(&credentials).verify(kind("initiation"), request, UnixMillis(0))
        });
        assert_eq!(verdict, expected, "{name:?} {headers:?}");
    };
    let right = &*vector.secrets[0].value;
    check(None, &[("x-dialplane-secret", right)], Ok(()));
    check(Some("X-Mine"), &[("x-mine", right)], Ok(()));
    check(Some("X-Mine"), &[("x-dialplane-secret", right)], Err(VerifyError::Missing));
    check(None, &[], Err(VerifyError::Missing));
    check(None, &[("x-dialplane-secret", "")], Err(VerifyError::Mismatch));
    check(None, &[("x-dialplane-secret", &right[1..])], Err(VerifyError::Mismatch));
    check(None, &[("x-dialplane-secret", right), ("x-dialplane-secret", right)], Err(VerifyError::Missing));
}

#[test]
fn odd_fields_refuse_no_call() {
    for (body, to, from) in [
        (r#"{"called_number":"+12125550001"}"#, "+12125550001", ""),
        (r#"{"called_number":"12125550001","caller_id":"12125550187"}"#, "+12125550001", "+12125550187"),
        (r#"{"called_number":"sip:a@b.example","caller_id":null,"call_sid":7}"#, "sip:a@b.example", ""),
        (r#"{"called_number":"\u002b1","caller_id":"anonymous","agent_id":[],"x":{}}"#, "+1", "anonymous"),
    ] {
        signed::with_json(body.as_bytes(), |request| match ElevenLabs.event(kind("initiation"), request) {
            Ok(Event::Call(call)) => {
                assert_eq!((&*call.to, &*call.from), (to, from));
                assert!(call.call_id.starts_with("initiation_") && !call.call_id.contains(to));
            }
            other => panic!("{other:?}"),
        });
    }
}

#[test]
fn events_without_a_call_are_taken() {
    for (body, expected) in [
        (
            r#"{"type":"post_call_transcription","data":{"metadata":{"phone_call":null}}}"#,
            "post_call_transcription",
        ),
        (r#"{"type":"post_call_transcription","data":{"conversation_id":"c"}}"#, "post_call_transcription"),
        (
            r#"{"data":{"metadata":{"phone_call":{"agent_number":"+1"}}},"type":"post_call_transcription"}"#,
            "post_call_transcription",
        ),
        (r#"{"type":"speech_to_text_transcription","data":{"metadata":"x"}}"#, "other"),
        (r#"{"type":"voice_removal_notice","data":{}}"#, "other"),
    ] {
        signed::with_json(body.as_bytes(), |request| match ElevenLabs.event(kind("post-call"), request) {
            Ok(Event::Status { call: None, status, .. }) => assert_eq!(status, expected),
            other => panic!("{other:?}"),
        });
    }
    let body = r#"{"type":"post_call_transcription","data":{"conversation_id":"c","metadata":
        {"phone_call":{"agent_number":"12125550001","external_number":"","call_sid":null}}}}"#;
    signed::with_json(body.as_bytes(), |request| match ElevenLabs.event(kind("post-call"), request) {
        Ok(Event::Status { call: Some(call), .. }) => {
            assert_eq!([&*call.to, &*call.from, &*call.call_id], ["+12125550001", "", "c"]);
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn bodies_of_others_are_refused() {
    let refused = |body: &[u8]| {
        for kind in ElevenLabs.kinds() {
            let preview = String::from_utf8_lossy(&body[..body.len().min(60)]);
            signed::with_json(body, |request| {
                assert!(ElevenLabs.event(kind, request).is_err(), "{}: {preview}", kind.name);
                assert!(ElevenLabs.claim(kind, request).to.is_none());
            });
        }
    };
    let bodies = hostile::malformed("application/json").into_iter().chain(hostile::of_others(super::NAME));
    bodies.for_each(|body| refused(&body.bytes));
    for wrong in [
        r#"{"called_number":"+1","called_number":"+2"}"#,
        r#"{"called_number":12125550001}"#,
        r#"{"called_number":""}"#,
        r#"{"type":"post_call_transcription"}"#,
        r#"{"type":"post_call_transcription","data":"x"}"#,
        r#"{"type":"post_call_transcription","data":{"metadata":7}}"#,
        r#"{"type":"post_call_transcription","data":{"metadata":{},"metadata":{}}}"#,
        r#"{"type":7,"data":{}}"#,
    ] {
        refused(wrong.as_bytes());
    }
}

#[test]
fn each_kind_refuses_the_others_bodies() {
    for vector in vectors() {
        for kind in ElevenLabs.kinds().iter().filter(|kind| kind.name != vector.kind_in_url()) {
            vector.with_request(|request| {
                let answered = ElevenLabs.event(kind, request);
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
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_json(body, |request| {
                for kind in ElevenLabs.kinds() {
                    let _ = ElevenLabs.event(kind, request);
                }
            });
            let signed = vector.kind_in_url() == "post-call" && body != vector.body.as_bytes();
            assert!(!signed || verdict(&vector, &vector.headers(), body, vector.now_ms).is_err());
        });
    }
}
