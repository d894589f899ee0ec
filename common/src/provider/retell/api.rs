//! Retell's REST API: who asks, and what its errors mean. Source: `api.md` of Retell's Python SDK 6.2.13.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::provider::Api;
use crate::rest::{Account, Fault, Reply, Request};

/// The API.
pub const API: Api = Api { base_setting: "RETELL_API_BASE", base: "https://api.retellai.com" };

/// All that are asked.
pub const APIS: &[Api] = &[API];

/// A JSON object.
pub type Object = Map<String, Value>;

/// What Retell says, with status 422, of a thing that isn't there or is another account's.
const NOT_THERE: &str = "cannot find requested asset";

/// A request as the account.
///
/// # Errors
/// [`Fault::Stop`] when it has no key.
pub fn request(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    path: impl Into<String>,
) -> Result<Request, Fault> {
    Ok(Request::new(operation, method, API, path).bearer(account.wanted("api_key")?))
}

/// The object of a success.
///
/// # Errors
/// As [`fault`]; [`Fault::Unclear`] for a success that holds none.
pub fn object(reply: &Reply) -> Result<Object, Fault> {
    if reply.is_success() { reply.json() } else { Err(fault(reply)) }
}

/// The text of a success's field.
///
/// # Errors
/// As [`object`]; [`Fault::Unclear`] when it isn't there.
pub fn named(reply: &Reply, field: &str) -> Result<String, Fault> {
    let object = object(reply)?;
    let text = object.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| Fault::unclear(format!("an answer without {field}")))
}

/// That it was done, or wasn't there to be done with.
///
/// # Errors
/// As [`fault`].
pub fn gone(reply: &Reply) -> Result<(), Fault> {
    if reply.is_success() {
        return Ok(());
    }
    match fault(reply) {
        Fault::Gone { .. } => Ok(()),
        other => Err(other),
    }
}

/// What an answer that is no success means.
pub fn fault(reply: &Reply) -> Fault {
    let said = said(reply);
    let stop = |code: &str, remedy: &str| Fault::stop(code, format!("{}. {remedy}", reply.reason(&said)));
    match reply.status {
        401 | 403 => {
            stop("unauthorized", "The account's api_key has to be one of Retell's dashboard, API Keys")
        }
        402 => stop("payment_required", "Add a payment method in Retell's dashboard, Billing"),
        422 if said.to_lowercase().contains(NOT_THERE) => Fault::gone(reply.reason(&said)),
        _ => reply.fault("", &said),
    }
}

#[derive(Deserialize)]
struct Problem {
    message: String,
}

/// What Retell says of an error: `{"status": "error", "message"}`.
pub fn said(reply: &Reply) -> String {
    serde_json::from_slice::<Problem>(&reply.body).map(|problem| problem.message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_and_say_what_to_do() {
        let check = |status: u16, message: &str, label: &str, text: &str| {
            let body = format!(r#"{{"status":"error","message":"{message}"}}"#);
            let fault = fault(&Reply::new(status, body));
            assert_eq!(fault.label(), label, "{status} {message}");
            assert!(fault.to_string().contains(text), "{fault}");
        };
        check(400, "area_code must be a number", "stop", "area_code must be a number (400)");
        check(401, "Invalid API key", "stop", "api_key has to be one");
        check(402, "No payment method", "stop", "Billing (payment_required)");
        check(404, "Not found", "gone", "Not found");
        check(422, "Cannot find requested asset under given api key.", "gone", "asset");
        check(422, "Agent is in use", "stop", "Agent is in use (422)");
        check(429, "Slow down", "retry", "Slow down");
        check(500, "Oops", "unclear", "Oops");
        assert_eq!(fault(&Reply::new(502, "<html>")).label(), "unclear");
        assert_eq!(fault(&Reply::new(400, "[]")).to_string(), "status 400: no explanation (400)");
    }
}
