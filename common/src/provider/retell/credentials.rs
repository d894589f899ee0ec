//! Retell's credentials: the API key that signs webhooks, and while keys are changed a second one.

use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

/// The kind of both keys.
pub const API_KEY: &str = "api_key";

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    if !fields.secret_or(API_KEY, "api_key_secondary")? {
        return Err(
            fields.error(API_KEY, "wanted the API key that has the webhook badge in Retell's dashboard")
        );
    }
    fields.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_or_two() {
        let read = |json: &str| read(&serde_json::from_str(json).unwrap());
        let both = read(r#"{"api_key":"a","api_key_secondary":"b"}"#).unwrap();
        assert!(both.credentials.iter().all(|credential| credential.kind == API_KEY));
        assert_eq!((both.credentials.len(), both.external_id.as_str()), (2, ""));
        assert_eq!(both.secret_names, ["api_key", "api_key_secondary"]);
        for (json, field) in [
            ("{}", "api_key"),
            (r#"{"api_key":7}"#, "api_key"),
            (r#"{"api_key":""}"#, "api_key"),
            (r#"{"api_key":"a","webhook_secret":"b"}"#, "webhook_secret"),
        ] {
            assert_eq!(read(json).unwrap_err().field, field, "{json}");
        }
    }
}
