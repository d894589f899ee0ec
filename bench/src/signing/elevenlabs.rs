//! `ElevenLabs-Signature`. Source: <https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks>.

use super::mac;

/// The header: the time in seconds, and hexadecimal HMAC-SHA256 of `time.body` with the whole secret, `wsec_` included.
#[must_use]
pub fn signature(webhook_secret: &str, timestamp: &str, body: &[u8]) -> String {
    let code = mac::hmac_sha256(webhook_secret.as_bytes(), &[timestamp.as_bytes(), b".", body]);
    format!("t={timestamp},v0={}", mac::hex(&code))
}
