//! `Jambonz-Signature`. Source: <https://github.com/jambonz/jambonz-feature-server>, `lib/utils/base-requestor.js`.

use super::mac;

/// The header: the time in seconds, and hexadecimal HMAC-SHA256 of `time.body` with the account's webhook secret.
#[must_use]
pub fn signature(webhook_secret: &str, timestamp: &str, body: &[u8]) -> String {
    let code = mac::hmac_sha256(webhook_secret.as_bytes(), &[timestamp.as_bytes(), b".", body]);
    format!("t={timestamp},v1={}", mac::hex(&code))
}
