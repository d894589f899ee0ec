//! Bland's credentials: the secret that webhooks are signed with.

use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    if !fields.secret_or("webhook_secret", "webhook_secret_secondary")? {
        let wanted = "is missing: Bland shows it once, under Account Settings, Keys";
        return Err(fields.error("webhook_secret", wanted));
    }
    fields.api_secret("api_key")?;
    fields.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_is_wanted_and_two_are_taken() {
        let read = |json: &str| read(&serde_json::from_str(json).unwrap());
        let account = read(r#"{"webhook_secret":"a","webhook_secret_secondary":"b","api_key":"c"}"#).unwrap();
        assert_eq!((&*account.external_id, account.credentials.len()), ("", 2));
        assert_eq!(account.secret_names, ["webhook_secret", "webhook_secret_secondary", "api_key"]);
        for (json, field) in [
            ("{}", "webhook_secret"),
            (r#"{"api_key":"c"}"#, "webhook_secret"),
            (r#"{"webhook_secret":""}"#, "webhook_secret"),
            (r#"{"webhook_secret":"a","secret":"b"}"#, "secret"),
        ] {
            assert_eq!(read(json).unwrap_err().field, field, "{json}");
        }
    }
}
