//! Twilio's credentials: `account_sid` and at least one of the auth tokens and shared keys. For the REST API: an API key
//! in the auth token's place, and the address and bundle that purchases are made with.

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
    sid(&mut fields, "api_key_sid", "SK", "wanted the SID of an API key: SK and letters or digits")?;
    fields.api_secret("api_key_secret")?;
    sid(&mut fields, "address_sid", "AD", "wanted the SID of an address: AD and letters or digits")?;
    sid(&mut fields, "bundle_sid", "BU", "wanted the SID of a regulatory bundle: BU and letters or digits")?;
    fields.finish()
}

/// A SID that may be absent.
fn sid(
    fields: &mut Fields<'_>,
    field: &'static str,
    prefix: &str,
    wanted: &'static str,
) -> Result<(), CredentialError> {
    let is_sid = |sid: &str| {
        let rest = sid.strip_prefix(prefix).unwrap_or_default();
        !rest.is_empty() && rest.len() <= 64 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match fields.text(field)? {
        Some(sid) if !is_sid(sid) => Err(fields.error(field, wanted)),
        _ => Ok(()),
    }
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
        check(r#"{"account_sid":"AC1","auth_token":"t","api_key_sid":"AC2"}"#, "api_key_sid");
        check(r#"{"account_sid":"AC1","auth_token":"t","address_sid":"AD/"}"#, "address_sid");
        check(r#"{"account_sid":"AC1","auth_token":"t","bundle_sid":"BU"}"#, "bundle_sid");
        check(r#"{"account_sid":"AC1","shared_keys":[{"id":"k"}]}"#, "shared_keys[0].secret");
        let twice =
            r#"{"account_sid":"AC1","shared_keys":[{"id":"k","secret":"s"},{"id":"k","secret":"t"}]}"#;
        check(twice, "shared_keys[1].id");
    }

    #[test]
    fn what_rest_wants_is_nothing_that_routers_need() {
        let json = r#"{"account_sid":"AC1","auth_token":"t","api_key_sid":"SK1","api_key_secret":"k",
            "address_sid":"AD1","bundle_sid":"BU1"}"#;
        let account = read(&serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(account.secret_names, ["auth_token", "api_key_secret"]);
        assert_eq!(account.credentials.len(), 1);
    }
}
