//! Plivo's credentials: `auth_id` and at least one of the auth tokens.
//!
//! Webhooks name the main account in `ParentAuthID`, those of a subaccount's numbers too; so a subaccount is found by
//! its parent's id, and several may be found by the same one.

use serde_json::{Map, Value};

use crate::provider::credentials::{AccountCredentials, CredentialError, Fields};

pub fn read(document: &Map<String, Value>) -> Result<AccountCredentials, CredentialError> {
    let mut fields = Fields::new(document);
    let given = document.get("auth_id").and_then(Value::as_str);
    if given.is_some_and(|id| is_id("SA", id)) {
        fields.own_id("auth_id")?;
        fields.external_id("parent_auth_id", |id| {
            let wanted = "wanted the main account's auth id, MA and 18 letters or digits: it is what a subaccount's webhooks name";
            if is_id("MA", id) { Ok(()) } else { Err(wanted) }
        })?;
    } else {
        fields.external_id("auth_id", |id| {
            let wanted = "wanted MA, or SA for a subaccount, and 18 letters or digits";
            if is_id("MA", id) { Ok(()) } else { Err(wanted) }
        })?;
    }
    let own = fields.secret_or("auth_token", "auth_token_secondary")?;
    let main = fields.secret_or("main_auth_token", "main_auth_token_secondary")?;
    if !own && !main {
        return Err(fields.error("auth_token", "wanted an auth token, or main_auth_token"));
    }
    fields.finish()
}

fn is_id(prefix: &str, id: &str) -> bool {
    let rest = id.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.len() == 18 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "MAXXXXXXXXXXXXXXXXXX";
    const SUB: &str = "SAXXXXXXXXXXXXXXXXXX";

    #[test]
    fn a_subaccount_is_found_by_its_parent_and_is_itself() {
        let check = |json: &str, external_id: &str, identity: (&str, &str)| {
            let read = read(&serde_json::from_str(json).unwrap()).unwrap();
            assert_eq!((read.external_id.as_str(), read.identity()), (external_id, identity), "{json}");
        };
        check(&format!(r#"{{"auth_id":"{MAIN}","auth_token":"t"}}"#), MAIN, ("auth_id", MAIN));
        let sub = format!(r#"{{"auth_id":"{SUB}","parent_auth_id":"{MAIN}","auth_token":"t"}}"#);
        check(&sub, MAIN, ("auth_id", SUB));
    }

    #[test]
    fn what_webhooks_name_is_the_main_account() {
        let check = |json: String, kinds: &[&str]| {
            let read = read(&serde_json::from_str(&json).unwrap()).unwrap();
            assert_eq!(read.external_id, MAIN, "{json}");
            let found: Vec<_> = read.credentials.iter().map(|credential| &*credential.kind).collect();
            assert_eq!(found, kinds, "{json}");
        };
        check(format!(r#"{{"auth_id":"{MAIN}","auth_token":"t"}}"#), &["auth_token"]);
        check(
            format!(
                r#"{{"auth_id":"{MAIN}","auth_token":"t","auth_token_secondary":"u","main_auth_token":"m"}}"#
            ),
            &["auth_token", "auth_token", "main_auth_token"],
        );
        check(
            format!(r#"{{"auth_id":"{SUB}","parent_auth_id":"{MAIN}","main_auth_token":"m"}}"#),
            &["main_auth_token"],
        );
    }

    #[test]
    fn errors_name_the_place() {
        let check = |json: String, field: &str| {
            let error = read(&serde_json::from_str(&json).unwrap()).err().map(|error| error.field);
            assert_eq!(error.as_deref(), Some(field), "{json}");
        };
        check(r#"{"auth_token":"t"}"#.into(), "auth_id");
        check(r#"{"auth_id":"AC1","auth_token":"t"}"#.into(), "auth_id");
        check(r#"{"auth_id":"MA1","auth_token":"t"}"#.into(), "auth_id");
        check(r#"{"auth_id":7,"auth_token":"t"}"#.into(), "auth_id");
        check(format!(r#"{{"auth_id":"{SUB}","auth_token":"t"}}"#), "parent_auth_id");
        check(
            format!(r#"{{"auth_id":"{SUB}","parent_auth_id":"{SUB}","auth_token":"t"}}"#),
            "parent_auth_id",
        );
        check(
            format!(r#"{{"auth_id":"{MAIN}","parent_auth_id":"{MAIN}","auth_token":"t"}}"#),
            "parent_auth_id",
        );
        check(format!(r#"{{"auth_id":"{MAIN}"}}"#), "auth_token");
        check(format!(r#"{{"auth_id":"{MAIN}","auth_token":""}}"#), "auth_token");
        check(format!(r#"{{"auth_id":"{MAIN}","auth_token":"t","token":"t"}}"#), "token");
    }
}
