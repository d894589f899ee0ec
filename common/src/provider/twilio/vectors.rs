//! Requests signed and checked with Twilio's own SDK (`fixtures/signed.json` says how): verify and parse agree with it.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::Twilio;
use crate::call;
use crate::calls::report::{End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::request::WebhookRequest;
use crate::provider::{Kind, Provider, signed};
use crate::secret::Secret;
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    kind: String,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    secrets: Vec<SecretEntry>,
    valid: bool,
    to: String,
    from: String,
    call_id: String,
    to_e164: Option<String>,
}

#[derive(Deserialize)]
struct SecretEntry {
    r#type: String,
    id: String,
    value: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str::<File>(include_str!("fixtures/signed.json")).unwrap().vectors
}

impl Vector {
    fn with_request<T>(&self, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
        let origin_end = self.url.find("//").unwrap() + 2;
        let path = origin_end + self.url[origin_end..].find('/').unwrap();
        let public_urls = [self.url[..path].parse().unwrap()];
        let headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let method: Method = self.method.parse().unwrap();
        let body = self.body.as_bytes();
        check(&WebhookRequest::new(&method, &self.url[path..], &headers, body, &public_urls).unwrap())
    }

    fn kind(&self) -> &'static Kind {
        Twilio.kinds().iter().find(|kind| kind.name == self.kind).unwrap()
    }

    fn credentials(&self) -> Vec<Credential> {
        let credential = |entry: &SecretEntry| Credential {
            kind: entry.r#type.clone(),
            id: entry.id.clone(),
            value: Secret::new(entry.value.as_bytes()),
        };
        self.secrets.iter().map(credential).collect()
    }
}

#[test]
fn verify_agrees_with_the_sdk() {
    let vectors = vectors();
    assert!(vectors.iter().filter(|vector| vector.valid).count() >= 17 && vectors.len() >= 32);
    for vector in vectors {
        let verifier = Twilio.verifier(&vector.credentials());
        let verdict = vector.with_request(|request| verifier.verify(vector.kind(), request, UnixMillis(0)));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn parse_finds_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let (call, is_message) = match Twilio.event(vector.kind(), request).unwrap() {
                Event::Call(call) | Event::Status { call: Some(call), .. } => (call, false),
                Event::Message(call) => (call, true),
                other => panic!("{other:?}"),
            };
            let found = [&*call.to, &*call.from, &*call.call_id];
            assert_eq!(found, [&*vector.to, &*vector.from, &*vector.call_id], "{}", vector.name);
            let number = call::address(&call.to).map(|number| number.to_string());
            assert_eq!(number, vector.to_e164, "{}", vector.name);
            assert_eq!(is_message, vector.call_id.starts_with("SM"));
        });
    }
}

#[test]
fn a_doubled_or_foreign_signature_is_none() {
    let vector = vectors().into_iter().find(|vector| vector.name == "voice-inbound").unwrap();
    vector.with_request(|request| {
        let verifier = Twilio.verifier(&vector.credentials());
        let mut headers = signed::copied(request.headers);
        headers.append("x-twilio-signature", headers["x-twilio-signature"].clone());
        let doubled = WebhookRequest { headers: (&headers).into(), form: request.form.clone(), ..*request };
        assert!(verifier.verify(vector.kind(), &doubled, UnixMillis(0)).is_err());
        assert!(Twilio.verifier(&[]).verify(vector.kind(), request, UnixMillis(0)).is_err());
        let empty = Credential { kind: "auth_token".into(), id: String::new(), value: Secret::new("") };
        assert!(Twilio.verifier(&[empty]).verify(vector.kind(), request, UnixMillis(0)).is_err());
    });
}

#[test]
fn the_end_of_a_call_is_told() {
    for vector in vectors().into_iter().filter(|vector| vector.name == "status-completed") {
        vector.with_request(|request| match Twilio.event(vector.kind(), request).unwrap() {
            Event::Status { call: Some(call), report, .. } => {
                let expected = Report {
                    progress: Progress::Ended(End::Completed),
                    at_ms: Some(1_795_198_422_000),
                    duration_ms: Some(37_000),
                    ..Report::default()
                };
                assert_eq!((report, call.carrier_call_id), (expected, None));
            }
            other => panic!("{other:?}"),
        });
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn a_message_that_was_left_is_told() {
    let recording = "AccountSid=AC1&CallSid=CA1&RecordingSid=RE1&RecordingUrl=u&RecordingStatus=completed&\
                     RecordingDuration=7&RecordingStartTime=Fri%2C+20+Nov+2026+18%3A13%3A42+%2B0000";
    let kind = signed::kind(&Twilio, "recording");
    signed::with_report(&Twilio, kind, FORM, recording, |call, report| {
        let call = call.unwrap();
        assert_eq!((&*call.call_id, &*call.to, call.names_number()), ("CA1", "", false));
        let expected = (Progress::Voicemail, Some(1_795_198_422_000));
        assert_eq!((report.progress, report.at_ms, report.duration_ms), (expected.0, expected.1, None));
    });
    signed::with_report(&Twilio, kind, FORM, "RecordingSid=RE1&RecordingStatus=absent", |call, report| {
        assert_eq!((call, report), (None, &Report::default()));
    });
    let check = |rest: &str, expected: Option<Progress>| {
        let body = format!("CallSid=CA1&To=%2B14155550123&From=anonymous{rest}");
        let headers = [(http::header::CONTENT_TYPE, FORM.parse().unwrap())].into_iter().collect();
        signed::with_post(&headers, body.as_bytes(), |request| {
            let Event::After(end) = Twilio.event(signed::kind(&Twilio, "after"), request).unwrap() else {
                panic!("{rest}");
            };
            assert_eq!(end.report.map(|report| report.progress), expected, "{rest}");
        });
    };
    check("&RecordingUrl=u&RecordingDuration=7", Some(Progress::Voicemail));
    check("&RecordingUrl=u&RecordingDuration=0", None);
    check("&DialCallStatus=completed", None);
}
