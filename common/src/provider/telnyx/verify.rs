//! `telnyx-signature-ed25519`: base64 of an Ed25519 signature over the timestamp, a `|` and the raw body.
//!
//! The URL isn't covered, and so neither would be a GET's parameters: no kind takes one.
//! Source: <https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks>, checked against Telnyx's Python
//! SDK 4.189.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use http::HeaderName;

use super::credentials::{API_KEY, PUBLIC_KEY, public_key};
use crate::provider::credentials::Credential;
use crate::provider::request::{VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier, age};
use crate::time::{UnixMillis, UnixSeconds};

static SIGNATURE: HeaderName = HeaderName::from_static("telnyx-signature-ed25519");
static TIMESTAMP: HeaderName = HeaderName::from_static("telnyx-timestamp");

/// How old a signature may be, and how far in the future, in seconds: as in Telnyx's SDKs.
const AGE_MAX_S: i64 = 300;

/// An account's public keys, decoded, and what its commands are authorized with.
pub struct Keys {
    public: Vec<VerifyingKey>,
    authorization: Option<String>,
}

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind =
            |kind: &'static str| credentials.iter().filter(move |credential| credential.kind == kind);
        let api_key = of_kind(API_KEY).next().and_then(|key| std::str::from_utf8(key.value.expose()).ok());
        Self {
            public: of_kind(PUBLIC_KEY).filter_map(|key| public_key(key.value.expose())).collect(),
            authorization: api_key.filter(|key| !key.is_empty()).map(|key| format!("Bearer {key}")),
        }
    }
}

impl Verifier for Keys {
    fn verify(&self, _kind: &Kind, request: &WebhookRequest<'_>, now: UnixMillis) -> Result<(), VerifyError> {
        let wanted = |name| request.header(name).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing);
        let (signature, timestamp) = (wanted(&SIGNATURE)?, wanted(&TIMESTAMP)?);
        let signed_at = UnixSeconds(seconds(timestamp).ok_or(VerifyError::Mismatch)?);
        age::check_seconds(signed_at, now, AGE_MAX_S)?;
        let signature = read_signature(signature).ok_or(VerifyError::Mismatch)?;
        let signed = [timestamp.as_bytes(), b"|", request.body].concat();
        let matches = self.public.iter().any(|key| key.verify_strict(&signed, &signature).is_ok());
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }

    fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }
}

/// Digits only: a sign or a blank is nothing that Telnyx writes.
fn seconds(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn read_signature(text: &str) -> Option<Signature> {
    // 64 bytes are 88 characters; longer texts are not even decoded.
    let mut bytes = [0; 66];
    let text = Some(text).filter(|text| text.len() == 88)?;
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    Signature::from_slice(bytes.get(..length)?).ok()
}
