//! Vapi's REST API: who asks, and what its errors mean.
//!
//! Source: <https://api.vapi.ai/api-json>. The texts of errors are documented nowhere; those that are read here were
//! seen on the wire, and others fall back to what their status says.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::provider::Api;
use crate::rest::{Account, Fault, Reply, Request};

/// The API. European organisations have another base: `https://api.eu.vapi.ai`.
pub const API: Api = Api { base_setting: "VAPI_API_BASE", base: "https://api.vapi.ai" };

/// All that are asked.
pub const APIS: &[Api] = &[API];

/// A JSON object.
pub type Object = Map<String, Value>;

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

/// The objects of a success that is a list.
///
/// # Errors
/// As [`object`].
pub fn objects(reply: &Reply) -> Result<Vec<Object>, Fault> {
    if reply.is_success() { reply.json() } else { Err(fault(reply)) }
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
    let problem = Problem::of(reply);
    let said = problem.said();
    let stop = |code: &str, remedy: &str| Fault::stop(code, format!("{}. {remedy}", reply.reason(&said)));
    match reply.status {
        401 | 403 => stop(
            "unauthorized",
            "The account's api_key has to be the organisation's private key: Vapi's dashboard, API Keys",
        ),
        402 => stop("payment_required", "Add a payment method in Vapi's dashboard, Billing"),
        _ => reply.fault(problem.code(), &said),
    }
}

/// What Vapi says of an error: `{"message": text or texts, "error": "Bad Request", "statusCode": 400}`.
#[derive(Default)]
pub struct Problem {
    messages: Vec<String>,
    error: String,
}

#[derive(Deserialize)]
struct Document {
    message: Option<Value>,
    error: Option<String>,
}

impl Problem {
    /// Reads an answer; one that is something else says nothing.
    pub fn of(reply: &Reply) -> Self {
        let Ok(document) = serde_json::from_slice::<Document>(&reply.body) else { return Self::default() };
        let messages = match document.message {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Self { messages, error: document.error.unwrap_or_default() }
    }

    /// All that it says.
    pub fn said(&self) -> String {
        if self.messages.is_empty() { self.error.clone() } else { self.messages.join("; ") }
    }

    /// Vapi's code, where it has one (`assistant_pinned`): usually `error` is only the status in words.
    fn code(&self) -> &str {
        if self.error.contains(' ') || !self.error.contains('_') { "" } else { &self.error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_and_say_what_to_do() {
        let check = |status: u16, body: &str, label: &str, text: &str| {
            let fault = fault(&Reply::new(status, body));
            assert_eq!(fault.label(), label, "{body}");
            assert!(fault.to_string().contains(text), "{fault}");
        };
        check(
            401,
            r#"{"message":"Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa.","error":"Unauthorized","statusCode":401}"#,
            "stop",
            "vice versa.. The account's api_key has to be the organisation's private key",
        );
        check(403, "", "stop", "api_key");
        check(402, r#"{"message":"Pay"}"#, "stop", "Billing (payment_required)");
        check(
            400,
            r#"{"message":["name must be shorter","a b"],"error":"Bad Request"}"#,
            "stop",
            "name must be shorter; a b (400)",
        );
        check(
            409,
            r#"{"error":"assistant_pinned","message":"Pinned."}"#,
            "stop",
            "Pinned. (assistant_pinned)",
        );
        check(404, r#"{"message":"Not Found","statusCode":404}"#, "gone", "Not Found");
        check(429, r#"{"message":"Too Many"}"#, "retry", "Too Many");
        check(502, "<html><h1>Bad Gateway</h1>", "unclear", "502");
        check(400, r#"{"message":{"a":1},"error":"Bad Request"}"#, "stop", "Bad Request (400)");
        check(400, "[]", "stop", "no explanation");
    }

    #[test]
    fn what_is_not_there_any_more_is_gone() {
        assert!(gone(&Reply::new(200, "{}")).is_ok() && gone(&Reply::new(404, "")).is_ok());
        assert_eq!(gone(&Reply::new(500, "")).unwrap_err().label(), "unclear");
        assert_eq!(gone(&Reply::new(401, "")).unwrap_err().label(), "stop");
    }
}
