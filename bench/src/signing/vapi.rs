//! The ways in which a tenant can have Vapi sign: its credential's plan says which.
//! Source: `BearerAuthenticationPlan` and `HMACAuthenticationPlan` in <https://api.vapi.ai/api-json>.

use super::mac;

/// The header of a bearer plan; `prefixed` is its `bearerPrefixEnabled`.
#[must_use]
pub fn bearer(token: &str, prefixed: bool) -> String {
    if prefixed { format!("Bearer {token}") } else { token.to_owned() }
}

/// The signature header of an HMAC plan with SHA-256 and hexadecimal digits.
///
/// `payload_format` is the plan's, made of `{timestamp}` and `{body}`; what it says else stands as it is.
#[must_use]
pub fn hmac(secret: &[u8], prefix: &str, payload_format: &str, timestamp: &str, body: &str) -> String {
    // The body comes last, so that nothing in it is taken for a place to fill.
    let text = payload_format.replace("{timestamp}", timestamp).replace("{body}", body);
    format!("{prefix}{}", mac::hex(&mac::hmac_sha256(secret, &[text.as_bytes()])))
}
