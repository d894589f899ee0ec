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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::jwt_claims;

    #[test]
    fn tokens_say_what_the_official_library_s_say() {
        // Made with the library under the official SDK; a token's members have no order, so that claims are compared.
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3OTUyMDAwMDAsImp0aSI6ImM1YmE4ZjI0LTFhMTQtNGMxMC1iZmRmLTNmYmU4Y2U1MTFiNSIsImlzcyI6IlZvbmFnZSIsInBheWxvYWRfaGFzaCI6IjhkYmQ2MTRiZmVhM2NhOTdhMzUyZjYxYTRlNTVkOWNiY2E1NTZiNWQ1MTU2OTliNDZlMjU3YzFhOTcwMjA5ODYiLCJhcGlfa2V5IjoiYTFiMmMzZDQiLCJhcHBsaWNhdGlvbl9pZCI6ImFhYWFhYWFhLWJiYmItY2NjYy1kZGRkLTAxMjM0NTY3ODlhYiJ9.u3sm5rS4NVGGSuWEt7Pr4yzSWdOyQyo-6KwME3YmlcY";
        let key = "Rk3xQ8vT1zLw6yNf0sJd7hGb2mPc4aUe";
        let body =
            r#"{"from":"447700900461","to":"442079460958","uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab"}"#;
        let mut account = Account::new("vonage", "a1b2c3d4", jiff::Timestamp::UNIX_EPOCH);
        account.signing.insert("signature_secret".into(), key.into());
        let application = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
        let id = "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5";
        let ours = bearer(&account, application, 1_795_200_000, id, body);
        let claims = |token: &str| jwt_claims(token, Some(key.as_bytes())).unwrap();
        assert_eq!(claims(ours.strip_prefix("Bearer ").unwrap()), claims(token));
    }
}
