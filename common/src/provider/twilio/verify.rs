//! `X-Twilio-Signature`: base64 of an HMAC over the public URL and the sorted parameters.
//!
//! The HMAC is SHA-1 with the account's auth token, or what `X-Twilio-Webhooks-Signature-Settings` says with one of
//! the account's shared keys. A JSON body isn't in the text: its SHA-256 stands in the URL, as `bodySHA256`.
//! Source: <https://www.twilio.com/docs/usage/security>, checked against Twilio's Python SDK 9.13.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::hmac_sha1;
use crate::provider::request::{Content, VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
static SETTINGS: HeaderName = HeaderName::from_static("x-twilio-webhooks-signature-settings");

/// An account's keys with their blocks already hashed.
pub struct Keys {
    auth_tokens: Vec<hmac_sha1::Key>,
    shared_keys: Vec<SharedKey>,
}

struct SharedKey {
    id: String,
    sha1: hmac_sha1::Key,
    sha256: Hmac<Sha256>,
}

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let of_kind =
            |kind: &'static str| credentials.iter().filter(move |credential| credential.kind == kind);
        Self {
            auth_tokens: of_kind("auth_token")
                .filter_map(|token| hmac_sha1::Key::new(token.value.expose()))
                .collect(),
            shared_keys: of_kind("shared_key")
                .filter_map(|key| {
                    let value = key.value.expose();
                    // An HMAC takes keys of any length.
                    let sha256 = Hmac::new_from_slice(value).ok()?;
                    Some(SharedKey { id: key.id.clone(), sha1: hmac_sha1::Key::new(value)?, sha256 })
                })
                .collect(),
        }
    }
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
        let matches = match request.has_header(&SETTINGS) {
            false => self.auth_tokens.iter().any(|token| signs_sha1(token, request, signature)),
            true => {
                let settings =
                    request.header(&SETTINGS).and_then(Settings::parse).ok_or(VerifyError::UnknownKey)?;
                let key = self
                    .shared_keys
                    .iter()
                    .find(|key| key.id == settings.key)
                    .ok_or(VerifyError::UnknownKey)?;
                match settings.algorithm {
                    Algorithm::Sha1 => signs_sha1(&key.sha1, request, signature),
                    Algorithm::Sha256 => signs_sha256(&key.sha256, request, signature),
                }
            }
        };
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// The parameters, as they are signed.
fn parameters<'r>(request: &'r WebhookRequest<'_>) -> Cow<'r, str> {
    if request.method == http::Method::GET { Cow::Borrowed("") } else { request.form.sorted_text() }
}

/// Whether `key` makes this signature for any form of any public URL.
fn signs_sha1(key: &hmac_sha1::Key, request: &WebhookRequest<'_>, signature: &[u8]) -> bool {
    let parameters = parameters(request);
    let mut codes = key.codes(request.public_urls, request.target, parameters.as_bytes());
    codes.any(|code| hmac_sha1::same(&hmac_sha1::base64(&code), signature))
}

/// The same for the other algorithm.
fn signs_sha256(key: &Hmac<Sha256>, request: &WebhookRequest<'_>, signature: &[u8]) -> bool {
    let parameters = parameters(request);
    request.public_urls.iter().flat_map(|url| url.signed_forms()).any(|url| {
        let mut mac = key.clone();
        mac.update(url.as_bytes());
        mac.update(request.target.as_bytes());
        mac.update(parameters.as_bytes());
        let mut expected = [0; 44];
        let encoded = STANDARD.encode_slice(mac.finalize().into_bytes(), &mut expected);
        encoded.is_ok() && bool::from(expected.ct_eq(signature))
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
