//! `Authorization` of LiveKit's webhooks. Source: <https://docs.livekit.io/home/server/webhooks/>, <https://github.com/livekit/protocol>.

use super::{jwt, mac};

/// How long a token is good, in seconds: LiveKit's server says five minutes.
const LIFE_S: i64 = 300;

/// The header, a bare token: the API key signs base64 SHA-256 of the raw body, good from `now_s` on.
#[must_use]
pub fn authorization(api_key: &str, api_secret: &str, now_s: i64, body: &[u8]) -> String {
    let (hash, end) = (body_hash(body), now_s + LIFE_S);
    let claims = format!(r#"{{"sha256":"{hash}","sub":"","iss":"{api_key}","nbf":{now_s},"exp":{end}}}"#);
    jwt::token(api_secret.as_bytes(), jwt::HS256, &claims)
}

/// The claim `sha256`.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    mac::base64(&mac::sha256(body))
}
