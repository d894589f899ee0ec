//! Vonage's two ways: a token in `Authorization`, and for messages of the SMS API the parameter `sig`.
//! Sources: <https://developer.vonage.com/en/getting-started/concepts/webhooks>,
//! <https://developer.vonage.com/en/getting-started/concepts/signing-messages>.

use super::{form, jwt, mac};

/// The header of a voice webhook or a message of the Messages API, signed at `now_s`. Its `jti` is always the same.
#[must_use]
pub fn authorization(
    api_key: &str,
    application_id: &str,
    signature_secret: &str,
    now_s: i64,
    payload_hash: &str,
) -> String {
    let claims = format!(
        r#"{{"iat":{now_s},"jti":"c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5","iss":"Vonage","payload_hash":"{payload_hash}","api_key":"{api_key}","application_id":"{application_id}"}}"#
    );
    format!("Bearer {}", jwt::token(signature_secret.as_bytes(), jwt::HS256, &claims))
}

/// The claim `payload_hash` of a POST: SHA-256 of the raw body.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    mac::hex(&mac::sha256(body))
}

/// The claim `payload_hash` of a GET: SHA-256 of the query's decoded parameters as one compact JSON object of texts, in
/// the order received.
#[must_use]
pub fn query_hash(url: &str) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let pairs = form::decode(form::query(url));
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}:{}", text(name), text(value))).collect();
    body_hash(format!("{{{}}}", pairs.join(",")).as_bytes())
}

/// The parameter `sig` by the account's method: `md5hash`, or HMAC by `md5`, `sha1`, `sha256` or `sha512`.
///
/// Covers all parameters but itself, sorted by name; `&` and `=` in values count as `_`. Empty for another method.
#[must_use]
pub fn sms_signature(method: &str, secret: &str, parameters: &[(&str, &str)]) -> String {
    let mut sorted = parameters.to_vec();
    sorted.retain(|(name, _)| *name != "sig");
    sorted.sort_unstable();
    let pair = |(name, value): &(&str, &str)| format!("&{name}={}", value.replace(['&', '='], "_"));
    let text: String = sorted.iter().map(pair).collect();
    let (key, parts) = (secret.as_bytes(), &[text.as_bytes()][..]);
    mac::hex(&match method {
        "md5hash" => mac::md5(&[text.as_bytes(), key].concat()),
        "md5" => mac::hmac_md5(key, parts),
        "sha1" => mac::hmac_sha1(key, parts),
        "sha256" => mac::hmac_sha256(key, parts),
        "sha512" => mac::hmac_sha512(key, parts),
        _ => Vec::new(),
    })
}
