//! The whole answer to a call, provider by provider: the same tenant, the same rule, a request that the provider's own
//! SDK signed. Few numbers, so caches are warm: this compares protocols; `steps` measures the lookup.

#![expect(clippy::unwrap_used, reason = "a benchmark whose workload is wrong can only stop")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use dialplane_bench::signing::{form, plivo, signalwire, twilio};
use dialplane_common::e164::E164;
use dialplane_common::feed::frame::{Frame, Payload, RawKey, encode};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::message::Delta;
use dialplane_common::feed::record::{
    AccountRecord, AgentRecord, AgentTarget, HostedAgent, NumberRecord, Record, SignaturePolicy, TenantRecord,
};
use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, Revision};
use dialplane_common::ids::{AccountId, AgentId, PhoneNumberId, TenantId};
use dialplane_common::location::{Conversation, Profile, Voice};
use dialplane_common::provider::provider;
use dialplane_common::time::UnixMillis;
use dialplane_router::outbound::Outbound;
use dialplane_router::outcome::Outcome;
use dialplane_router::snapshot::Snapshot;
use dialplane_router::webhook::{Origins, Peer, Reaction, Received, Webhooks, endpoint};
use http::{HeaderMap, Method};
use serde::Deserialize;
use uuid::Uuid;

const ORIGIN: &str = "https://calls.example.com";
const TENANT: TenantId = TenantId(Uuid::from_u128(1));

/// A provider's request for a decision.
struct Case {
    provider: &'static str,
    kind: &'static str,
    fixtures: &'static str,
    /// The request's name among the fixtures.
    vector: &'static str,
    /// The account's credentials.
    credentials: &'static str,
    /// Whether the provider hosts the agent.
    hosted: bool,
}

macro_rules! case {
    ($provider:literal, $kind:literal, $vector:literal, $credentials:literal, $hosted:literal) => {
        Case {
            provider: $provider,
            kind: $kind,
            fixtures: include_str!(concat!("../../common/src/provider/", $provider, "/fixtures/signed.json")),
            vector: $vector,
            credentials: $credentials,
            hosted: $hosted,
        }
    };
}

const CASES: [Case; 11] = [
    case!(
        "twilio",
        "voice",
        "voice-inbound",
        r#"{"account_sid":"AC1","auth_token":"0f1e2d3c4b5a69788796a5b4c3d2e1f0"}"#,
        false
    ),
    case!(
        "signalwire",
        "voice",
        "voice-inbound",
        r#"{"project_id":"6bfbbe86-a901-4197-8759-2a0de1fa319d","signing_key":"PSK_a1B2c3D4e5F6g7H8i9J0k1L2"}"#,
        false
    ),
    case!(
        "telnyx",
        "texml",
        "texml-voice",
        r#"{"ed25519_public_key":"DQuuiA6LMZaO49XE0kogEUOIqF0RwKAUikbWE5edtTM="}"#,
        false
    ),
    case!(
        "telnyx",
        "call-control",
        "cc-call-initiated",
        r#"{"ed25519_public_key":"DQuuiA6LMZaO49XE0kogEUOIqF0RwKAUikbWE5edtTM="}"#,
        false
    ),
    case!(
        "plivo",
        "voice",
        "answer-post-v3",
        r#"{"auth_id":"MA123456789012345678","auth_token":"NTBiZGUyMzk3ZGFiOWM4NjViNTYxYTA5ZDFjMTI0"}"#,
        false
    ),
    case!(
        "vonage",
        "voice",
        "answer-post",
        r#"{"api_key":"a1b2c3d4","signature_secret":"Rk3xQ8vT1zLw6yNf0sJd7hGb2mPc4aUe"}"#,
        false
    ),
    case!(
        "bandwidth",
        "voice",
        "initiate",
        r#"{"account_id":"55555555","callback_user_id":"bw-hook","callback_password":"N7q!x2Lp9Zt4"}"#,
        false
    ),
    case!(
        "jambonz",
        "call",
        "call_hook",
        r#"{"account_sid":"bed525b4-0000-4000-8000-000000000001","webhook_secret":"wh_secret_8sD2kJ3hQpXcVbNmZaLqWe"}"#,
        false
    ),
    case!(
        "vapi",
        "server",
        "assistant_request_hmac_defaults",
        r#"{"auth":{"type":"hmac","secretKey":"vs_1fd0a3b2c4e58697","algorithm":"sha256"}}"#,
        true
    ),
    case!(
        "elevenlabs",
        "initiation",
        "initiation_webhook_shared_header",
        r#"{"initiation_secret":"dp_init_5f1c9e7b3a"}"#,
        true
    ),
    case!(
        "retell",
        "inbound",
        "call_inbound_basic",
        r#"{"api_key":"key_4f1d0c2b7a9e4c55b6e2a1f0d3c49b87"}"#,
        true
    ),
];

#[derive(Deserialize)]
struct Fixtures {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    headers: BTreeMap<String, String>,
    body: String,
    #[serde(default)]
    now: i64,
    to_e164: Option<String>,
}

impl Case {
    fn vector(&self) -> Vector {
        let fixtures: Fixtures = serde_json::from_str(self.fixtures).unwrap();
        fixtures.vectors.into_iter().find(|vector| vector.name == self.vector).unwrap()
    }

    /// The request's path, and its headers: signed again where the signature covers the URL.
    fn signed(&self, account: AccountId, vector: &Vector) -> (String, HeaderMap) {
        let target = format!("/webhooks/{}/{}/{account}", self.provider, self.kind);
        let url = format!("{ORIGIN}{target}");
        let decoded = form::decode(&vector.body);
        let parameters: Vec<_> = decoded.iter().map(|(name, value)| (&**name, &**value)).collect();
        let document: serde_json::Value = serde_json::from_str(self.credentials).unwrap();
        let secret = |field: &str| document[field].as_str().unwrap().to_owned();
        let mut headers = vector.headers.clone();
        let mut sign = |header: &str, value: String| headers.insert(header.to_owned(), value);
        match self.provider {
            "twilio" => {
                sign("X-Twilio-Signature", twilio::signature(&secret("auth_token"), &url, &parameters));
            }
            "signalwire" => {
                let signature = signalwire::form_signature(&secret("signing_key"), &url, &parameters);
                sign("X-SignalWire-Signature", signature);
            }
            "plivo" => {
                let nonce = "12345678901234567890";
                sign("X-Plivo-Signature-V3", plivo::v3(&secret("auth_token"), &url, &parameters, nonce));
            }
            _ => {}
        }
        let header = |(name, value): (&String, &String)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse::<http::HeaderValue>().unwrap())
        };
        (target, headers.iter().map(header).collect())
    }

    /// The case's account, agent and number.
    fn records(&self, index: usize, vector: &Vector, keys: &Keyring) -> (AccountId, [Record; 3]) {
        let id = |kind: u128| Uuid::from_u128(kind << 64 | (index as u128 + 1));
        let (account, agent) = (AccountId(id(1)), AgentId(id(2)));
        let document = serde_json::from_str(self.credentials).unwrap();
        let read = provider(self.provider).unwrap().credentials(&document).unwrap();
        let account_record = AccountRecord {
            tenant_id: Some(TENANT),
            provider: self.provider.into(),
            external_id: read.external_id,
            calling_code: None,
            signature_policy: SignaturePolicy::Enforce,
            sealed_credentials: keys.seal([7; 24], account.as_bytes(), &encode(&read.credentials)),
        };
        let target = if self.hosted {
            let provider = self.provider.to_owned();
            AgentTarget::Hosted(Box::new(HostedAgent {
                provider,
                id: "agent-1".into(),
                version: None,
                sip_uri: None,
            }))
        } else {
            AgentTarget::Stream { url: "wss://voice.example.com/agent".into() }
        };
        let agent_record =
            AgentRecord { profile: profile().into(), ..AgentRecord::new(TENANT, "Front desk", target) };
        let number: E164 = vector.to_e164.as_deref().unwrap().parse().unwrap();
        let number_record = NumberRecord {
            agent_id: Some(agent),
            bindings: vec![account.into()],
            ..NumberRecord::new(PhoneNumberId(id(3)), TENANT)
        };
        let records = [
            Record::Account(account, account_record),
            Record::Agent(agent, agent_record),
            Record::Number(number, number_record),
        ];
        (account, records)
    }
}

fn profile() -> Profile {
    Profile {
        voice: Voice {
            voice_id: Some("voice-1".into()),
            language: Some("en-US".into()),
            greeting: Some("Sparkle Nails, hello!".into()),
            ..Voice::default()
        },
        conversation: Conversation {
            rules: Some(vec!["Never quote prices.".into(), "Be brief.".into()]),
            ..Conversation::default()
        },
    }
}

/// A snapshot of one case: several have the same number.
fn snapshot(records: &[Record], keys: &Keyring) -> Snapshot {
    let tenant = Record::Tenant(TENANT, TenantRecord::new("Sparkle Nails", "America/New_York"));
    let mut frames = Vec::new();
    for record in std::iter::once(&tenant).chain(records) {
        let (key, bytes) = (record.key().to_bytes(), record.encode());
        let key = RawKey { kind: record.key().kind() as u8, key: &key };
        Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) }.write(&mut frames);
    }
    let epoch = Epoch(Uuid::from_u128(9));
    let (revision, digest) = (Revision(1), Digest::default());
    let delta = Delta { epoch, revision, digest, committed_us: 0, frames: &frames };
    Snapshot::empty(epoch).apply(&delta, keys).unwrap().0
}

fn answers(c: &mut Criterion) {
    let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
    let origins = Origins { public_urls: vec![ORIGIN.parse().unwrap()], trusted_proxies: vec![] };
    let (timeout, outbound) = (Duration::from_secs(5), Outbound::default());
    let webhooks = Webhooks::new(Arc::clone(&keys), origins, timeout, outbound).unwrap();
    for (index, case) in CASES.iter().enumerate() {
        let vector = case.vector();
        let (account, records) = case.records(index, &vector, &keys);
        let snapshot = snapshot(&records, &keys);
        let (target, headers) = case.signed(account, &vector);
        let endpoint = endpoint(&target).unwrap();
        let received = Received {
            method: &Method::POST,
            authority: None,
            target: &target,
            headers: (&headers).into(),
            body: vector.body.as_bytes(),
            peer: Peer { address: [127, 0, 0, 1].into(), tls: false },
        };
        let now = UnixMillis(vector.now.max(1_793_534_400) * 1000);
        let answer = || match webhooks.react(&snapshot, &endpoint, black_box(&received), now) {
            Reaction::Now(answer) => answer,
            Reaction::Later(work) => panic!("{work:?}"),
        };
        let first = answer();
        let name = format!("call/{}/{}", case.provider, case.kind);
        assert_eq!(first.outcome, Outcome::Answered, "{name}: {:?}", first.rendered);
        c.bench_function(&name, |b| b.iter(|| answer().into_response()));
    }
}

criterion_group!(benches, answers);
criterion_main!(benches);
