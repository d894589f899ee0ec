//! Telnyx's credentials: the `ed25519_public_key` that webhooks are verified with, and the `api_key` that Call Control
//! needs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

/// The public keys' kind of credential.
pub const PUBLIC_KEY: &str = "ed25519_public_key";

/// The API key's kind of credential.
pub const API_KEY: &str = "api_key";

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    // Absent where an account has several connections: its webhooks are then found by the called number.
    if fields.text("connection_id")?.is_some() {
        fields.external_id("connection_id", |id| {
            let right = id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
            if right { Ok(()) } else { Err("wanted the connection's id: digits") }
        })?;
    }
    if !fields.secret_or(PUBLIC_KEY, "ed25519_public_key_secondary")? {
        return Err(fields.error(PUBLIC_KEY, "wanted the account's public key, from Account → Keys"));
    }
    fields.secret(API_KEY)?;
    // For the REST API: what numbers that are bought take messages by.
    fields.text("messaging_profile_id")?;
    let read = fields.finish()?;
    let keys = read.credentials.iter().filter(|credential| credential.kind == PUBLIC_KEY);
    for (index, credential) in keys.enumerate() {
        if public_key(credential.value.expose()).is_none() {
            let field = read.secret_names.get(index).map_or(PUBLIC_KEY, String::as_str);
            return Err(CredentialError::new(field, "wanted the base64 of an Ed25519 public key, 32 bytes"));
        }
    }
    Ok(read)
}

/// The key that this is the base64 of; `None` when it is none, or one of the few that verify anything.
pub fn public_key(text: &[u8]) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "DQuuiA6LMZaO49XE0kogEUOIqF0RwKAUikbWE5edtTM=";

    fn read_json(json: &str) -> Result<AccountCredentials, CredentialError> {
        read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn routers_need_the_keys_and_the_api_key() {
        let json = format!(
            r#"{{"{PUBLIC_KEY}":"{KEY}","ed25519_public_key_secondary":"{KEY}","api_key":"KEY1","connection_id":"1568109700606592442"}}"#
        );
        let read = read_json(&json).unwrap();
        assert_eq!((read.external_id.as_str(), read.credentials.len()), ("1568109700606592442", 3));
        let read = read_json(&format!(r#"{{"{PUBLIC_KEY}":"{KEY}"}}"#)).unwrap();
        assert_eq!((read.external_id.as_str(), read.credentials.len()), ("", 1));
    }

    #[test]
    fn errors_name_the_place() {
        let check = |json: &str, field: &str| assert_eq!(read_json(json).unwrap_err().field, field, "{json}");
        check("{}", PUBLIC_KEY);
        check(r#"{"ed25519_public_key":"short"}"#, PUBLIC_KEY);
        let weak = STANDARD.encode([[1].as_slice(), &[0; 31]].concat());
        check(&format!(r#"{{"ed25519_public_key":"{weak}"}}"#), PUBLIC_KEY);
        check(
            &format!(r#"{{"ed25519_public_key":"{KEY}","ed25519_public_key_secondary":"x"}}"#),
            "ed25519_public_key_secondary",
        );
        check(&format!(r#"{{"ed25519_public_key":"{KEY}","connection_id":"v3:1"}}"#), "connection_id");
        check(&format!(r#"{{"ed25519_public_key":"{KEY}","public_key":"{KEY}"}}"#), "public_key");
    }
}
