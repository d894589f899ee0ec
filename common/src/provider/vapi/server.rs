//! A server URL at Vapi: where it asks us, and how it proves that it is Vapi.
//!
//! A credential of the organisation's, where the account names one; else the token itself as a header of this server
//! alone, as a bearer credential would send it. Signatures and access tokens need a credential: the schema `Server`
//! has nothing for them.

use serde_json::{Value, json};

use super::api::Object;
use super::{NAME, SERVER};
use crate::rest::numbers::Webhooks;
use crate::rest::{Account, Fault};

/// The header of the short form, `secret`.
const SECRET_HEADER: &str = "X-Vapi-Secret";

/// What Vapi takes of a server; older records hold more.
const FIELDS: [&str; 7] = [
    "url",
    "timeoutSeconds",
    "credentialId",
    "headers",
    "backoffPlan",
    "staticIpAddressesEnabled",
    "encryptedPaths",
];

/// The server that asks us as this account.
///
/// # Errors
/// [`Fault::Stop`] when the account's credentials don't say how requests prove themselves.
pub fn ours(account: &Account<'_>, webhooks: &Webhooks) -> Result<Value, Fault> {
    let url = webhooks.url(NAME, SERVER, account);
    if let Some(id) = account.field("credential_id") {
        return Ok(json!({"url": url, "credentialId": id}));
    }
    let auth = account.credentials.get("auth");
    let auth_type = auth.and_then(|plan| plan.get("type")).and_then(Value::as_str);
    if auth_type == Some("bearer")
        && let Some((name, value)) = auth.and_then(bearer)
    {
        return Ok(json!({"url": url, "headers": {name: value}}));
    }
    if let Some(secret) = account.field("secret") {
        return Ok(json!({"url": url, "headers": {SECRET_HEADER: secret}}));
    }
    if auth_type == Some("none") {
        return Ok(json!({"url": url}));
    }
    let reason = "the account's credentials have no credential_id: make a credential with the same authentication plan \
                  in Vapi's dashboard and set its id there";
    Err(Fault::stop("credentials_incomplete", reason))
}

/// The header of a bearer plan.
fn bearer(plan: &Value) -> Option<(&str, String)> {
    let text = |field: &str| plan.get(field).and_then(Value::as_str);
    let token = text("token")?;
    let prefix = plan.get("bearerPrefixEnabled").and_then(Value::as_bool).unwrap_or(true);
    let value = if prefix { format!("Bearer {token}") } else { token.to_owned() };
    Some((text("headerName").unwrap_or("Authorization"), value))
}

/// A record's server in today's form; null where it has none. Before 2025 the secret stood in `server.secret`, and both
/// in `serverUrl` and `serverUrlSecret`: Vapi doesn't take those back.
pub fn of(record: &Object) -> Value {
    let mut server = record.get("server").and_then(Value::as_object).cloned().unwrap_or_default();
    server.retain(|_, value| !value.is_null());
    let secret = server.remove("secret").or_else(|| record.get("serverUrlSecret").cloned());
    server.retain(|name, _| FIELDS.contains(&name.as_str()));
    if !server.contains_key("url") {
        match record.get("serverUrl") {
            Some(Value::String(url)) => server.insert("url".to_owned(), url.as_str().into()),
            _ => return Value::Null,
        };
    }
    if let Some(secret) = secret.as_ref().and_then(Value::as_str)
        && !server.contains_key("headers")
    {
        server.insert("headers".to_owned(), json!({SECRET_HEADER: secret}));
    }
    Value::Object(server)
}

/// What of a server isn't as `wanted` has it; what only Vapi has set (a timeout) doesn't count.
pub fn drift(held: &Value, wanted: &Value) -> Vec<String> {
    let differs = |field: &&str| held.get(field) != wanted.get(field);
    let compared = ["url", "credentialId", "headers"].into_iter().filter(differs);
    compared.map(|field| format!("server.{field}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use crate::time::UnixSeconds;

    const URL: &str = "https://d.example/webhooks/vapi/server/00000000-0000-0000-0000-000000000001";

    #[test]
    fn requests_prove_themselves_as_the_account_says() {
        let check = |credentials: Value, expected: Result<Value, &str>| {
            let credentials = credentials.as_object().unwrap();
            let id = AccountId(uuid::Uuid::from_u128(1));
            let account = Account { id, credentials, now: UnixSeconds(0) };
            let webhooks = Webhooks { public_urls: vec!["https://d.example".to_owned()], fallback: None };
            let found = ours(&account, &webhooks);
            match expected {
                Ok(server) => assert_eq!(found.unwrap(), server),
                Err(text) => assert!(found.unwrap_err().to_string().contains(text)),
            }
        };
        let bearer = json!({"type": "bearer", "token": "t"});
        check(json!({"auth": bearer}), Ok(json!({"url": URL, "headers": {"Authorization": "Bearer t"}})));
        check(json!({"auth": bearer, "credential_id": "c"}), Ok(json!({"url": URL, "credentialId": "c"})));
        let named =
            json!({"type": "bearer", "token": "t", "headerName": "X-Mine", "bearerPrefixEnabled": false});
        check(json!({"auth": named, "secret": "s"}), Ok(json!({"url": URL, "headers": {"X-Mine": "t"}})));
        check(json!({"secret": "s"}), Ok(json!({"url": URL, "headers": {"X-Vapi-Secret": "s"}})));
        let hmac = json!({"type": "hmac", "secretKey": "s", "algorithm": "sha256"});
        check(json!({"auth": hmac}), Err("credential_id"));
        check(
            json!({"auth": hmac, "secret": "s"}),
            Ok(json!({"url": URL, "headers": {"X-Vapi-Secret": "s"}})),
        );
        check(json!({"auth": {"type": "oauth2"}}), Err("credential_id"));
        check(json!({"auth": {"type": "none"}}), Ok(json!({"url": URL})));
    }

    #[test]
    fn servers_of_older_forms_are_read_in_today_s() {
        let check = |record: Value, expected: Value| {
            assert_eq!(of(record.as_object().unwrap()), expected, "{record}");
        };
        check(json!({}), Value::Null);
        check(json!({"server": null}), Value::Null);
        check(json!({"server": {"timeoutSeconds": 20}}), Value::Null);
        check(
            json!({"server": {"url": "u", "timeoutSeconds": 20, "credentialId": null, "odd": 1}}),
            json!({"url": "u", "timeoutSeconds": 20}),
        );
        let secret = json!({"X-Vapi-Secret": "s"});
        check(json!({"server": {"url": "u", "secret": "s"}}), json!({"url": "u", "headers": secret}));
        check(json!({"serverUrl": "u", "serverUrlSecret": "s"}), json!({"url": "u", "headers": secret}));
        check(
            json!({"server": {"url": "u", "headers": {"A": "b"}}, "serverUrl": "old", "serverUrlSecret": "s"}),
            json!({"url": "u", "headers": {"A": "b"}}),
        );
    }

    #[test]
    fn only_what_was_set_is_compared() {
        let wanted = json!({"url": "u", "headers": {"A": "b"}});
        assert!(drift(&json!({"url": "u", "headers": {"A": "b"}, "timeoutSeconds": 20}), &wanted).is_empty());
        assert_eq!(drift(&Value::Null, &wanted), ["server.url", "server.headers"]);
        assert_eq!(
            drift(&json!({"url": "v", "headers": {"A": "b"}, "credentialId": "c"}), &wanted),
            ["server.url", "server.credentialId"]
        );
    }
}
