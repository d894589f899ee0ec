//! The credentials of an account at a provider, as people give them: a JSON object, read by the provider's folder.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::Secret;

const CHARS_MAX: usize = 4_000;

/// One secret of an account, or another thing that its provider's verifying depends on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// What it is, in the provider's words (`auth_token`, `shared_key`).
    pub kind: String,
    /// Its public name, where requests name the secret they are signed with; else empty.
    pub id: String,
    /// The secret.
    pub value: Secret,
}

impl Credential {
    /// A secret without a public name.
    pub fn new(kind: &str, value: &str) -> Self {
        Self { kind: kind.to_owned(), id: String::new(), value: Secret::new(value) }
    }
}

/// An account's credentials, checked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountCredentials {
    /// The provider's name of the account, which its webhooks claim; empty where they claim none.
    pub external_id: String,
    /// The field in which it stood; empty where it may be.
    pub external_field: &'static str,
    /// The provider's name of the account itself, where its webhooks claim another's (a subaccount's claim its
    /// parent's), with its field.
    pub own_id: Option<(&'static str, String)>,
    /// What routers need: to verify webhooks and, where the protocol wants that, to answer by REST.
    pub credentials: Vec<Credential>,
    /// The names of the secrets that are set: `auth_token`, `shared_key:<id>`.
    pub secret_names: Vec<String>,
}

impl AccountCredentials {
    /// The field that names the account itself, and what it says; empty where none does.
    #[must_use]
    pub fn identity(&self) -> (&'static str, &str) {
        match &self.own_id {
            Some((field, id)) => (field, id),
            None => (self.external_field, &self.external_id),
        }
    }
}

/// What is wrong with a credentials object.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct CredentialError {
    /// Where, below the object: `shared_keys[0].id`.
    pub field: String,
    /// What is wanted there.
    pub wanted: String,
}

impl CredentialError {
    /// `wanted` at `field`.
    pub fn new(field: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { field: field.into(), wanted: wanted.into() }
    }
}

/// Reads a credentials object field by field; [`Fields::finish`] refuses what nobody read.
#[derive(Debug)]
pub struct Fields<'d> {
    document: &'d Map<String, Value>,
    place: String,
    known: Vec<&'static str>,
    read: AccountCredentials,
}

impl<'d> Fields<'d> {
    /// Reads `document`.
    #[must_use]
    pub fn new(document: &'d Map<String, Value>) -> Self {
        Self { document, place: String::new(), known: Vec::new(), read: AccountCredentials::default() }
    }

    /// Reads the object in `field` apart: its errors name the field, its secrets go into its own list.
    ///
    /// # Errors
    /// When it is something else than an object.
    pub fn object(&mut self, field: &'static str) -> Result<Option<Self>, CredentialError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Object(document)) => {
                let place = format!("{}.", self.at(field));
                Ok(Some(Self { place, ..Self::new(document) }))
            }
            Some(_) => Err(CredentialError::new(self.at(field), "wanted an object")),
        }
    }

    /// The objects in the list in `field`, each to be read apart.
    ///
    /// # Errors
    /// When it is something else than a list of at most `most` objects.
    pub fn objects(&mut self, field: &'static str, most: usize) -> Result<Vec<Self>, CredentialError> {
        let at = self.at(field);
        let wanted = || CredentialError::new(&at, format!("wanted a list of at most {most} objects"));
        let list = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) if list.len() <= most => list,
            Some(_) => return Err(wanted()),
        };
        let object = |(index, value): (usize, &'d Value)| match value {
            Value::Object(document) => Ok(Self { place: format!("{at}[{index}]."), ..Self::new(document) }),
            _ => Err(CredentialError::new(format!("{at}[{index}]"), "wanted an object")),
        };
        list.iter().enumerate().map(object).collect()
    }

    /// The field that names the account at the provider: what its webhooks claim.
    ///
    /// # Errors
    /// When it is absent or `check` says what is wanted instead.
    pub fn external_id(
        &mut self,
        field: &'static str,
        check: impl FnOnce(&str) -> Result<(), &'static str>,
    ) -> Result<&'d str, CredentialError> {
        let text = self.wanted(field)?;
        check(text).map_err(|wanted| CredentialError::new(self.at(field), wanted))?;
        text.clone_into(&mut self.read.external_id);
        self.read.external_field = field;
        Ok(text)
    }

    /// The field that names the account at the provider, where webhooks claim it but accounts may do without.
    ///
    /// # Errors
    /// When it is there and `check` says what is wanted instead.
    pub fn external_id_if_set(
        &mut self,
        field: &'static str,
        check: impl FnOnce(&str) -> Result<(), &'static str>,
    ) -> Result<Option<&'d str>, CredentialError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        check(text).map_err(|wanted| CredentialError::new(self.at(field), wanted))?;
        text.clone_into(&mut self.read.external_id);
        self.read.external_field = field;
        Ok(Some(text))
    }

    /// Text of any characters, which may be empty: what people chose themselves, such as a signing key.
    ///
    /// # Errors
    /// When it is something else than text, or too long.
    pub fn free_text(&mut self, field: &'static str) -> Result<Option<&'d str>, CredentialError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= CHARS_MAX => Ok(Some(text)),
            Some(_) => {
                let wanted = format!("wanted text of at most {CHARS_MAX} bytes");
                Err(CredentialError::new(self.at(field), wanted))
            }
        }
    }

    /// The field that names the account itself, where its webhooks claim another's.
    ///
    /// # Errors
    /// As [`Fields::wanted`].
    pub fn own_id(&mut self, field: &'static str) -> Result<&'d str, CredentialError> {
        let text = self.wanted(field)?;
        self.read.own_id = Some((field, text.to_owned()));
        Ok(text)
    }

    /// Text that is no secret.
    ///
    /// # Errors
    /// When it is something else than printable ASCII without blanks.
    pub fn text(&mut self, field: &'static str) -> Result<Option<&'d str>, CredentialError> {
        let at = self.at(field);
        let wanted =
            || CredentialError::new(at, format!("wanted 1 to {CHARS_MAX} characters, ASCII, no blanks"));
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) if is_plain(text) => Ok(Some(text)),
            Some(_) => Err(wanted()),
        }
    }

    /// Text that is no secret and has to be there.
    ///
    /// # Errors
    /// As [`Fields::text`], and when it is absent.
    pub fn wanted(&mut self, field: &'static str) -> Result<&'d str, CredentialError> {
        self.text(field)?.ok_or_else(|| CredentialError::new(self.at(field), "is missing"))
    }

    /// A truth value.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&mut self, field: &'static str) -> Result<Option<bool>, CredentialError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(CredentialError::new(self.at(field), "wanted true or false")),
        }
    }

    /// A secret, kept as a credential of the kind that the field is called.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub fn secret(&mut self, field: &'static str) -> Result<bool, CredentialError> {
        let Some(text) = self.text(field)? else { return Ok(false) };
        self.read.credentials.push(Credential::new(field, text));
        self.read.secret_names.push(field.to_owned());
        Ok(true)
    }

    /// A secret and, while it is being changed, a second one in `second`: both credentials of the first's kind.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub fn secret_or(&mut self, field: &'static str, second: &'static str) -> Result<bool, CredentialError> {
        let first = self.secret(field)?;
        let Some(text) = self.text(second)? else { return Ok(first) };
        self.read.credentials.push(Credential::new(field, text));
        self.read.secret_names.push(second.to_owned());
        Ok(true)
    }

    /// Something public that verifying depends on, kept as a credential of the kind that the field is called. It isn't
    /// listed among the secrets.
    ///
    /// # Errors
    /// As [`Fields::text`], and when `check` says what is wanted instead.
    pub fn setting(
        &mut self,
        field: &'static str,
        check: impl FnOnce(&str) -> Result<(), &'static str>,
    ) -> Result<bool, CredentialError> {
        let Some(text) = self.text(field)? else { return Ok(false) };
        check(text).map_err(|wanted| CredentialError::new(self.at(field), wanted))?;
        self.read.credentials.push(Credential::new(field, text));
        Ok(true)
    }

    /// A secret that routers don't need, as it is for the provider's REST API.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub fn api_secret(&mut self, field: &'static str) -> Result<bool, CredentialError> {
        let set = self.text(field)?.is_some();
        if set {
            self.read.secret_names.push(field.to_owned());
        }
        Ok(set)
    }

    /// Adds a credential that was read apart, under the name by which it is listed.
    pub fn add(&mut self, credential: Credential, name: impl Into<String>) {
        self.read.credentials.push(credential);
        self.read.secret_names.push(name.into());
    }

    /// An error at `field`.
    #[must_use]
    pub fn error(&self, field: &str, wanted: impl Into<String>) -> CredentialError {
        CredentialError::new(self.at(field), wanted)
    }

    /// What was read.
    ///
    /// # Errors
    /// The first field that nobody asked for, with those that there are.
    pub fn finish(self) -> Result<AccountCredentials, CredentialError> {
        let unknown = self.document.keys().find(|name| !self.known.contains(&name.as_str()));
        match unknown {
            None => Ok(self.read),
            Some(name) => {
                let wanted = format!("unknown field, wanted one of: {}", self.known.join(", "));
                Err(CredentialError::new(self.at(name), wanted))
            }
        }
    }

    /// A field's value; null counts as absent.
    fn value(&mut self, field: &'static str) -> Option<&'d Value> {
        self.known.push(field);
        self.document.get(field).filter(|value| !value.is_null())
    }

    fn at(&self, field: &str) -> String {
        format!("{}{field}", self.place)
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_fields_and_refuses_the_rest() {
        let read = |json: &str| {
            let document = object(json);
            let mut fields = Fields::new(&document);
            fields.external_id("id", |text| if text.starts_with('A') { Ok(()) } else { Err("wanted A") })?;
            fields.secret_or("token", "token_secondary")?;
            for key in fields.objects("keys", 1)? {
                key.finish()?;
            }
            fields.finish()
        };
        let both = read(r#"{"id":"A1","token":"one","token_secondary":"two"}"#).unwrap();
        assert_eq!((both.external_id.as_str(), both.credentials.len()), ("A1", 2));
        assert_eq!(both.secret_names, ["token", "token_secondary"]);
        assert!(both.credentials.iter().all(|credential| credential.kind == "token"));
        for (json, field) in [
            (r#"{}"#, "id"),
            (r#"{"id":"B"}"#, "id"),
            (r#"{"id":7}"#, "id"),
            (r#"{"id":"A","token":""}"#, "token"),
            (r#"{"id":"A","token":"a b"}"#, "token"),
            (r#"{"id":"A","tokken":"t"}"#, "tokken"),
            (r#"{"id":"A","keys":{}}"#, "keys"),
            (r#"{"id":"A","keys":[1]}"#, "keys[0]"),
            (r#"{"id":"A","keys":[{"x":1}]}"#, "keys[0].x"),
        ] {
            assert_eq!(read(json).unwrap_err().field, field, "{json}");
        }
    }
}
