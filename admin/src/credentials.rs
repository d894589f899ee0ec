//! The credentials of an account as a document: kept whole and sealed; its provider's folder reads it.

use std::ops::Deref;

use dialplane_common::provider::credentials::{AccountCredentials, CredentialError};
use dialplane_common::provider::{PROVIDERS, Provider, provider};
use serde_json::{Map, Value};

use crate::invalid::Invalid;

/// An account's credentials, checked.
pub struct Credentials {
    read: AccountCredentials,
    document: Map<String, Value>,
}

impl Deref for Credentials {
    type Target = AccountCredentials;

    fn deref(&self) -> &AccountCredentials {
        &self.read
    }
}

impl Credentials {
    /// Reads `document` as the provider's credentials.
    ///
    /// # Errors
    /// What is wanted where, below `credentials`; `provider` when it is unknown.
    pub fn parse(provider: &str, document: Map<String, Value>) -> Result<Self, Invalid> {
        let read = known(provider)?.credentials(&document).map_err(below_credentials)?;
        Ok(Self { read, document })
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

    /// The document as it was given, secrets as well, for asking the provider.
    #[must_use]
    pub fn into_document(self) -> Map<String, Value> {
        self.document
    }

    /// All of it, secrets as well, for sealing.
    #[must_use]
    pub fn plain(&self) -> Vec<u8> {
        // Writing JSON values to memory doesn't fail.
        serde_json::to_vec(&self.document).unwrap_or_default()
    }
}

fn below_credentials(error: CredentialError) -> Invalid {
    Invalid::new(format!("credentials.{}", error.field), error.wanted)
}

/// Of each provider, the smallest credentials as an example.
pub fn examples() -> impl Iterator<Item = (&'static str, Value)> {
    PROVIDERS.iter().map(|provider| {
        let example = serde_json::from_str(provider.credentials_example());
        (provider.name(), example.unwrap_or_default())
    })
}

/// Refuses a provider that isn't known, naming those that are.
///
/// # Errors
/// What is wanted at `provider`.
pub fn check_provider(name: &str) -> Result<(), Invalid> {
    known(name).map(drop)
}

fn known(name: &str) -> Result<&'static dyn Provider, Invalid> {
    provider(name).ok_or_else(|| {
        let known: Vec<_> = PROVIDERS.iter().map(|provider| provider.name()).collect();
        Invalid::new("provider", format!("wanted one of: {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn errors_name_the_place() {
        let field = |provider, json| Credentials::parse(provider, object(json)).err().unwrap().field;
        assert_eq!(field("twilio", r#"{"auth_token":"t"}"#), "credentials.account_sid");
        assert_eq!(field("carrier", "{}"), "provider");
    }

    #[test]
    fn each_providers_example_is_what_it_reads() {
        for (provider, example) in examples() {
            let Value::Object(document) = example else {
                panic!("{provider}: wanted a JSON object: {example}")
            };
            let read = Credentials::parse(provider, document);
            let credentials =
                read.unwrap_or_else(|invalid| panic!("{provider}: credentials_example: {invalid}"));
            assert!(!credentials.document.is_empty(), "{provider}: credentials_example shows nothing");
        }
    }

    #[test]
    fn changes_go_field_by_field() {
        let parse = |json| Credentials::parse("twilio", object(json)).ok().unwrap();
        let both = parse(r#"{"account_sid":"AC1","auth_token":"one"}"#)
            .merged("twilio", object(r#"{"auth_token_secondary":"two"}"#))
            .ok()
            .unwrap();
        assert_eq!(both.secret_names, ["auth_token", "auth_token_secondary"]);
        assert_eq!(both.credentials.len(), 2);
        let one = both.merged("twilio", object(r#"{"auth_token_secondary":null}"#)).ok().unwrap();
        assert_eq!((one.secret_names.len(), one.external_id.as_str()), (1, "AC1"));
        assert!(one.merged("twilio", object(r#"{"auth_token":null}"#)).is_err());
    }
}
