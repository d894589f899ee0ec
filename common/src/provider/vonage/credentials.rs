//! Vonage's credentials: `api_key` and a signature secret.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::sms_signature::METHODS;
use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id("api_key", |key| {
        let right = key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if right { Ok(()) } else { Err("wanted 1 to 64 letters or digits") }
    })?;
    if !fields.secret_or("signature_secret", "signature_secret_secondary")? {
        return Err(fields.error("signature_secret", "is missing: it stands in the dashboard's API settings"));
    }
    fields.setting("application_id", |id| {
        Uuid::try_parse(id).map(drop).map_err(|_| "wanted the application's id, a UUID")
    })?;
    fields.setting("sms_signature_method", |method| {
        let known = METHODS.contains(&method);
        if known { Ok(()) } else { Err("wanted one of: md5hash, md5, sha1, sha256, sha512") }
    })?;
    fields.api_secret("api_secret")?;
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
        check(r#"{"signature_secret":"s"}"#, "api_key");
        check(r#"{"api_key":"a-b","signature_secret":"s"}"#, "api_key");
        check(r#"{"api_key":"a1b2c3d4"}"#, "signature_secret");
        check(r#"{"api_key":"a1b2c3d4","signature_secret":7}"#, "signature_secret");
        check(r#"{"api_key":"a1","signature_secret":"s","application_id":"x"}"#, "application_id");
        check(
            r#"{"api_key":"a1","signature_secret":"s","sms_signature_method":"md4"}"#,
            "sms_signature_method",
        );
        check(r#"{"api_key":"a1","signature_secret":"s","secret":"t"}"#, "secret");
    }

    #[test]
    fn settings_are_no_secrets() {
        let json = r#"{"api_key":"a1b2c3d4","signature_secret":"s","signature_secret_secondary":"t","api_secret":"u",
            "application_id":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","sms_signature_method":"sha256"}"#;
        let account = read(&serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(account.external_id, "a1b2c3d4");
        assert_eq!(account.secret_names, ["signature_secret", "signature_secret_secondary", "api_secret"]);
        let kinds: Vec<_> = account.credentials.iter().map(|credential| &*credential.kind).collect();
        assert_eq!(kinds, ["signature_secret", "signature_secret", "application_id", "sms_signature_method"]);
    }
}
