//! `X-SignalWire-Signature`: an HMAC-SHA1 with the project's signing key.
//!
//! Of a form: base64, over the public URL and the sorted parameters, as Twilio's. Of JSON: lower-case hex, over the
//! public URL and the raw body. Which of them is wanted is told by the request's content type, never by how the
//! signature looks. SignalWire signs no time.
//! Source: <https://signalwire.com/docs/compatibility-api/guides>, checked against SignalWire's Python SDK 2.1.1.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::provider::credentials::Credential;
use crate::provider::request::{Content, VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-signalwire-signature");

/// SignalWire's own libraries read this one where the other is absent.
static ALIAS: HeaderName = HeaderName::from_static("x-twilio-signature");

const HEX: &[u8; 16] = b"0123456789abcdef";

/// An account's signing keys with their blocks already hashed.
pub struct Keys(Vec<Hmac<Sha1>>);

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let keys = credentials.iter().filter(|credential| credential.kind == "signing_key");
        let keys = keys.map(|key| key.value.expose()).filter(|key| !key.is_empty());
        // An HMAC takes keys of any length, so that none is left out here.
        Self(keys.filter_map(|key| Hmac::new_from_slice(key).ok()).collect())
    }
}

impl Verifier for Keys {
    fn verify(
        &self,
        _kind: &Kind,
        request: &WebhookRequest<'_>,
        _now: UnixMillis,
    ) -> Result<(), VerifyError> {
        let name = if request.headers.contains_key(&SIGNATURE) { &SIGNATURE } else { &ALIAS };
        let signature = request.header(name).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let matches = self.0.iter().any(|key| signs(key, request, signature.as_bytes()));
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// Whether `key` makes this signature for any form of any public URL.
fn signs(key: &Hmac<Sha1>, request: &WebhookRequest<'_>, signature: &[u8]) -> bool {
    let is_get = request.method == http::Method::GET;
    let is_json = request.content == Content::Json && !is_get;
    let parameters = if is_get || is_json { "".into() } else { request.form.sorted_text() };
    let covered = if is_json { request.body } else { parameters.as_bytes() };
    request.public_urls.iter().flat_map(|url| url.signed_forms()).any(|url| {
        let mut mac = key.clone();
        mac.update(url.as_bytes());
        mac.update(request.target.as_bytes());
        mac.update(covered);
        let digest = mac.finalize().into_bytes();
        let mut expected = [0; 40];
        let length = if is_json { hex(&digest, &mut expected) } else { base64(&digest, &mut expected) };
        expected[..length].ct_eq(signature).into()
    })
}

fn hex(digest: &[u8], text: &mut [u8; 40]) -> usize {
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    text.len()
}

/// The 20 bytes of a digest fit; 0 would match no signature.
fn base64(digest: &[u8], text: &mut [u8; 40]) -> usize {
    STANDARD.encode_slice(digest, text).unwrap_or(0)
}
