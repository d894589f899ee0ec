//! `X-SignalWire-Signature`: an HMAC-SHA1 with the project's signing key.
//!
//! Of a form: base64, over the public URL and the sorted parameters, as Twilio's. Of JSON: lower-case hex, over the
//! public URL and the raw body. Which of them is wanted is told by the request's content type, never by how the
//! signature looks. SignalWire signs no time.
//! Source: <https://signalwire.com/docs/compatibility-api/guides>, checked against SignalWire's Python SDK 2.1.1.

use http::HeaderName;

use crate::provider::credentials::Credential;
use crate::provider::hmac_sha1::{Key, base64, same};
use crate::provider::request::{Content, VerifyError, WebhookRequest};
use crate::provider::{Kind, Verifier};
use crate::time::UnixMillis;

static SIGNATURE: HeaderName = HeaderName::from_static("x-signalwire-signature");

/// SignalWire's own libraries read this one where the other is absent.
static ALIAS: HeaderName = HeaderName::from_static("x-twilio-signature");

const HEX: &[u8; 16] = b"0123456789abcdef";

/// An account's signing keys with their blocks already hashed.
pub struct Keys(Vec<Key>);

impl Keys {
    pub fn prepare(credentials: &[Credential]) -> Self {
        let keys = credentials.iter().filter(|credential| credential.kind == "signing_key");
        Self(keys.filter_map(|key| Key::new(key.value.expose())).collect())
    }
}

impl Verifier for Keys {
    fn verify(
        &self,
        _kind: &Kind,
        request: &WebhookRequest<'_>,
        _now: UnixMillis,
    ) -> Result<(), VerifyError> {
        let name = if request.has_header(&SIGNATURE) { &SIGNATURE } else { &ALIAS };
        let signature = request.header(name).filter(|text| !text.is_empty()).ok_or(VerifyError::Missing)?;
        let matches = self.0.iter().any(|key| signs(key, request, signature.as_bytes()));
        if matches { Ok(()) } else { Err(VerifyError::Mismatch) }
    }
}

/// Whether `key` makes this signature for any form of any public URL.
fn signs(key: &Key, request: &WebhookRequest<'_>, signature: &[u8]) -> bool {
    let is_get = request.method == http::Method::GET;
    let is_json = request.content == Content::Json && !is_get;
    let parameters = if is_get || is_json { "".into() } else { request.form.sorted_text() };
    let covered = if is_json { request.body } else { parameters.as_bytes() };
    let mut codes = key.codes(request.public_urls, request.target, covered);
    codes.any(|code| match is_json {
        true => same(&hexadecimal(&code), signature),
        false => same(&base64(&code), signature),
    })
}

fn hexadecimal(code: &[u8; 20]) -> [u8; 40] {
    let mut text = [0; 40];
    for (pair, byte) in text.chunks_exact_mut(2).zip(code) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    text
}
