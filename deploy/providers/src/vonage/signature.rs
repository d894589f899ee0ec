//! How Vonage signs a webhook: a token that holds the hash of what is sent.

use serde_json::json;

use crate::account::Account;
use crate::draw::digest;
use crate::secrets::{hex, jwt, sha256_hex};

/// The account's signature secret: its own where one was declared, else always the same for its key.
pub fn secret(account: &Account) -> String {
    let declared = account.signing.get("signature_secret").cloned();
    declared.unwrap_or_else(|| hex(&digest(&format!("vonage {}", account.id))))
}

/// `Bearer` and the token for a payload: the raw body of a POST, the parameters of a GET as one JSON object.
pub fn bearer(account: &Account, application: &str, now: i64, id: &str, payload: &str) -> String {
    let claims = json!({"iss": "Vonage", "iat": now, "jti": id, "api_key": account.id, "application_id": application,
        "payload_hash": sha256_hex(payload.as_bytes())});
    format!("Bearer {}", jwt(&claims, secret(account).as_bytes()))
}
