//! SignalWire's credentials: `project_id` and a `signing_key`.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id("project_id", |id| {
        // Webhooks write it as it stands here.
        let right = id.len() == 36 && Uuid::try_parse(id).is_ok();
        if right { Ok(()) } else { Err("wanted the project's id, a UUID") }
    })?;
    if !fields.secret_or("signing_key", "signing_key_secondary")? {
        return Err(fields.error("signing_key", "wanted the project's signing key (PSK_…), from API → Show"));
    }
    // For the REST API: the token, and the space below whose name the API stands.
    fields.api_secret("api_token")?;
    if fields.text("space")?.is_some_and(|space| !is_space(space)) {
        return Err(fields
            .error("space", "wanted the space's name: acme, where the dashboard is acme.signalwire.com"));
    }
    let read = fields.finish()?;
    match read.credentials.iter().any(|key| key.value.expose().starts_with(b"PT")) {
        true => Err(CredentialError::new("signing_key", "wanted the signing key (PSK_…), not the API token")),
        false => Ok(read),
    }
}

/// A label of a host name: requests to the REST API go to the host of this name below signalwire.com.
pub fn is_space(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "6bfbbe86-a901-4197-8759-2a0de1fa319d";

    #[test]
    fn two_signing_keys_are_held() {
        let json = format!(
            r#"{{"project_id":"{PROJECT}","signing_key":"PSK_a","signing_key_secondary":"PSK_b","api_token":"PTc","space":"acme"}}"#
        );
        let read = read(&serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(read.external_id, PROJECT);
        assert_eq!(read.secret_names, ["signing_key", "signing_key_secondary", "api_token"]);
        assert_eq!(read.credentials.len(), 2);
    }

    #[test]
    fn errors_name_the_place() {
        let check = |rest: &str, field: &str| {
            let json = format!(r#"{{"project_id":"{PROJECT}"{rest}}}"#);
            let error = read(&serde_json::from_str(&json).unwrap()).err().map(|error| error.field);
            assert_eq!(error.as_deref(), Some(field), "{json}");
        };
        check("", "signing_key");
        check(r#","signing_key":"""#, "signing_key");
        check(r#","signing_key":"PT0123456789""#, "signing_key");
        check(r#","signing_key":"PSK_a","auth_token":"b""#, "auth_token");
        check(r#","signing_key":"PSK_a","space":"acme.signalwire.com""#, "space");
        check(r#","signing_key":"PSK_a","space":"evil.example/""#, "space");
        let missing = read(&serde_json::from_str(r#"{"signing_key":"PSK_a"}"#).unwrap()).unwrap_err();
        assert_eq!(missing.field, "project_id");
    }
}
