//! Twilio's credentials: `account_sid` and at least one of the auth tokens and shared keys.

use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, Credential, CredentialError, Fields};
use crate::secret::Secret;

const SHARED_KEYS_MAX: usize = 10;

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id("account_sid", |sid| {
        let suffix = sid.strip_prefix("AC").unwrap_or_default();
        let right =
            (1..=64).contains(&suffix.len()) && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if right { Ok(()) } else { Err("wanted AC and 1 to 64 letters or digits") }
    })?;
    let mut any = fields.secret_or("auth_token", "auth_token_secondary")?;
    let mut ids = Vec::new();
    for mut key in fields.objects("shared_keys", SHARED_KEYS_MAX)? {
        let (id, secret) = (key.wanted("id")?, key.wanted("secret")?);
        if ids.contains(&id) {
            return Err(key.error("id", "wanted each key once"));
        }
        ids.push(id);
        key.finish()?;
        let value = Secret::new(secret);
        let credential = Credential { kind: "shared_key".into(), id: id.to_owned(), value };
        fields.add(credential, format!("shared_key:{id}"));
        any = true;
    }
    if !any {
        return Err(fields.error("auth_token", "wanted an auth token, or shared_keys"));
    }
    fields.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, field: &str) {
        let error = read(&serde_json::from_str(json).unwrap()).err().map(|error| error.field);
        assert_eq!(error.as_deref(), Some(field), "{json}");
    }

    #[test]
    fn errors_name_the_place() {
        check(r#"{"auth_token":"t"}"#, "account_sid");
        check(r#"{"account_sid":"XX1","auth_token":"t"}"#, "account_sid");
        check(r#"{"account_sid":"AC1"}"#, "auth_token");
        check(r#"{"account_sid":"AC1","auth_token":7}"#, "auth_token");
        check(r#"{"account_sid":"AC1","auth_token":"t","token":"t"}"#, "token");
        check(r#"{"account_sid":"AC1","shared_keys":[{"id":"k"}]}"#, "shared_keys[0].secret");
        let twice =
            r#"{"account_sid":"AC1","shared_keys":[{"id":"k","secret":"s"},{"id":"k","secret":"t"}]}"#;
        check(twice, "shared_keys[1].id");
    }
}
