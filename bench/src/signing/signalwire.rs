//! `X-SignalWire-Signature`: forms as Twilio signs them, JSON by its raw body.
//! Source: <https://signalwire.com/docs/compatibility-api/guides>, SignalWire's Python SDK 2.1.

use super::{mac, twilio};

/// Base64 HMAC-SHA1 with the project's signing key over the URL and the parameters, sorted by name.
#[must_use]
pub fn form_signature(signing_key: &str, url: &str, parameters: &[(&str, &str)]) -> String {
    twilio::signature(signing_key, url, parameters)
}

/// Lower-case hexadecimal HMAC-SHA1 with the same key over the URL and the raw body.
#[must_use]
pub fn json_signature(signing_key: &str, url: &str, body: &[u8]) -> String {
    mac::hex(&mac::hmac_sha1(signing_key.as_bytes(), &[url.as_bytes(), body]))
}
