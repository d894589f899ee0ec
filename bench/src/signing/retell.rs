//! `X-Retell-Signature`. Source: <https://docs.retellai.com/features/secure-webhook>.

use super::mac;

/// The header: the time in milliseconds, and hexadecimal HMAC-SHA256 of the body followed by the time, with the API key.
#[must_use]
pub fn signature(api_key: &str, timestamp_ms: &str, body: &[u8]) -> String {
    let code = mac::hmac_sha256(api_key.as_bytes(), &[body, timestamp_ms.as_bytes()]);
    format!("v={timestamp_ms},d={}", mac::hex(&code))
}
