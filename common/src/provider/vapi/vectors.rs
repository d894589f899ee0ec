//! Requests signed as Vapi's published plans say (`fixtures/signed.json` says how): verify and event agree with them;
//! and what else may come over the wire.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Vapi;
use crate::call::{self, InboundCall};
use crate::calls::report::{Cost, End, Progress, Report};
use crate::provider::credentials::Credential;
use crate::provider::event::Event;
use crate::provider::reply::Rendered;
use crate::provider::request::{ParseError, VerifyError, WebhookRequest};
use crate::provider::{Kind, Provider, Verifier, hostile, signed};
use crate::time::UnixMillis;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    url: String,
    auth: Map<String, Value>,
    headers: BTreeMap<String, String>,
    body: String,
    secrets: Vec<SecretEntry>,
    now_ms: i64,
    valid: bool,
    kind: String,
    to: String,
    to_e164: Option<String>,
    phone_number_id: String,
    from: String,
    call_id: String,
    #[serde(default)]
    expect: Value,
}

#[derive(Deserialize)]
struct SecretEntry {
    r#type: String,
    value: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str::<File>(include_str!("fixtures/signed.json")).unwrap().vectors
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn kind(name: &str) -> &'static Kind {
    Vapi.kinds().iter().find(|kind| kind.name == name).unwrap()
}

fn credentials(document: Value) -> Vec<Credential> {
    Vapi.credentials(document.as_object().unwrap()).unwrap().credentials
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// A POST to `https://edge.example` with these headers.
fn with_request<T>(
    target: &str,
    pairs: &[(&str, &str)],
    body: &[u8],
    check: impl FnOnce(&WebhookRequest<'_>) -> T,
) -> T {
    signed::with_request("POST", &format!("https://edge.example{target}"), &headers(pairs), body, check)
}

const JSON_TYPE: (&str, &str) = ("content-type", "application/json");
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

impl Vector {
    fn with_request<T>(&self, check: impl FnOnce(&WebhookRequest<'_>) -> T) -> T {
        let pairs: Vec<(&str, &str)> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        signed::with_request(&self.method, &self.url, &headers(&pairs), self.body.as_bytes(), check)
    }

    /// The account as a person would give it: the plan with the first secret, and one with the second.
    fn credentials(&self) -> Vec<Credential> {
        let plan = |secret: &SecretEntry| {
            let mut plan = self.auth.clone();
            let tolerance = plan.remove("tolerance_s");
            assert!(tolerance.is_none_or(|tolerance| tolerance == super::hmac::AGE_MAX_S));
            let field = match secret.r#type.as_str() {
                super::plan::BEARER => "token",
                super::plan::HMAC => "secretKey",
                other => panic!("{other}"),
            };
            plan.insert(field.to_owned(), secret.value.clone().into());
            plan
        };
        let mut document = json!({"auth": plan(&self.secrets[0])});
        if let Some(second) = self.secrets.get(1) {
            document["auth_secondary"] = plan(second).into();
        }
        assert!(self.secrets.len() <= 2);
        credentials(document)
    }

    fn verifier(&self) -> Box<dyn Verifier> {
        Vapi.verifier(&self.credentials())
    }

    fn verify_with(
        &self,
        change: impl FnOnce(&mut HeaderMap),
        credentials: &[Credential],
        now_ms: i64,
    ) -> Result<(), VerifyError> {
        self.with_request(|request| {
            let mut headers = signed::copied(request.headers);
            change(&mut headers);
            let changed =
                WebhookRequest { headers: (&headers).into(), form: request.form.clone(), ..*request };
            Vapi.verifier(credentials).verify(kind("server"), &changed, UnixMillis(now_ms))
        })
    }
}

#[test]
fn verify_agrees_with_the_vectors() {
    let vectors = vectors();
    assert_eq!((vectors.iter().filter(|vector| vector.valid).count(), vectors.len()), (8, 17));
    for vector in vectors {
        let now = UnixMillis(vector.now_ms);
        let verdict = vector.with_request(|request| vector.verifier().verify(kind("server"), request, now));
        assert_eq!(verdict.is_ok(), vector.valid, "{}: {verdict:?}", vector.name);
        let is_stale = matches!(verdict, Err(VerifyError::Stale { age_s: 3600, .. }));
        assert_eq!(is_stale, vector.name == "hmac_one_hour_old", "{}: {verdict:?}", vector.name);
        let is_missing = verdict == Err(VerifyError::Missing);
        assert_eq!(is_missing, vector.name.ends_with("header_missing"), "{}: {verdict:?}", vector.name);
    }
}

#[test]
fn events_find_the_call() {
    for vector in vectors() {
        vector.with_request(|request| {
            let (found, needs_response) = match Vapi.event(kind("server"), request).unwrap() {
                Event::Call(call) => {
                    assert_eq!(vector.kind, "assistant-request");
                    (call, true)
                }
                Event::Tools(tools) => {
                    assert_eq!(vector.kind, "tool-calls");
                    let expected = vector.expect["tool_calls"].as_array().unwrap();
                    assert_eq!(tools.calls.len(), expected.len());
                    for (call, expected) in tools.calls.iter().zip(expected) {
                        assert_eq!(
                            (&*call.id, &*call.name),
                            (expected["id"].as_str().unwrap(), expected["name"].as_str().unwrap())
                        );
                    }
                    assert_eq!(tools.calls[0].arguments, r#"{"date":"2026-11-03","party":2}"#);
                    (tools.call, true)
                }
                Event::Status { call, status, .. } => {
                    let expected = if vector.kind == "status-update" { "ended" } else { &vector.kind };
                    assert_eq!(status, expected);
                    (call.unwrap(), false)
                }
                other => panic!("{other:?}"),
            };
            let texts = [&*found.to, &*found.from, &*found.call_id, found.number_id.as_deref().unwrap()];
            let expected = [&*vector.to, &*vector.from, &*vector.call_id, &*vector.phone_number_id];
            assert_eq!(texts, expected, "{}", vector.name);
            assert_eq!(call::address(&found.to).map(|number| number.to_string()), vector.to_e164);
            assert_eq!(vector.expect["needs_response"].as_bool().unwrap_or(true), needs_response);
            let claim = Vapi.claim(kind("server"), request);
            assert_eq!(claim.external_id.as_deref(), Some("8f2c1b7e-3a54-4d0e-9b61-2c7d8e9fa0b1"));
            assert_eq!(claim.to.as_deref(), Some(&*vector.to));
        });
    }
}

#[test]
fn the_end_of_a_call_is_told() {
    let check = |name: &str, check: &dyn Fn(&InboundCall<'_>, &Report<'_>)| {
        vector(name).with_request(|request| match Vapi.event(kind("server"), request).unwrap() {
            Event::Status { call: Some(call), report, .. } => check(&call, &report),
            other => panic!("{other:?}"),
        });
    };
    check("end_of_call_report_custom_bearer_header", &|call, report| {
        assert_eq!(call.carrier_call_id.as_deref(), Some("CAef753577823739784a4a250331e4ab5a"));
        let cost = Cost { amount: "0.1123".into(), currency: "USD".into(), stages: Vec::new() };
        let expected = Report {
            progress: Progress::Ended(End::Completed),
            at_ms: Some(1_793_534_397_000),
            duration_ms: Some(107_000),
            reason: Some("assistant-ended-call".into()),
            cost: Some(cost),
            is_outbound: false,
        };
        assert_eq!(*report, expected);
    });
    check("status_update_hmac_body_only_prefixed", &|_, report| {
        assert_eq!(report.progress, Progress::Ended(End::Completed));
        assert_eq!(
            (report.at_ms, report.reason.as_deref()),
            (Some(1_793_534_399_750), Some("customer-ended-call"))
        );
    });
}

#[test]
fn a_call_has_its_carriers_name() {
    vector("assistant_request_bearer").with_request(|request| match Vapi.event(kind("server"), request) {
        Ok(Event::Call(call)) => assert_eq!(call.carrier_call_id.as_deref(), Some("vapi-sip-1")),
        other => panic!("{other:?}"),
    });
    let check = |call: &str, expected: Option<(Option<&str>, bool)>| {
        let body = format!(r#"{{"message":{{"type":"hang","call":{call}}}}}"#);
        signed::with_report(&Vapi, kind("server"), JSON_TYPE.1, &body, |call, report| {
            let found = call.map(|call| (call.carrier_call_id.as_deref(), report.is_outbound));
            assert_eq!(found, expected, "{body}");
        });
    };
    check(
        r#"{"id":"c","phoneCallProviderId":"CA1","transport":{"callSid":"CA2"}}"#,
        Some((Some("CA1"), false)),
    );
    check(
        r#"{"id":"c","type":"outboundPhoneCall","transport":{"callSid":"CA2"}}"#,
        Some((Some("CA2"), true)),
    );
    check(r#"{"id":"c","type":7,"phoneCallProviderId":7,"transport":[]}"#, Some((None, false)));
    check(r#"{"id":"c","type":"webCall"}"#, None);
    check("{}", None);
}

#[test]
fn every_header_has_to_be_there_once() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let credentials = vector.credentials();
        for name in vector.headers.keys().filter(|name| !name.eq_ignore_ascii_case("content-type")) {
            let name: HeaderName = name.parse().unwrap();
            let missing =
                vector.verify_with(|headers| drop(headers.remove(&name)), &credentials, vector.now_ms);
            assert_eq!(missing, Err(VerifyError::Missing), "{} without {name}", vector.name);
            let double = |headers: &mut HeaderMap| {
                let value = headers[&name].clone();
                headers.append(&name, value);
            };
            let doubled = vector.verify_with(double, &credentials, vector.now_ms);
            assert_eq!(doubled, Err(VerifyError::Missing), "{} with {name} twice", vector.name);
            for change in [|value: &str| format!("{value}0"), |value: &str| value[1..].to_owned()] {
                let changed = |headers: &mut HeaderMap| {
                    let value = change(headers[&name].to_str().unwrap());
                    headers.insert(&name, value.parse().unwrap());
                };
                let verdict = vector.verify_with(changed, &credentials, vector.now_ms);
                assert!(verdict.is_err(), "{} with {name} changed", vector.name);
            }
        }
    }
}

#[test]
fn an_empty_or_other_secret_is_none() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let with_secret = |secret: &str| {
            let mut credentials = vector.credentials();
            for credential in &mut credentials {
                credential.value = crate::secret::Secret::new(secret);
            }
            vector.verify_with(|_| {}, &credentials, vector.now_ms)
        };
        assert_eq!(with_secret("another"), Err(VerifyError::Mismatch), "{}", vector.name);
        assert_eq!(with_secret(""), Err(VerifyError::Missing), "{}", vector.name);
        assert_eq!(vector.verify_with(|_| {}, &[], vector.now_ms), Err(VerifyError::Missing));
    }
    let vector = vector("assistant_request_x_vapi_secret");
    let nothing_shown = |headers: &mut HeaderMap| {
        headers.insert("x-vapi-secret", HeaderValue::from_static(""));
    };
    assert!(vector.verify_with(nothing_shown, &vector.credentials(), vector.now_ms).is_err());
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let vector = vector("assistant_request_hmac_defaults");
    for (shift_ms, good) in [(300_000, true), (300_001, false), (-300_000, true), (-300_001, false)] {
        let verdict = vector.verify_with(|_| {}, &vector.credentials(), vector.now_ms + shift_ms);
        assert_eq!(verdict.is_ok(), good, "{shift_ms}: {verdict:?}");
        assert!(good || matches!(verdict, Err(VerifyError::Stale { age_s_max: 300, .. })));
    }
}

/// Digests of `echo -n TEXT | openssl dgst -ALGORITHM -hmac SECRET`, the last one with `-binary | base64`.
#[test]
fn a_plan_may_sign_another_text_in_another_way() {
    let check = |plan: Value, pairs: &[(&str, &str)], expected: Result<(), VerifyError>| {
        let mut plan = plan;
        plan["type"] = "hmac".into();
        let verifier = Vapi.verifier(&credentials(json!({ "auth": plan })));
        let pairs: Vec<_> = [JSON_TYPE].into_iter().chain(pairs.iter().copied()).collect();
        with_request("/webhooks/vapi/server/a1?x=1", &pairs, b"{}", |request| {
            let verdict = verifier.verify(kind("server"), request, UnixMillis(1_793_534_400_000));
            assert_eq!(verdict, expected, "{plan}");
        });
    };
    let all = json!({"algorithm": "sha512", "secretKey": "k", "messageIdHeader": "svix-id",
        "payloadFormat": "{svix-id}|{method}|{url}|{timestamp}|{x}|{body}"});
    let signed = &[("svix-id", "m1"), ("x-timestamp", "1793534400000"), ("x-signature", SHA512)];
    check(all.clone(), signed, Ok(()));
    check(all.clone(), &signed[1..], Err(VerifyError::Missing));
    check(all, &[("svix-id", "m2"), signed[1], signed[2]], Err(VerifyError::Mismatch));
    let svix = json!({"algorithm": "sha256", "secretKey": "c2VjcmV0", "secretIsBase64": true,
        "signatureEncoding": "base64", "signaturePrefix": "v1,", "signatureHeader": "webhook-signature"});
    check(svix, &[("x-timestamp", "1793534400"), ("webhook-signature", SHA256)], Ok(()));
    let sha1 = json!({"algorithm": "sha1", "secretKey": "k", "includeTimestamp": false});
    check(sha1.clone(), &[("x-signature", SHA1)], Ok(()));
    check(sha1, &[("x-signature", &SHA1.to_uppercase())], Err(VerifyError::Mismatch));
}

const SHA512: &str = "8aaa2587ac77641148c01a09ea5a87c74030d2cd7ae5d16b7e8e101045d8a4ee\
    b95ad68a4cc6b45117f227d3f9d232cee811286617b9f403514ec9ccaa9b9605";
const SHA256: &str = "v1,OUCzzzITtv9BcO6XdlCDJRKfd/L5vO7KYKsOU0XGfck=";
const SHA1: &str = "cd5db8ad80a5f76d54ce6d879c8e1c0e1c9c8dcc";

#[test]
fn any_of_several_plans_is_enough() {
    let document = json!({"secret": "one", "secret_secondary": "two",
        "auth": {"type": "hmac", "algorithm": "sha1", "secretKey": "k", "includeTimestamp": false},
        "auth_secondary": {"type": "bearer", "token": "three"}});
    let verifier = Vapi.verifier(&credentials(document));
    for (pair, good) in [
        (("x-vapi-secret", "one"), true),
        (("x-vapi-secret", "two"), true),
        (("x-vapi-secret", "three"), false),
        (("authorization", "bearer three"), true),
        (("authorization", "three"), false),
        (("x-signature", SHA1), true),
    ] {
        with_request("/webhooks/vapi/server", &[JSON_TYPE, pair], b"{}", |request| {
            let verdict = verifier.verify(kind("server"), request, UnixMillis(0));
            assert_eq!(verdict.is_ok(), good, "{pair:?}");
        });
    }
}

const OAUTH2: &str = r#"{"auth":{"type":"oauth2","url":"https://edge.example/token","clientId":"our id","clientSecret":"s&c+%1"}}"#;

fn client() -> Box<dyn Verifier> {
    let document = OAUTH2.replace("our id", "our-id");
    Vapi.verifier(&credentials(serde_json::from_str(&document).unwrap()))
}

#[test]
fn a_token_is_for_the_client() {
    let check = |pairs: &[(&str, &str)], body: &str, expected: Result<(), VerifyError>| {
        let pairs: Vec<_> = [FORM_TYPE].into_iter().chain(pairs.iter().copied()).collect();
        with_request("/webhooks/vapi/token/a1", &pairs, body.as_bytes(), |request| {
            assert_eq!(client().verify(kind("token"), request, UnixMillis(0)), expected, "{pairs:?} {body}");
        });
    };
    let grant = "grant_type=client_credentials";
    check(&[], &format!("{grant}&client_id=our-id&client_secret=s%26c%2B%251"), Ok(()));
    check(&[], &format!("{grant}&client_id=our-id&client_secret=s"), Err(VerifyError::Mismatch));
    check(&[], &format!("{grant}&client_id=other&client_secret=s%26c%2B%251"), Err(VerifyError::Mismatch));
    check(&[], &format!("{grant}&client_id=our-id"), Err(VerifyError::Missing));
    check(&[], grant, Err(VerifyError::Missing));
    let twice = format!("{grant}&client_id=our-id&client_secret=s%26c%2B%251&client_secret=x");
    check(&[], &twice, Err(VerifyError::Missing));
    // base64 of our-id:s&c+%1, of our-id:s%26c%2B%251, of our-id:s, of our-id
    check(&[("authorization", "Basic b3VyLWlkOnMmYyslMQ==")], grant, Ok(()));
    check(&[("authorization", "basic b3VyLWlkOnMlMjZjJTJCJTI1MQ==")], grant, Ok(()));
    check(&[("authorization", "Basic b3VyLWlkOnM=")], grant, Err(VerifyError::Mismatch));
    check(&[("authorization", "Basic b3VyLWlk")], grant, Err(VerifyError::Mismatch));
    check(&[("authorization", "Bearer b3VyLWlk")], grant, Err(VerifyError::Mismatch));
    let pair = ("authorization", "Basic b3VyLWlkOnMmYyslMQ==");
    check(&[pair, pair], grant, Err(VerifyError::Missing));
    let events = [(grant, true), ("grant_type=password", false), ("", false)];
    for (body, good) in events {
        with_request("/webhooks/vapi/token/a1", &[FORM_TYPE], body.as_bytes(), |request| {
            assert_eq!(matches!(Vapi.event(kind("token"), request), Ok(Event::Token)), good, "{body}");
            assert_eq!(Vapi.claim(kind("token"), request), crate::provider::Claim::default());
        });
    }
}

#[test]
fn a_token_is_shown_for_an_hour() {
    let now = 1_793_534_400_000;
    let issued = client().token(UnixMillis(now)).unwrap();
    let issued: Value = serde_json::from_slice(&issued.body).unwrap();
    assert_eq!((&issued["token_type"], &issued["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let token = issued["access_token"].as_str().unwrap();
    let shows = |token: &str, verifier: &dyn Verifier, now_ms: i64| {
        let value = format!("Bearer {token}");
        with_request("/webhooks/vapi/server/a1", &[JSON_TYPE, ("authorization", &value)], b"{}", |request| {
            verifier.verify(kind("server"), request, UnixMillis(now_ms))
        })
    };
    assert_eq!(shows(token, &*client(), now), Ok(()));
    assert_eq!(shows(token, &*client(), now + 3_600_000), Ok(()));
    let stale = Err(VerifyError::Stale { age_s: 3901, age_s_max: 3600 });
    assert_eq!(shows(token, &*client(), now + 3_901_000), stale);
    assert!(shows(token, &*client(), now - 301_000).is_err());
    let later = token.replacen("1793534400", "1793538000", 1);
    assert_ne!(later, token);
    for wrong in [&*later, "", ".", "1793534400.", &token[..token.len() - 1], "s&c+%1"] {
        assert_eq!(shows(wrong, &*client(), now), Err(VerifyError::Mismatch), "{wrong}");
    }
    let other = OAUTH2.replace("our id", "other-id");
    let other = Vapi.verifier(&credentials(serde_json::from_str(&other).unwrap()));
    assert_eq!(shows(token, &*other, now), Err(VerifyError::Mismatch));
    assert!(Vapi.verifier(&credentials(json!({"secret": "s"}))).token(UnixMillis(now)).is_none());
}

/// What becomes of a message: a word for the event, and its call where it has one.
fn event_of(message: &Value) -> Result<(String, Option<[String; 4]>), ParseError> {
    let body = json!({ "message": message }).to_string();
    with_request("/webhooks/vapi/server", &[JSON_TYPE], body.as_bytes(), |request| {
        let texts = |call: InboundCall<'_>| {
            let number_id = call.number_id.unwrap_or_default();
            [call.call_id, call.to, call.from, number_id].map(|text| text.into_owned())
        };
        let text = |rendered: &Rendered| String::from_utf8(rendered.body.to_vec()).unwrap();
        Ok(match Vapi.event(kind("server"), request)? {
            Event::Call(call) => ("call".into(), Some(texts(call))),
            Event::Transfer(call) => ("transfer".into(), Some(texts(call))),
            Event::Tools(tools) => (format!("{} tools", tools.calls.len()), Some(texts(tools.call))),
            Event::Status { call, status, .. } => (status.into(), call.map(texts)),
            Event::Continued { call, rendered, .. } => {
                (format!("{} {}", rendered.status, text(&rendered)), Some(texts(call)))
            }
            other => panic!("{other:?}"),
        })
    })
}

#[test]
fn each_message_has_its_event() {
    let call = json!({"id": "c1", "phoneNumberId": "p1", "customer": {"number": "+1202"}});
    for (kind, expected) in [
        ("transfer-destination-request", "transfer"),
        ("handoff-destination-request", r#"200 {"error":"Nobody is there to hand over to."}"#),
        ("knowledge-base-request", r#"200 {"documents":[]}"#),
        ("call.endpointing.request", r#"200 {"timeoutSeconds":0.5}"#),
        ("voice-request", "501 "),
        ("hang", "hang"),
        ("transcript", "transcript"),
        ("transcript[transcriptType=\"final\"]", "transcript"),
        ("end-of-call-report", "end-of-call-report"),
        ("status-update", "other"),
        ("something.new", "other"),
    ] {
        let (found, found_call) = event_of(&json!({"type": kind, "call": call})).unwrap();
        assert_eq!(found, expected, "{kind}");
        assert_eq!(found_call.unwrap(), ["c1", "", "+1202", "p1"], "{kind}");
    }
    for (status, label) in [(json!("ringing"), "ringing"), (json!("new"), "other"), (json!([1]), "other")] {
        let found = event_of(&json!({"type": "status-update", "status": status, "call": call})).unwrap();
        assert_eq!(found.0, label);
    }
    let old = json!({"type": "function-call", "call": call, "functionCall": {"name": "f", "parameters": {}}});
    assert_eq!(event_of(&old).unwrap().0, "1 tools");
    let web = json!({"type": "tool-calls", "toolCalls": [{"id": "t", "name": "f"}], "call": {"id": "c1"}});
    assert_eq!(event_of(&web).unwrap(), ("1 tools".into(), Some(["c1", "", "", ""].map(String::from))));
    let chat = json!({"type": "chat.created", "chat": {"id": "c"}});
    assert_eq!(event_of(&chat).unwrap(), ("chat.created".into(), None));
}

#[test]
fn the_first_place_that_says_it_counts() {
    let check = |rest: Value, expected: [&str; 4]| {
        let mut message = rest;
        message["type"] = "assistant-request".into();
        let (event, call) = event_of(&message).unwrap();
        assert_eq!((event.as_str(), call.unwrap()), ("call", expected.map(String::from)), "{message}");
    };
    check(
        json!({"call": {"id": "c", "phoneNumberId": "p1", "phoneNumber": {"number": "+12", "id": "p3"},
                "customer": {"number": "+1"}},
            "phoneNumber": {"number": "+11", "id": "p2"}, "customer": {"number": "+2"}}),
        ["c", "+11", "+1", "p1"],
    );
    check(
        json!({"call": {"id": "c", "phoneNumber": {"number": "+12"}, "customer": {"number": null}},
            "phoneNumber": {"id": "p2", "number": null}, "customer": {"number": "+2"}}),
        ["c", "+12", "+2", "p2"],
    );
    check(
        json!({"call": {"id": "c", "customer": 7}, "phoneNumber": {"sipUri": "sip:t1@sip.vapi.ai"},
            "customer": {"sipUri": "sip:a@b", "name": "A"}}),
        ["c", "sip:t1@sip.vapi.ai", "sip:a@b", ""],
    );
    check(json!({"call": {"id": "c", "phoneNumberId": "p1", "assistantId": null}}), ["c", "", "", "p1"]);
}

#[test]
fn what_is_not_a_call_is_refused() {
    let check = |json: &str| {
        with_request("/webhooks/vapi/server", &[JSON_TYPE], json.as_bytes(), |request| {
            assert!(Vapi.event(kind("server"), request).is_err(), "{json:.80}");
            let _ = Vapi.claim(kind("server"), request);
        });
    };
    for json in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"message":null}"#,
        r#"{"message":"hi"}"#,
        r#"{"message":{}}"#,
        r#"{"message":{"type":7}}"#,
        r#"{"message":{"type":"assistant-request"}}"#,
        r#"{"message":{"type":"assistant-request","call":{"id":"c"}}}"#,
        r#"{"message":{"type":"assistant-request","call":{"phoneNumberId":"p"}}}"#,
        r#"{"message":{"type":"assistant-request","call":{"id":1,"phoneNumberId":"p"}}}"#,
        r#"{"message":{"type":"assistant-request","call":"c"}}"#,
        r#"{"message":{"type":"hang","type":"tool-calls"}}"#,
        r#"{"message":{"type":"hang","call":{"id":"a","id":"b"}}}"#,
        r#"[{"type":"hang"}]"#,
        r#"{"message":{"type":"tool-calls"}}"#,
        r#"{"message":{"type":"tool-calls","toolCallList":{}}}"#,
        r#"{"message":{"type":"function-call"}}"#,
        r#"{"message":{"type":"hang"}}{}"#,
        r#"{"event":"call_inbound","call_inbound":{"from_number":"+1","to_number":"+2"}}"#,
        r#"{"data":{"event_type":"call.initiated","payload":{}}}"#,
    ] {
        check(json);
    }
    let valid = vector("tool_calls_two_calls").body;
    for end in (0..valid.len()).step_by(7) {
        check(&valid[..end]);
    }
    let others = hostile::of_others("vapi").into_iter().chain(hostile::malformed(JSON_TYPE.1));
    for body in others {
        let pairs = [("content-type", body.content_type.as_str())];
        let sent = !body.content_type.is_empty();
        with_request(
            "/webhooks/vapi/server",
            if sent { &pairs } else { &[JSON_TYPE] },
            &body.bytes,
            |request| {
                assert!(Vapi.event(kind("server"), request).is_err(), "{}", body.from);
                let _ = Vapi.claim(kind("server"), request);
            },
        );
    }
    with_request("/webhooks/vapi/server", &[FORM_TYPE], b"CallSid=CA1&To=%2B1&From=%2B2", |request| {
        let error = Vapi.event(kind("server"), request).unwrap_err();
        assert!(matches!(error, ParseError::ContentType(_)));
    });
}

#[test]
fn a_deep_body_beside_the_point_is_passed_over() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(r#"{{"message":{{"artifact":{deep},"type":"hang"}}}}"#);
    with_request("/webhooks/vapi/server", &[JSON_TYPE], body.as_bytes(), |request| {
        assert!(matches!(
            Vapi.event(kind("server"), request),
            Ok(Event::Status { call: None, status: "hang", .. })
        ));
    });
}

#[test]
fn changed_bytes_are_never_a_panic() {
    for vector in vectors().into_iter().filter(|vector| vector.valid) {
        let verifier = vector.verifier();
        let signs_the_body = vector.auth["type"] == "hmac";
        hostile::mutations(vector.body.as_bytes(), 500, |body| {
            vector.with_request(|request| {
                let changed = WebhookRequest { body, form: request.form.clone(), ..*request };
                let _ = Vapi.event(kind("server"), &changed);
                let _ = Vapi.claim(kind("server"), &changed);
                let verdict = verifier.verify(kind("server"), &changed, UnixMillis(vector.now_ms));
                assert!(!signs_the_body || body == vector.body.as_bytes() || verdict.is_err());
            });
        });
    }
}
