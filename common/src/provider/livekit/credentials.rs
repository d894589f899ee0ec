//! LiveKit's credentials: an API key with its secret and, while keys are changed, a second pair.

use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, Credential, CredentialError, Fields};
use crate::secret::Secret;

/// The kind of a pair's credential; its id is the key.
pub const PAIR: &str = "api_key_pair";

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    let key = fields.external_id("api_key", |_| Ok(()))?;
    let secret = fields.wanted("api_secret")?;
    fields.add(pair(key, secret), "api_secret");
    if let Some(url) = fields.text("url")? {
        base(url)
            .ok_or_else(|| fields.error("url", "wanted the project's URL: wss://my-project.livekit.cloud"))?;
    }
    let second = (fields.text("api_key_secondary")?, fields.text("api_secret_secondary")?);
    match second {
        (None, None) => {}
        (Some(second), _) if second == key => {
            return Err(fields.error("api_key_secondary", "wanted another key than api_key"));
        }
        (Some(key), Some(secret)) => fields.add(pair(key, secret), "api_secret_secondary"),
        (Some(_), None) => {
            return Err(fields.error("api_secret_secondary", "is missing: it goes with its key"));
        }
        (None, Some(_)) => {
            return Err(fields.error("api_key_secondary", "is missing: it goes with its secret"));
        }
    }
    fields.finish()
}

/// The base URL of a project's REST API, by the URL that participants join at; `None` when it isn't such a URL.
pub fn base(url: &str) -> Option<String> {
    let host = url.strip_prefix("wss://").or_else(|| url.strip_prefix("https://"))?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    (!host.is_empty() && host.bytes().all(plain)).then(|| format!("https://{host}"))
}

fn pair(key: &str, secret: &str) -> Credential {
    Credential { kind: PAIR.to_owned(), id: key.to_owned(), value: Secret::new(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_secrets_come_in_pairs() {
        let read = |json: &str| read(&serde_json::from_str(json).unwrap());
        let json =
            r#"{"api_key":"APIa","api_secret":"s","api_key_secondary":"APIb","api_secret_secondary":"t"}"#;
        let account = read(json).unwrap();
        let ids: Vec<_> = account.credentials.iter().map(|credential| &*credential.id).collect();
        assert_eq!((&*account.external_id, &ids[..]), ("APIa", &["APIa", "APIb"][..]));
        assert_eq!(account.secret_names, ["api_secret", "api_secret_secondary"]);
        for (json, field) in [
            (r#"{"api_secret":"s"}"#, "api_key"),
            (r#"{"api_key":"a"}"#, "api_secret"),
            (r#"{"api_key":"a","api_secret":""}"#, "api_secret"),
            (r#"{"api_key":"a","api_secret":"s","api_key_secondary":"b"}"#, "api_secret_secondary"),
            (r#"{"api_key":"a","api_secret":"s","api_secret_secondary":"t"}"#, "api_key_secondary"),
            (
                r#"{"api_key":"a","api_secret":"s","api_key_secondary":"a","api_secret_secondary":"t"}"#,
                "api_key_secondary",
            ),
            (r#"{"api_key":"a","api_secret":"s","urls":"wss://x"}"#, "urls"),
            (r#"{"api_key":"a","api_secret":"s","url":"x.livekit.cloud"}"#, "url"),
            (r#"{"api_key":"a","api_secret":"s","url":"wss://u:p@x"}"#, "url"),
        ] {
            assert_eq!(read(json).unwrap_err().field, field, "{json}");
        }
        assert!(read(r#"{"api_key":"a","api_secret":"s","url":"wss://x.livekit.cloud"}"#).is_ok());
    }

    #[test]
    fn the_api_is_where_participants_join() {
        for (url, expected) in [
            ("wss://x.livekit.cloud", Some("https://x.livekit.cloud")),
            ("https://livekit.example:7443/", Some("https://livekit.example:7443")),
            ("ws://x", None),
            ("wss://", None),
            ("wss://x/path", None),
            ("wss://x?a=b", None),
            ("wss://x#a", None),
        ] {
            assert_eq!(base(url).as_deref(), expected, "{url}");
        }
    }
}
