//! `X-Plivo-Signature-V3` and `-V2`, and the same of the main account's token with `-Ma-`.
//! Sources: <https://www.plivo.com/docs/voice/concepts/signature-validation>,
//! <https://www.plivo.com/docs/messaging/concepts/signature-validation>.

use super::{form, mac};

/// Base64 HMAC-SHA256 over URL, query, parameters and nonce. `parameters` are those of a POST's form; a GET has none.
#[must_use]
pub fn v3(auth_token: &str, url: &str, parameters: &[(&str, &str)], nonce: &str) -> String {
    let base = url.split('?').next().unwrap_or_default();
    let mut query = form::decode(form::query(url));
    query.sort_unstable();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let body: String = sorted.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let mut text = base.to_owned();
    if !query.is_empty() || !body.is_empty() {
        text.push('?');
    }
    text.push_str(&query.join("&"));
    if !query.is_empty() && !body.is_empty() {
        text.push('.');
    }
    text.extend([&*body, ".", nonce]);
    mac::base64(&mac::hmac_sha256(auth_token.as_bytes(), &[text.as_bytes()]))
}

/// Base64 HMAC-SHA256 over the URL without its query, and the nonce: messages are signed so.
#[must_use]
pub fn v2(auth_token: &str, url: &str, nonce: &str) -> String {
    let base = url.split('?').next().unwrap_or_default();
    mac::base64(&mac::hmac_sha256(auth_token.as_bytes(), &[base.as_bytes(), nonce.as_bytes()]))
}
