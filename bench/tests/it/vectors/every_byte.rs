//! Twilio's requests by each public URL that a router may have, and with each of their bytes changed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::Salon;
use dialplane_bench::signing::{form, twilio};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::{stream_of, twiml};
use crate::installation::Installation;

const SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Clone, Deserialize)]
struct Vector {
    name: String,
    kind: String,
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: String,
    secrets: Vec<Secret>,
    valid: bool,
    to: String,
    from: String,
    call_id: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Secret {
    r#type: String,
    id: String,
    value: String,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../../../common/src/provider/twilio/fixtures/signed.json");
    serde_json::from_str::<File>(text).expect("the fixtures are as described").vectors
}

fn named(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).expect("there is a vector of this name")
}

/// How a request is signed.
#[derive(Clone)]
enum Key {
    AuthToken(String),
    SharedKey(String),
}

/// A request and what its signature covers, which differ once somebody has changed one of them.
#[derive(Clone)]
struct Request {
    method: String,
    target: String,
    body: String,
    headers: Vec<(String, String)>,
    signed_target: String,
    signed_body: String,
    key: Key,
}

impl Request {
    /// A vector's request, at the path that provisioning sets for the account.
    fn new(vector: &Vector, account: &str) -> Self {
        let query = vector.url.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let target = format!("/webhooks/twilio/{}/{account}{query}", vector.kind);
        let headers = vector.headers.iter().filter(|(name, _)| *name != "X-Twilio-Signature");
        let shared = vector.headers.contains_key(SETTINGS);
        let secret = |wanted: &str| {
            let mut secrets = vector.secrets.iter().filter(|secret| secret.r#type == wanted);
            // During a rotation the second token is the one in question.
            let secret = if vector.name.ends_with("-secondary") { secrets.nth(1) } else { secrets.next() };
            secret.expect("the vector has its secret").value.clone()
        };
        Self {
            method: vector.method.clone(),
            target: target.clone(),
            body: vector.body.clone(),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            signed_target: target,
            signed_body: vector.body.clone(),
            key: if shared {
                Key::SharedKey(secret("shared_key"))
            } else {
                Key::AuthToken(secret("auth_token"))
            },
        }
    }

    fn is_json(&self) -> bool {
        self.headers.iter().any(|(name, value)| name == "Content-Type" && value == "application/json")
    }

    fn signature(&self, origin: &str) -> String {
        let url = format!("{origin}{}", self.signed_target);
        let parameters =
            if self.is_json() || self.method == "GET" { Vec::new() } else { form::decode(&self.signed_body) };
        let pairs: Vec<_> = parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        match &self.key {
            Key::AuthToken(token) => twilio::signature(token, &url, &pairs),
            Key::SharedKey(secret) => twilio::sha256_signature(secret, &url, &pairs),
        }
    }

    fn send(&self, router: SocketAddr, origin: &str) -> Response {
        self.send_with(router, &[&self.signature(origin)])
    }

    /// Sends it with these signatures, one header each.
    fn send_with(&self, router: SocketAddr, signatures: &[&str]) -> Response {
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        headers.extend(signatures.iter().map(|signature| ("X-Twilio-Signature", *signature)));
        let answer = http::request(router, &self.method, &self.target, &headers, self.body.as_bytes());
        answer.expect("the router answers")
    }
}

/// One salon whose numbers are those of the vectors, and an account that has one set of secrets after the other.
struct Stage {
    system: Installation,
    salon: Salon,
    other_phone: String,
    account: String,
    credentials: RefCell<Value>,
}

impl Stage {
    fn start() -> Self {
        let system = Installation::start();
        let mut salon = system.salon(1);
        let path = format!("/tenants/{}/phone-numbers", salon.tenant);
        let [phone, other_phone] = ["+14155550123", "+18005551212"].map(|number| {
            system
                .operator
                .create(&path, &json!({"source": "manual", "phone_number": number, "agent_id": salon.agent}))
        });
        (salon.phone, salon.number) = (phone, "+14155550123".into());
        let tenant_path = format!("/tenants/{}", salon.tenant);
        let first = credentials(&vectors()[0].secrets);
        let account = json!({"provider": "twilio", "label": "vectors", "credentials": first});
        let account = system.operator.create(&format!("{tenant_path}/accounts"), &account);
        for phone in [&salon.phone, &other_phone] {
            let path = format!("{tenant_path}/phone-numbers/{phone}");
            system.apply("PATCH", &path, &json!({ "account_id": account }));
        }
        Self { system, salon, other_phone, account, credentials: RefCell::new(first) }
    }

    /// Gives the account these secrets instead of those that it had.
    fn secrets(&self, secrets: &[Secret]) -> &str {
        let new = credentials(secrets);
        let change = json!({"credentials": super::instead_of(&self.credentials.borrow(), &new)});
        let path = format!("/tenants/{}/accounts/{}", self.salon.tenant, self.account);
        self.system.apply("PATCH", &path, &change);
        self.credentials.replace(new);
        &self.account
    }

    fn check_answered(&self, vector: &Vector, answer: &Response, what: &str) {
        let name = &vector.name;
        let phone = if vector.to == self.salon.number { &self.salon.phone } else { &self.other_phone };
        let salon = Salon { phone: phone.clone(), ..self.salon.clone() };
        let expected = match &*vector.kind {
            "voice" => {
                let url = "wss://voice.example/agent";
                let stream = stream_of(&salon, url, &vector.call_id, &vector.from, &vector.to);
                (200, twiml(&format!("<Connect>{stream}</Connect>")))
            }
            "sms" => (200, r#"<?xml version="1.0" encoding="UTF-8"?><Response/>"#.into()),
            "status" => (204, String::new()),
            other => panic!("{name}: a kind that no test knows: {other}"),
        };
        assert_eq!((answer.status, answer.body.clone()), expected, "{name}, {what}");
        assert_eq!(answer.header("dialplane-outcome"), None, "{name}, {what}");
    }
}

fn credentials(secrets: &[Secret]) -> Value {
    let of = |kind: &'static str| secrets.iter().filter(move |secret| secret.r#type == kind);
    let mut credentials = json!({"account_sid": "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c"});
    for (field, token) in ["auth_token", "auth_token_secondary"].into_iter().zip(of("auth_token")) {
        credentials[field] = json!(token.value);
    }
    let keys: Vec<_> = of("shared_key").map(|key| json!({"id": key.id, "secret": key.value})).collect();
    if !keys.is_empty() {
        credentials["shared_keys"] = json!(keys);
    }
    credentials
}

#[test]
fn requests_as_the_sdk_signs_them_are_answered_by_whichever_url_was_called() {
    let stage = Stage::start();
    let edge =
        stage.system.router(&[("PUBLIC_URLS", "https://edge.example.com:8443,https://two.example.com")]);
    let own = format!("http://{}", stage.system.router.address);
    let mut answered = 0;
    let all: BTreeSet<Vec<Secret>> = vectors().into_iter().map(|vector| vector.secrets).collect();
    for secrets in &all {
        let account = stage.secrets(secrets);
        for vector in vectors().iter().filter(|vector| vector.valid && vector.secrets == *secrets) {
            let request = Request::new(vector, account);
            stage.check_answered(
                vector,
                &request.send(stage.system.router.address, &own),
                "by the router's own URL",
            );
            let public = [
                "https://edge.example.com:8443",
                "https://edge.example.com",
                "https://two.example.com",
                "https://two.example.com:443",
            ];
            for origin in public {
                stage.check_answered(vector, &request.send(edge.address, origin), origin);
            }
            // Behind public URLs nothing else is signed: neither the inner address nor the other scheme.
            let edge_own = format!("http://{}", edge.address);
            for origin in [
                &*edge_own,
                "http://edge.example.com:8443",
                "http://edge.example.com",
                "https://edge.example.com:443",
            ] {
                let refused = request.send(edge.address, origin);
                assert_eq!(refused.status, 403, "{}, signed for {origin}: {}", vector.name, refused.body);
            }
            answered += 1;
        }
    }
    assert_eq!(answered, vectors().iter().filter(|vector| vector.valid).count());
    assert!(answered >= 17, "{answered} valid vectors");
}

#[test]
fn every_byte_of_a_request_counts() {
    let stage = Stage::start();
    let router = stage.system.router.address;
    let own = format!("http://{router}");
    let vector = named("voice-inbound");
    let account = stage.secrets(&vector.secrets).to_owned();
    let request = Request::new(&vector, &account);
    let signature = request.signature(&own);
    let refused = |what: &str, answer: &Response| assert_eq!(answer.status, 403, "{what}: {}", answer.body);
    refused("the signature twice", &request.send_with(router, &[&signature, &signature]));
    refused("two signatures in one", &request.send_with(router, &[&format!("{signature},{signature}")]));
    for place in 0..signature.len() - 1 {
        let mut changed = signature.clone().into_bytes();
        changed[place] = if changed[place] == b'x' { b'y' } else { b'x' };
        refused("a changed signature", &request.send_with(router, &[&String::from_utf8_lossy(&changed)]));
    }
    refused("a shorter signature", &request.send_with(router, &[&signature[..signature.len() - 1]]));
    for (index, _) in form::decode(&vector.body).iter().enumerate() {
        let fields: Vec<_> = vector.body.split('&').collect();
        let without: Vec<_> =
            fields.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, field)| *field).collect();
        let changed: Vec<_> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| if at == index { format!("{field}x") } else { (*field).into() })
            .collect();
        for body in [without.join("&"), changed.join("&")] {
            let request = Request { body, ..request.clone() };
            refused(fields[index], &request.send_with(router, &[&signature]));
        }
    }
    let query = Request { target: format!("{}?a=1", request.target), ..request.clone() };
    refused("a query that wasn't signed", &query.send_with(router, &[&signature]));
    let get = Request {
        method: "GET".into(),
        target: format!("{}?{}", request.target, request.body),
        ..request.clone()
    };
    refused("the parameters moved to the URL", &get.send_with(router, &[&signature]));
    stage.check_answered(&vector, &request.send_with(router, &[&signature]), "after all of it");
}
