//! The credentials of an account: the one place that knows what each provider's look like.

use dialplane_common::provider::{Credential, PROVIDERS};
use dialplane_common::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::invalid::Invalid;

const SECRET_CHARS_MAX: usize = 200;
const SHARED_KEYS_MAX: usize = 10;

/// An account's credentials, checked.
pub struct Credentials {
    /// The provider's name of the account.
    pub external_id: String,
    /// What the router verifies webhooks with.
    pub secrets: Vec<Credential>,
    document: Map<String, Value>,
}

/// Twilio's: at least one of the auth tokens and shared keys.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TwilioCredentials {
    /// `AC` and letters or digits.
    account_sid: String,
    /// Write-only.
    #[serde(default)]
    auth_token: Option<String>,
    /// Write-only. Verified besides the first, while tokens are rotated.
    #[serde(default)]
    auth_token_secondary: Option<String>,
    /// Write-only. Keys that webhooks may be signed with instead.
    #[serde(default)]
    shared_keys: Option<Vec<SharedKey>>,
}

/// A key that Twilio signs webhooks with.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedKey {
    /// Its public name.
    id: String,
    /// Write-only.
    secret: String,
}

impl Credentials {
    /// Reads `document` as the provider's credentials.
    ///
    /// # Errors
    /// What is wanted where, below `credentials`; `provider` when it is unknown.
    pub fn parse(provider: &str, document: Map<String, Value>) -> Result<Self, Invalid> {
        let (external_id, secrets) = match provider {
            "twilio" => twilio(&document)?,
            _ => return Err(unknown_provider()),
        };
        Ok(Self { external_id, secrets, document })
    }

    /// These credentials with the fields of `changes` in place of their own; null takes one away.
    ///
    /// # Errors
    /// As [`Credentials::parse`], of the outcome.
    pub fn merged(mut self, provider: &str, changes: Map<String, Value>) -> Result<Self, Invalid> {
        for (field, value) in changes {
            if value.is_null() {
                self.document.remove(&field);
            } else {
                self.document.insert(field, value);
            }
        }
        Self::parse(provider, self.document)
    }

    /// All of it, secrets as well, for sealing.
    #[must_use]
    pub fn plain(&self) -> Vec<u8> {
        // Writing JSON values to memory doesn't fail.
        serde_json::to_vec(&self.document).unwrap_or_default()
    }

    /// The names of the secrets that are set: `auth_token`, `shared_key:<id>`.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        let name = |secret: &Credential| match secret.id.as_str() {
            "" => secret.kind.clone(),
            id => format!("{}:{id}", secret.kind),
        };
        let mut names: Vec<_> = self.secrets.iter().map(name).collect();
        if self.document.get("auth_token_secondary").is_some_and(Value::is_string) {
            // To the router the two tokens are alike.
            let is_token = |name: &String| name == "auth_token";
            if let Some(last) = names.iter().rposition(is_token) {
                names[last] = "auth_token_secondary".into();
            }
        }
        names
    }
}

/// Refuses a provider that isn't known, naming those that are.
///
/// # Errors
/// What is wanted at `provider`.
pub fn check_provider(name: &str) -> Result<(), Invalid> {
    if dialplane_common::provider::provider(name).is_some() { Ok(()) } else { Err(unknown_provider()) }
}

fn unknown_provider() -> Invalid {
    let known: Vec<_> = PROVIDERS.iter().map(|provider| provider.name()).collect();
    Invalid::new("provider", format!("wanted one of: {}", known.join(", ")))
}

fn twilio(document: &Map<String, Value>) -> Result<(String, Vec<Credential>), Invalid> {
    let fields: TwilioCredentials = read(document)?;
    let sid = fields.account_sid;
    let suffix = sid.strip_prefix("AC").unwrap_or_default();
    if !(1..=64).contains(&suffix.len()) || !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Invalid::new("credentials.account_sid", "wanted AC and 1 to 64 letters or digits"));
    }
    let mut secrets = Vec::new();
    for (name, token) in
        [("auth_token", fields.auth_token), ("auth_token_secondary", fields.auth_token_secondary)]
    {
        if let Some(token) = token {
            check_secret(&format!("credentials.{name}"), &token)?;
            secrets.push(Credential {
                kind: "auth_token".into(),
                id: String::new(),
                value: Secret::new(token),
            });
        }
    }
    let keys = fields.shared_keys.unwrap_or_default();
    if keys.len() > SHARED_KEYS_MAX {
        return Err(Invalid::new("credentials.shared_keys", format!("wanted at most {SHARED_KEYS_MAX}")));
    }
    for (index, key) in keys.into_iter().enumerate() {
        check_secret(&format!("credentials.shared_keys[{index}].id"), &key.id)?;
        check_secret(&format!("credentials.shared_keys[{index}].secret"), &key.secret)?;
        if secrets.iter().any(|secret| secret.id == key.id) {
            return Err(Invalid::new(format!("credentials.shared_keys[{index}].id"), "wanted each key once"));
        }
        secrets.push(Credential { kind: "shared_key".into(), id: key.id, value: Secret::new(key.secret) });
    }
    if secrets.is_empty() {
        return Err(Invalid::new("credentials.auth_token", "wanted an auth token, or shared keys"));
    }
    Ok((sid, secrets))
}

fn read<T: serde::de::DeserializeOwned>(document: &Map<String, Value>) -> Result<T, Invalid> {
    let value = Value::Object(document.clone());
    serde_path_to_error::deserialize(value).map_err(|error| {
        crate::api::body::invalid(Some("credentials"), error.path(), &error.inner().to_string())
    })
}

fn check_secret(field: &str, text: &str) -> Result<(), Invalid> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > SECRET_CHARS_MAX || !plain {
        let wanted = format!("wanted 1 to {SECRET_CHARS_MAX} characters, ASCII, no blanks");
        return Err(Invalid::new(field, wanted));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    fn check(json: &str, field: &str) {
        let invalid = Credentials::parse("twilio", object(json)).err().map(|invalid| invalid.field);
        assert_eq!(invalid.as_deref(), Some(field), "{json}");
    }

    #[test]
    fn errors_name_the_place() {
        check(r#"{"auth_token":"t"}"#, "credentials.account_sid");
        check(r#"{"account_sid":"XX1","auth_token":"t"}"#, "credentials.account_sid");
        check(r#"{"account_sid":"AC1"}"#, "credentials.auth_token");
        check(r#"{"account_sid":"AC1","auth_token":""}"#, "credentials.auth_token");
        check(r#"{"account_sid":"AC1","auth_token":7}"#, "credentials.auth_token");
        check(r#"{"account_sid":"AC1","auth_token":"t","token":"t"}"#, "credentials.token");
        check(r#"{"account_sid":"AC1","shared_keys":[{"id":"k"}]}"#, "credentials.shared_keys[0].secret");
        assert_eq!(Credentials::parse("carrier", Map::new()).err().unwrap().field, "provider");
    }

    #[test]
    fn changes_go_field_by_field() {
        let parse = |json| Credentials::parse("twilio", object(json)).ok().unwrap();
        let both = parse(r#"{"account_sid":"AC1","auth_token":"one"}"#)
            .merged("twilio", object(r#"{"auth_token_secondary":"two"}"#))
            .ok()
            .unwrap();
        assert_eq!(both.secret_names(), ["auth_token", "auth_token_secondary"]);
        assert_eq!(both.secrets.len(), 2);
        let one = both.merged("twilio", object(r#"{"auth_token_secondary":null}"#)).ok().unwrap();
        assert_eq!((one.secret_names(), one.external_id.as_str()), (vec!["auth_token".to_owned()], "AC1"));
        assert!(one.merged("twilio", object(r#"{"auth_token":null}"#)).is_err());
    }
}
