//! Bandwidth's credentials: `account_id`, and the user name and password that its applications show to webhooks.
//!
//! The console calls them callback credentials (`CallbackCreds` of an application).

use serde_json::{Map, Value};

use super::verify::BASIC;
use crate::provider::credentials::{AccountCredentials, Credential, CredentialError, Fields};
use crate::secret::Secret;

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    fields.external_id("account_id", |id| {
        let right = id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
        if right { Ok(()) } else { Err("wanted the account's number, digits only") }
    })?;
    let username = user_id(&mut fields, "callback_user_id")?;
    let username = username.ok_or_else(|| fields.error("callback_user_id", "is missing"))?;
    let password = fields.wanted("callback_password")?;
    add(&mut fields, username, password, "callback_password");
    let next_username = user_id(&mut fields, "callback_user_id_secondary")?;
    match fields.text("callback_password_secondary")? {
        Some(next) => {
            add(&mut fields, next_username.unwrap_or(username), next, "callback_password_secondary")
        }
        None if next_username.is_some() => {
            return Err(fields.error("callback_password_secondary", "is missing"));
        }
        None => {}
    }
    // For the REST API: a user of the dashboard, and where numbers are put.
    user_id(&mut fields, "api_user")?;
    fields.api_secret("api_password")?;
    for field in ["site_id", "location_id"] {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if fields.text(field)?.is_some_and(|text| !is_digits(text)) {
            return Err(fields.error(field, "wanted digits only"));
        }
    }
    fields.text("application_id")?;
    fields.finish()
}

/// A colon ends a user name. Source: RFC 7617, 2.
fn user_id<'d>(fields: &mut Fields<'d>, field: &'static str) -> Result<Option<&'d str>, CredentialError> {
    match fields.text(field)? {
        Some(text) if text.contains(':') => Err(fields.error(field, "wanted a user name without a colon")),
        text => Ok(text),
    }
}

fn add(fields: &mut Fields<'_>, username: &str, password: &str, name: &str) {
    let value = Secret::new(password);
    fields.add(Credential { kind: BASIC.to_owned(), id: username.to_owned(), value }, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<AccountCredentials, CredentialError> {
        read(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_second_password_may_have_its_own_user_name() {
        let check = |rest: &str, expected: &[(&str, &str)]| {
            let json =
                format!(r#"{{"account_id":"5","callback_user_id":"u","callback_password":"a:b"{rest}}}"#);
            let read = parse(&json).unwrap();
            let pairs = read
                .credentials
                .iter()
                .map(|credential| (&*credential.id, std::str::from_utf8(credential.value.expose()).unwrap()));
            assert_eq!(pairs.collect::<Vec<_>>(), expected, "{json}");
            assert_eq!((&*read.external_id, read.secret_names.len()), ("5", expected.len()));
        };
        check("", &[("u", "a:b")]);
        check(r#","callback_password_secondary":"c""#, &[("u", "a:b"), ("u", "c")]);
        check(
            r#","callback_user_id_secondary":"v","callback_password_secondary":"c""#,
            &[("u", "a:b"), ("v", "c")],
        );
    }

    #[test]
    fn errors_name_the_place() {
        let check = |json: &str, field: &str| {
            assert_eq!(parse(json).err().map(|error| error.field).as_deref(), Some(field), "{json}");
        };
        check(r#"{"callback_user_id":"u","callback_password":"p"}"#, "account_id");
        check(r#"{"account_id":"AC5","callback_user_id":"u","callback_password":"p"}"#, "account_id");
        check(r#"{"account_id":5,"callback_user_id":"u","callback_password":"p"}"#, "account_id");
        check(r#"{"account_id":"5","callback_password":"p"}"#, "callback_user_id");
        check(r#"{"account_id":"5","callback_user_id":"u:v","callback_password":"p"}"#, "callback_user_id");
        check(r#"{"account_id":"5","callback_user_id":"u"}"#, "callback_password");
        check(
            r#"{"account_id":"5","callback_user_id":"u","callback_password":"p","api_user":"a:b"}"#,
            "api_user",
        );
        check(
            r#"{"account_id":"5","callback_user_id":"u","callback_password":"p","site_id":"x"}"#,
            "site_id",
        );
        check(r#"{"account_id":"5","callback_user_id":"u","callback_password":""}"#, "callback_password");
        check(
            r#"{"account_id":"5","callback_user_id":"u","callback_password":"p","callback_user_id_secondary":"v"}"#,
            "callback_password_secondary",
        );
        check(
            r#"{"account_id":"5","callback_user_id":"u","callback_password":"p","password":"q"}"#,
            "password",
        );
    }
}
