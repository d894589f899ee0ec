//! `X-Webhook-Signature`. Source: <https://docs.bland.ai/tutorials/webhook-signing>.

use super::mac;

/// Hexadecimal HMAC-SHA256 of the raw body with the account's signing secret. No time is signed.
#[must_use]
pub fn signature(webhook_secret: &str, body: &[u8]) -> String {
    mac::hex(&mac::hmac_sha256(webhook_secret.as_bytes(), &[body]))
}
