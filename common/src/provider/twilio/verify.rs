//! `X-Twilio-Signature`: base64 of an HMAC over the public URL and the sorted parameters.
//!
//! The HMAC is SHA-1 with the account's auth token, or what `X-Twilio-Webhooks-Signature-Settings` says with one of
//! the account's shared keys. A JSON body isn't in the text: its SHA-256 stands in the URL, as `bodySHA256`.
//! Source: <https://www.twilio.com/docs/usage/security>, checked against Twilio's Python SDK 9.13.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::request::{Content, VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
static SETTINGS: HeaderName = HeaderName::from_static("x-twilio-webhooks-signature-settings");

/// An account's keys with their blocks already hashed.
pub struct Keys {
    auth_tokens: Vec<Hmac<Sha1>>,
    shared_keys: Vec<SharedKey>,
}

struct SharedKey {
    id: String,
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind =
            |kind: &'static str| credentials.iter().filter(move |credential| credential.kind == kind);
        Self {
            auth_tokens: of_kind("auth_token").filter_map(|token| keyed(token.value.expose())).collect(),
            shared_keys: of_kind("shared_key")
                .filter_map(|key| {
                    let value = key.value.expose();
                    Some(SharedKey { id: key.id.clone(), sha1: keyed(value)?, sha256: keyed(value)? })
                })
                .collect(),
        }
    }
}

/// An HMAC takes keys of any length, so this is never `None`; an empty key is nobody's secret.
fn keyed<M: Mac + KeyInit>(key: &[u8]) -> Option<M> {
    if key.is_empty() { None } else { <M as KeyInit>::new_from_slice(key).ok() }
}

impl Verifier for Keys {
    fn verify(
        &self,
        _kind: &Kind,
        request: &WebhookRequest<'_>,
        _now: UnixMillis,
    ) -> Result<(), VerifyError> {
        let signature =
            request.header(&SIGNATURE).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        if request.content == Content::Json && !body_hash_matches(request) {
            return Err(VerifyError::Mismatch);
        }
        let signature = signature.as_bytes();
        let matches = match request.headers.contains_key(&SETTINGS) {
            false => self.auth_tokens.iter().any(|token| signs(token, request, signature)),
            true => {
                let settings =
                    request.header(&SETTINGS).and_then(Settings::parse).ok_or(VerifyError::UnknownKey)?;
                let key = self
                    .shared_keys
                    .iter()
                    .find(|key| key.id == settings.key)
                    .ok_or(VerifyError::UnknownKey)?;
                match settings.algorithm {
                    Algorithm::Sha1 => signs(&key.sha1, request, signature),
                    Algorithm::Sha256 => signs(&key.sha256, request, signature),
                }
            }
        };
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// Whether `key` makes this signature for any form of any public URL.
fn signs<M: Mac + Clone>(key: &M, request: &WebhookRequest<'_>, signature: &[u8]) -> bool {
    let parameters = if request.method == http::Method::GET { "".into() } else { request.form.sorted_text() };
    request.public_urls.iter().flat_map(|url| url.signed_forms()).any(|url| {
        let mut mac = key.clone();
        mac.update(url.as_bytes());
        mac.update(request.target.as_bytes());
        mac.update(parameters.as_bytes());
        let mut expected = [0; 64];
        let encoded = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut expected);
        encoded.is_ok_and(|length| expected[..length].ct_eq(signature).into())
    })
}

fn body_hash_matches(request: &WebhookRequest<'_>) -> bool {
    let Some(claimed) = request.query_value("bodySHA256") else { return false };
    let hash = Sha256::digest(request.body);
    let mut expected = [0; 64];
    for (pair, byte) in expected.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    claimed.to_ascii_lowercase().as_bytes().ct_eq(&expected).into()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `key=<key id>,algorithm=HMAC_SHA256`, with optional blanks around each part.
struct Settings<'a> {
    key: &'a str,
    algorithm: Algorithm,
}

enum Algorithm {
    Sha1,
    Sha256,
}

impl<'a> Settings<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let value = |wanted: &str| {
            let mut values = text.split(',').filter_map(|part| {
                let (name, value) = part.split_once('=')?;
                (name.trim() == wanted).then_some(value.trim())
            });
            let first = values.next()?;
            values.next().is_none().then_some(first)
        };
        let algorithm = match value("algorithm")? {
            "HMAC_SHA1" => Algorithm::Sha1,
            "HMAC_SHA256" => Algorithm::Sha256,
            _ => return None,
        };
        Some(Self { key: value("key")?, algorithm })
    }
}
