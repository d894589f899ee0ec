//! ElevenLabs's credentials: the header that initiation webhooks carry, and the secret that signs post-call webhooks.

use http::HeaderName;
use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

/// The kind of the values that the initiation webhook's header may have.
pub const INITIATION_SECRET: &str = "initiation_secret";

/// The kind of that header's name.
pub const INITIATION_HEADER: &str = "initiation_header";

/// The kind of the secrets that sign post-call webhooks, with their `wsec_`.
pub const WEBHOOK_SECRET: &str = "webhook_secret";

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    let initiation = fields.secret_or(INITIATION_SECRET, "initiation_secret_secondary")?;
    fields.setting(INITIATION_HEADER, |name| {
        name.parse::<HeaderName>().map(|_| ()).map_err(|_| "wanted the name of a header")
    })?;
    let webhook = fields.secret_or(WEBHOOK_SECRET, "webhook_secret_secondary")?;
    fields.api_secret("api_key")?;
    if !initiation && !webhook {
        return Err(fields.error(INITIATION_SECRET, "wanted initiation_secret, webhook_secret or both"));
    }
    fields.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_is_needed_and_the_header_is_public() {
        let read = |json: &str| read(&serde_json::from_str(json).unwrap());
        let all = read(
            r#"{"initiation_secret":"a","initiation_secret_secondary":"b","initiation_header":"X-Mine",
                "webhook_secret":"wsec_c","webhook_secret_secondary":"wsec_d","api_key":"e"}"#,
        )
        .unwrap();
        let kinds: Vec<_> = all.credentials.iter().map(|credential| &*credential.kind).collect();
        let expected =
            [INITIATION_SECRET, INITIATION_SECRET, INITIATION_HEADER, WEBHOOK_SECRET, WEBHOOK_SECRET];
        assert_eq!(kinds, expected);
        assert_eq!(all.secret_names.len(), 5, "the API key, and not the header: {:?}", all.secret_names);
        assert!(all.external_id.is_empty());
        assert!(read(r#"{"webhook_secret":"wsec_c"}"#).is_ok());
        for (json, field) in [
            ("{}", INITIATION_SECRET),
            (r#"{"api_key":"e"}"#, INITIATION_SECRET),
            (r#"{"initiation_secret":7}"#, INITIATION_SECRET),
            (r#"{"initiation_secret":"a","initiation_header":"x:y"}"#, INITIATION_HEADER),
            (r#"{"webhook_secret":""}"#, WEBHOOK_SECRET),
            (r#"{"webhook_secret":"c","secret":"d"}"#, "secret"),
        ] {
            assert_eq!(read(json).unwrap_err().field, field, "{json}");
        }
    }
}
