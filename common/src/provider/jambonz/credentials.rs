//! jambonz's credentials: the account's sid and the secret that its webhooks are signed with.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id("account_sid", |sid| {
        Uuid::try_parse(sid).map(drop).map_err(|_| "wanted the account's sid, a UUID")
    })?;
    if !fields.secret_or("webhook_secret", "webhook_secret_secondary")? {
        return Err(fields.error("webhook_secret", "is missing: the portal shows it on the account's page"));
    }
    fields.api_secret("api_key")?;
    fields.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_place() {
        let check = |json: &str, field: &str| {
            let error = read(&serde_json::from_str(json).unwrap()).err().map(|error| error.field);
            assert_eq!(error.as_deref(), Some(field), "{json}");
        };
        check(r#"{"webhook_secret":"s"}"#, "account_sid");
        check(r#"{"account_sid":"AC1","webhook_secret":"s"}"#, "account_sid");
        let sid = r#""account_sid":"bed525b4-af09-40d2-9fe7-cdf6ae577c69""#;
        check(&format!("{{{sid}}}"), "webhook_secret");
        check(&format!(r#"{{{sid},"webhook_secret":"s","token":"t"}}"#), "token");
        let json = format!(r#"{{{sid},"webhook_secret":"s","webhook_secret_secondary":"t","api_key":"u"}}"#);
        let account = read(&serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(account.secret_names, ["webhook_secret", "webhook_secret_secondary", "api_key"]);
        assert_eq!(account.credentials.len(), 2);
    }
}
