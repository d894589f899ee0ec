//! Requests signed and checked with LiveKit's own SDKs (`fixtures/signed.json` says how), and what nobody may get past
//! them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::LiveKit;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::request::{ParseError, VerifyError};
use crate::provider::signed::{self, Vector};
use crate::provider::{Kind, Provider, hostile};
use crate::secret::Secret;
use crate::time::{UnixMillis, UnixSeconds};

fn all() -> Vec<Vector> {
    signed::read(include_str!("fixtures/signed.json"))
}

fn kind() -> &'static Kind {
    &LiveKit.kinds()[0]
}

fn pair(kind: &str, id: &str, secret: &str) -> Credential {
    Credential { kind: kind.to_owned(), id: id.to_owned(), value: Secret::new(secret) }
}

fn credentials(vector: &Vector) -> Vec<Credential> {
    vector.secrets.iter().map(|secret| pair(&secret.r#type, &secret.id, &secret.value)).collect()
}

fn verdict(
    credentials: &[Credential],
    headers: &HeaderMap,
    body: &[u8],
    now: UnixMillis,
) -> Result<(), VerifyError> {
    let verifier = LiveKit.verifier(credentials);
    signed::with_post(headers, body, |request| verifier.verify(kind(), request, now))
}

#[test]
fn verify_agrees_with_the_sdks() {
    let all = all();
    assert_eq!((all.len(), all.iter().filter(|vector| vector.valid).count()), (9, 4));
    for vector in all {
        assert_eq!(vector.kind_in_url(), "events");
        let (headers, body) = (vector.headers(), vector.body.as_bytes());
        let verdict = verdict(&credentials(&vector), &headers, body, UnixMillis(vector.now_ms));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in all() {
        vector.with_request(|request| match LiveKit.event(kind(), request).unwrap() {
            Event::Status { call, status, .. } => {
                let name = &vector.name;
                assert_eq!(status, vector.kind, "{name}");
                let found = call.as_ref().map(|call| [&*call.to, &*call.from, &*call.call_id]);
                let expected = [&*vector.to, &*vector.from, &*vector.call_id];
                assert_eq!(found, (!vector.to.is_empty()).then_some(expected), "{name}");
                let number = call.and_then(|call| call.called()).map(|number| number.to_string());
                assert_eq!(number, vector.to_e164, "{name}");
                let claim = LiveKit.claim(kind(), request).external_id;
                let named = (*name != "authorization_missing").then_some("APIdialplane1");
                assert_eq!(claim.as_deref(), named, "{name}");
            }
            other => panic!("{other:?}"),
        });
    }
}

const BODY: &[u8] = br#"{"event":"room_started"}"#;
const NOW_S: i64 = 1_800_000_000;

/// The verdict on [`BODY`] with a token that says this, with `SHA` for the body's hash.
fn verdict_on_token(claims: &str) -> Result<(), VerifyError> {
    let sha = STANDARD.encode(Sha256::digest(BODY));
    let claims = URL_SAFE_NO_PAD.encode(claims.replace("SHA", &sha));
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#));
    let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/webhook+json"));
    headers.insert(AUTHORIZATION, token.parse().unwrap());
    verdict(&[pair("api_key_pair", "API1", "secret")], &headers, BODY, UnixSeconds(NOW_S).into())
}

#[test]
fn a_token_holds_for_its_time_and_body() {
    let at = |begins_s: i64, ends_s: i64| {
        verdict_on_token(&format!(
            r#"{{"iss":"API1","sha256":"SHA","nbf":{},"exp":{}}}"#,
            NOW_S + begins_s,
            NOW_S + ends_s
        ))
    };
    assert_eq!(at(0, 300), Ok(()));
    assert_eq!(at(-360, -60), Ok(()));
    assert_eq!(at(-361, -61), Err(VerifyError::Stale { age_s: 361, age_s_max: 360 }));
    assert_eq!(at(60, 360), Ok(()));
    assert_eq!(at(61, 361), Err(VerifyError::Stale { age_s: -61, age_s_max: 360 }));
    let check = |claims: &str, expected: Result<(), VerifyError>| {
        assert_eq!(verdict_on_token(claims), expected, "{claims}");
    };
    let (mismatch, exp) = (Err(VerifyError::Mismatch), NOW_S + 300);
    check(&format!(r#"{{"iss":"API1","sha256":"SHA","exp":{exp}}}"#), Ok(()));
    check(&format!(r#"{{"iss":"API1","sha256":"SHA","exp":{exp},"video":{{"room":"r"}}}}"#), Ok(()));
    check(r#"{"iss":"API1","sha256":"SHA"}"#, mismatch);
    check(&format!(r#"{{"iss":"API1","sha256":"SHA","exp":"{exp}"}}"#), mismatch);
    check(&format!(r#"{{"iss":"API1","exp":{exp}}}"#), mismatch);
    check(&format!(r#"{{"iss":"API1","sha256":"","exp":{exp}}}"#), mismatch);
    check(&format!(r#"{{"iss":"API1","sha256":"SHA=","exp":{exp}}}"#), mismatch);
    check(&format!(r#"{{"sha256":"SHA","exp":{exp}}}"#), mismatch);
    check(&format!(r#"{{"iss":"API2","sha256":"SHA","exp":{exp}}}"#), Err(VerifyError::UnknownKey));
    check(r#"{"iss":"API1","sha256":"SHA","nbf":-9223372036854775808,"exp":9223372036854775807}"#, Ok(()));
    check("[]", mismatch);
}

#[test]
fn a_header_is_there_once_and_whole() {
    let vector = all().into_iter().find(|vector| vector.name == "participant_joined_sip").unwrap();
    let (own, body, now) = (credentials(&vector), vector.body.as_bytes(), UnixMillis(vector.now_ms));
    let token = vector.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
    let check = |values: &[&str], expected: Result<(), VerifyError>| {
        let mut headers = vector.headers();
        headers.remove(AUTHORIZATION);
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(verdict(&own, &headers, body, now), expected, "{values:?}");
    };
    check(&[&token], Ok(()));
    check(&[], Err(VerifyError::Missing));
    check(&[""], Err(VerifyError::Missing));
    check(&[&token, &token], Err(VerifyError::Missing));
    check(&[&format!("Bearer {token}")], Err(VerifyError::Mismatch));
    check(&[&token[..token.len() - 1]], Err(VerifyError::Mismatch));
    let (id, secret) = (&*vector.secrets[0].id, &*vector.secrets[0].value);
    let check = |credentials: &[Credential], expected: Result<(), VerifyError>| {
        assert_eq!(verdict(credentials, &vector.headers(), body, now), expected);
    };
    check(&[pair("api_key_pair", "API2", "x"), pair("api_key_pair", id, secret)], Ok(()));
    check(&[pair("api_key_pair", "API2", secret)], Err(VerifyError::UnknownKey));
    check(&[], Err(VerifyError::UnknownKey));
    check(&[pair("api_key_pair", id, "")], Err(VerifyError::Mismatch));
    check(&[pair("api_key_pair", id, "other")], Err(VerifyError::Mismatch));
    check(&[pair("webhook_secret", id, secret)], Err(VerifyError::UnknownKey));
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        let verdict = verdict(&own, &vector.headers(), &changed, now);
        assert_eq!(verdict, Err(VerifyError::Mismatch), "byte {at}");
    }
}

#[test]
fn only_a_telephones_participant_is_a_call() {
    const ATTRIBUTES: &str = r#""sip.callID":"c","sip.trunkPhoneNumber":"14155550176","sip.phoneNumber":"anonymous","sip.ruleID":"r""#;
    let check = |event: &str, kind_text: &str, attributes: &str, expected: Option<([&str; 3], bool)>| {
        let body = format!(
            r#"{{"event":"{event}","participant":{{"kind":{kind_text},"attributes":{{{attributes}}}}}}}"#
        );
        signed::with_json(body.as_bytes(), |request| match LiveKit.event(kind(), request).unwrap() {
            Event::Status { call, status, report } => {
                let found = call.as_ref().map(|call| [&*call.call_id, &*call.to, &*call.from]);
                let found = found.map(|names| (names, report.is_outbound));
                assert_eq!((found, status), (expected, event), "{body}");
            }
            other => panic!("{other:?}"),
        });
    };
    let call = Some((["c", "+14155550176", "anonymous"], false));
    check("participant_joined", r#""SIP""#, ATTRIBUTES, call);
    check("participant_left", r#""SIP""#, ATTRIBUTES, call);
    check(
        "participant_left",
        r#""SIP""#,
        &ATTRIBUTES.replace("phoneNumber", "x"),
        Some((["c", "+14155550176", ""], false)),
    );
    check("participant_joined", r#""AGENT""#, ATTRIBUTES, None);
    check("participant_joined", "3", ATTRIBUTES, None);
    // A call that LiveKit made; one whose rule hides the numbers.
    let made = Some((["c", "+14155550176", "anonymous"], true));
    check("participant_joined", r#""SIP""#, &ATTRIBUTES.replace("ruleID", "x"), made);
    let hidden = Some((["c", "", "anonymous"], false));
    check("participant_joined", r#""SIP""#, &ATTRIBUTES.replace("trunkPhoneNumber", "x"), hidden);
    check("participant_joined", r#""SIP""#, &ATTRIBUTES.replace("callID", "x"), None);
    check("participant_joined", r#""SIP""#, "", None);
    check("track_published", r#""SIP""#, ATTRIBUTES, None);
    signed::with_json(br#"{"event":"room_painted","id":"EV_1"}"#, |request| {
        let event = LiveKit.event(kind(), request).unwrap();
        assert!(matches!(event, Event::Status { call: None, status: "other", .. }));
    });
    signed::with_json(br#"{"event":"participant_left","participant":7}"#, |request| {
        let event = LiveKit.event(kind(), request).unwrap();
        assert!(matches!(event, Event::Status { call: None, status: "participant_left", .. }));
    });
}

#[test]
fn what_livekit_does_not_send_is_an_error() {
    let given = [
        r#"{"event":7}"#,
        r#"{"event":"call_inbound"}"#,
        r#"{"event":"room_started","event":"room_started"}"#,
        r#"{"event":"room_started""#,
    ];
    let given = given.map(|text| text.as_bytes().to_vec());
    let unwanted = hostile::malformed("application/json").into_iter().chain(hostile::of_others("livekit"));
    let unwanted = unwanted.map(|body| body.bytes);
    for body in unwanted.chain(given) {
        signed::with_json(&body, |request| {
            let found = LiveKit.event(kind(), request);
            let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            assert!(
                matches!(found, Err(ParseError::Json(_) | ParseError::Missing(_) | ParseError::Foreign(_))),
                "{shown}"
            );
        });
    }
}

#[test]
fn damaged_bodies_never_panic() {
    for vector in all().iter().filter(|vector| vector.valid) {
        hostile::mutations(vector.body.as_bytes(), 300, |body| {
            signed::with_json(body, |request| {
                let _ = (LiveKit.event(kind(), request), LiveKit.claim(kind(), request));
            });
        });
    }
}

#[test]
fn a_call_begins_and_ends_with_its_participant() {
    let check = |name: &str, expected: Report<'_>| {
        let vector = all().into_iter().find(|vector| vector.name == name).unwrap();
        vector.with_request(|request| match LiveKit.event(kind(), request).unwrap() {
            Event::Status { report, .. } => assert_eq!(report, expected, "{name}"),
            other => panic!("{other:?}"),
        });
    };
    let joined = Report { at_ms: Some(1_793_534_397_000), ..Report::of(Progress::Answered) };
    check("participant_joined_sip", joined);
    let left = Report {
        progress: Progress::Ended(End::Completed),
        at_ms: Some(1_793_534_398_000),
        duration_ms: Some(1_000),
        ..Report::default()
    };
    check("participant_left_spaces_in_json", left);
    check("room_started", Report::default());
}

#[test]
fn a_call_has_its_carriers_name() {
    let check = |attributes: &str, expected: Option<&str>| {
        let attributes = format!(r#""sip.callID":"c","sip.ruleID":"r"{attributes}"#);
        let body = format!(
            r#"{{"event":"participant_left","participant":{{"kind":"SIP","attributes":{{{attributes}}}}}}}"#
        );
        signed::with_report(&LiveKit, kind(), "application/webhook+json", &body, |call, _| {
            assert_eq!(call.unwrap().carrier_call_id.as_deref(), expected, "{body}");
        });
    };
    check("", None);
    check(r#","sip.callIDFull":"a84b4c76e66710""#, Some("a84b4c76e66710"));
    check(r#","sip.callIDFull":"a84b4c76e66710","sip.twilio.callSid":"CA1""#, Some("CA1"));
}

#[test]
fn nothing_is_answered() {
    let rendered = LiveKit.acknowledge(kind());
    assert_eq!((rendered.status, &*rendered.body), (200, &b"{}"[..]));
}
