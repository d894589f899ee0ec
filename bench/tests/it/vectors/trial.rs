//! What is tried with each provider's requests, and what is expected of them.

use serde_json::{Value, json};

use super::fixture::{Secret, Vector};
use super::scheme::Scheme;
use super::ways;

/// A provider's requests and what is expected of them.
pub struct Trial {
    pub provider: &'static str,
    /// Whether it runs agents itself, and no others.
    pub hosts: bool,
    /// How it signs.
    pub scheme: &'static Scheme,
    /// How many of its requests are right and how many are wrong.
    pub counts: (usize, usize),
    /// Those of the wrong ones that an unknown secret signed.
    pub unexplained: &'static [&'static str],
    /// Under which kind a request is sent.
    pub kind: fn(&Vector) -> &str,
    /// The account that has a request's secrets.
    pub credentials: fn(&Vector) -> Value,
    /// What stands in the answer to a right request: status and a part of the body.
    pub answer: fn(&Vector) -> (u16, &'static str),
    /// Right requests that end otherwise than with an answer, by their names.
    pub outcomes: &'static [(&'static str, &'static str)],
}

/// What the agent of the called number is known by, at its provider or in its URL.
pub const AGENT: &str = "front-desk-7";

impl Trial {
    /// A new agent that is known by `name`, as the admin plane takes it.
    pub fn agent(&self, name: &str) -> Value {
        let (provider, target) = match self.hosts {
            true => (self.provider, json!({"type": "hosted", "id": name})),
            false => ("custom", json!({"type": "stream", "url": format!("wss://{name}.example/agent")})),
        };
        json!({"name": "Front desk", "language": "en", "provider": provider, "target": target})
    }
}

/// All of them, in the order of their names.
pub const TRIALS: &[&Trial] = &[
    &BANDWIDTH,
    &BLAND,
    &ELEVENLABS,
    &JAMBONZ,
    &LIVEKIT,
    &PLIVO,
    &RETELL,
    &SIGNALWIRE,
    &TELNYX,
    &TWILIO,
    &VAPI,
    &VONAGE,
];

pub const BANDWIDTH: Trial = Trial {
    provider: "bandwidth",
    hosts: false,
    scheme: &ways::BANDWIDTH,
    counts: (9, 7),
    unexplained: &[],
    kind: |vector| &vector.kind,
    credentials: |vector| {
        let mut credentials = json!({"account_id": "55555555"});
        for (secret, suffix) in vector.secrets.iter().zip(["", "_secondary"]) {
            credentials[format!("callback_user_id{suffix}")] = json!(secret.username);
            credentials[format!("callback_password{suffix}")] = json!(secret.password);
        }
        credentials
    },
    answer: |vector| match &*vector.kind {
        "voice" => (200, AGENT),
        _ => (204, ""),
    },
    outcomes: &[],
};

pub const JAMBONZ: Trial = Trial {
    provider: "jambonz",
    hosts: false,
    scheme: &ways::JAMBONZ,
    counts: (4, 5),
    unexplained: &["wrong_secret"],
    kind: |vector| last_segment(vector),
    credentials: |vector| {
        with_secrets(json!({"account_sid": "bed525b4-af09-40d2-9fe7-cdf6ae577c69"}), &vector.secrets)
    },
    answer: |vector| match last_segment(vector) {
        "call" => (200, AGENT),
        _ => (204, ""),
    },
    outcomes: &[],
};

pub const LIVEKIT: Trial = Trial {
    provider: "livekit",
    hosts: false,
    scheme: &ways::LIVEKIT,
    counts: (4, 5),
    unexplained: &["wrong_secret"],
    kind: |vector| last_segment(vector),
    credentials: |vector| {
        let secret = &vector.secrets[0];
        json!({"api_key": secret.id, "api_secret": secret.value})
    },
    answer: |_| (200, "{}"),
    outcomes: &[],
};

pub const PLIVO: Trial = Trial {
    provider: "plivo",
    hosts: false,
    scheme: &ways::PLIVO,
    counts: (11, 9),
    unexplained: &[],
    kind: |vector| &vector.kind,
    credentials: |vector| with_secrets(json!({"auth_id": "MAXXXXXXXXXXXXXXXXXX"}), &vector.secrets),
    answer: |vector| match &*vector.kind {
        "voice" => (200, AGENT),
        "sms" => (200, "<Response"),
        _ => (200, ""),
    },
    outcomes: &[],
};

pub const SIGNALWIRE: Trial = Trial {
    provider: "signalwire",
    hosts: false,
    scheme: &ways::SIGNALWIRE,
    counts: (11, 7),
    unexplained: &[],
    kind: |vector| &vector.kind,
    credentials: |vector| {
        with_secrets(json!({"project_id": "6bfbbe86-a901-4197-8759-2a0de1fa319d"}), &vector.secrets)
    },
    answer: |vector| match &*vector.kind {
        "voice" => (200, AGENT),
        "sms" => (200, "<Response/>"),
        _ => (204, ""),
    },
    // The called address of the SDK's own request is somebody's SIP endpoint.
    outcomes: &[("sdk-test-status", "unknown_number")],
};

pub const TELNYX: Trial = Trial {
    provider: "telnyx",
    hosts: false,
    scheme: &ways::TELNYX,
    counts: (10, 10),
    unexplained: &["bad-key"],
    kind: |vector| match last_segment(vector) {
        "cc" => "call-control",
        segment => segment,
    },
    credentials: |vector| with_secrets(json!({}), &vector.secrets),
    answer: |vector| match (TELNYX.kind)(vector) {
        "texml" => (200, AGENT),
        _ => (200, ""),
    },
    outcomes: &[],
};

pub const TWILIO: Trial = Trial {
    provider: "twilio",
    hosts: false,
    scheme: &ways::TWILIO,
    counts: (17, 15),
    unexplained: &[],
    kind: |vector| &vector.kind,
    credentials: |vector| {
        let tokens = vector.secrets.iter().filter(|secret| secret.r#type == "auth_token");
        let tokens: Vec<Secret> = tokens.cloned().collect();
        let sid = json!({"account_sid": "AC5f0c2f1e8d7b4a6c9e3d2b1a0f9e8d7c"});
        let mut credentials = with_secrets(sid, &tokens);
        let keys = vector.secrets.iter().filter(|secret| secret.r#type == "shared_key");
        let keys: Vec<Value> = keys.map(|key| json!({"id": key.id, "secret": key.value})).collect();
        if !keys.is_empty() {
            credentials["shared_keys"] = json!(keys);
        }
        credentials
    },
    answer: |vector| match &*vector.kind {
        "voice" => (200, AGENT),
        "sms" => (200, "<Response/>"),
        _ => (204, ""),
    },
    outcomes: &[],
};

pub const BLAND: Trial = Trial {
    provider: "bland",
    hosts: false,
    scheme: &ways::BLAND,
    counts: (3, 3),
    unexplained: &["wrong_secret"],
    kind: |vector| last_segment(vector),
    credentials: |vector| with_secrets(json!({}), &vector.secrets),
    answer: |_| (200, "{}"),
    outcomes: &[],
};

pub const ELEVENLABS: Trial = Trial {
    provider: "elevenlabs",
    hosts: true,
    scheme: &ways::ELEVENLABS,
    counts: (8, 10),
    unexplained: &["wrong_secret"],
    kind: |vector| last_segment(vector),
    credentials: |vector| {
        let renamed = |secret: &Secret| match &*secret.r#type {
            "header_value" => Secret { r#type: "initiation_secret".into(), ..secret.clone() },
            _ => secret.clone(),
        };
        let secrets: Vec<Secret> = vector.secrets.iter().map(renamed).collect();
        let mut credentials = with_secrets(json!({}), &secrets);
        if let Some(name) = vector.auth["header"].as_str() {
            credentials["initiation_header"] = json!(name);
        }
        credentials
    },
    answer: |vector| match last_segment(vector) {
        "initiation" => (200, r#""route_action":"agent""#),
        _ => (200, ""),
    },
    outcomes: &[],
};

pub const RETELL: Trial = Trial {
    provider: "retell",
    hosts: true,
    scheme: &ways::RETELL,
    counts: (7, 9),
    unexplained: &["wrong_api_key"],
    kind: |vector| last_segment(vector),
    credentials: |vector| with_secrets(json!({}), &vector.secrets),
    answer: |vector| match last_segment(vector) {
        "inbound" => (200, AGENT),
        "functions" => (200, ""),
        _ => (204, ""),
    },
    outcomes: &[],
};

pub const VAPI: Trial = Trial {
    provider: "vapi",
    hosts: true,
    scheme: &ways::VAPI,
    counts: (8, 9),
    unexplained: &[],
    kind: |vector| last_segment(vector),
    credentials: |vector| {
        let mut credentials = json!({});
        for (secret, field) in vector.secrets.iter().zip(["auth", "auth_secondary"]) {
            let mut plan = vector.auth.clone();
            let fields = plan.as_object_mut().expect("a plan");
            fields.remove("tolerance_s");
            fields.retain(|_, value| !value.is_null());
            let name = if secret.r#type == "hmac_key" { "secretKey" } else { "token" };
            fields.insert(name.into(), json!(secret.value));
            credentials[field] = plan;
        }
        credentials
    },
    answer: |vector| match &*vector.kind {
        "assistant-request" => (200, AGENT),
        "tool-calls" => (200, "call_VaJOd8ZeZgWCEHDYomyCPfwN"),
        _ => (200, "{}"),
    },
    outcomes: &[],
};

pub const VONAGE: Trial = Trial {
    provider: "vonage",
    hosts: false,
    scheme: &ways::VONAGE,
    counts: (9, 11),
    unexplained: &[],
    kind: |vector| &vector.kind,
    credentials: |vector| {
        // The file has a secret of another account too.
        let own = vector.secrets.iter().filter(|secret| matches!(&*secret.api_key, "" | "a1b2c3d4"));
        let mut credentials = json!({"api_key": "a1b2c3d4"});
        for (secret, field) in own.zip(["signature_secret", "signature_secret_secondary"]) {
            credentials[field] = json!(secret.value);
            if !secret.method.is_empty() {
                credentials["sms_signature_method"] = json!(secret.method);
            }
        }
        credentials
    },
    answer: |vector| match &*vector.kind {
        "voice" => (200, AGENT),
        _ => (204, ""),
    },
    outcomes: &[],
};

/// Adds secrets under the names of their types, the second of a type as the secondary one.
fn with_secrets(mut credentials: Value, secrets: &[Secret]) -> Value {
    for secret in secrets {
        let second = format!("{}_secondary", secret.r#type);
        let field = if credentials[&secret.r#type].is_null() { &secret.r#type } else { &second };
        credentials[field] = json!(secret.value);
    }
    credentials
}

/// The last segment of the path that a request was made for.
fn last_segment(vector: &Vector) -> &str {
    let path = vector.url.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}
