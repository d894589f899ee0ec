//! Plivo's REST API: where it is, who asks, and what its errors mean.
//!
//! Source, read 2026-11: <https://www.plivo.com/docs/account/api/>.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::provider::Api;
use crate::rest::request::segment;
use crate::rest::{Account, Fault, Reply, Request};

/// Numbers, applications and subaccounts.
pub const API: Api = Api { base_setting: "PLIVO_API_BASE", base: "https://api.plivo.com" };

/// A request below the account; paths end with a slash.
pub fn request(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    below: &str,
) -> Result<Request, Fault> {
    let id = account.wanted("auth_id")?;
    let request = Request::new(operation, method, API, format!("/v1/Account/{}/{below}", segment(id)));
    Ok(request.basic(id, account.wanted("auth_token")?))
}

/// The answer when it is a success, else what it means.
pub fn success(reply: &Reply) -> Result<&Reply, Fault> {
    if reply.is_success() { Ok(reply) } else { Err(fault(reply)) }
}

/// What an answer means that is no success: Plivo has no codes.
pub fn fault(reply: &Reply) -> Fault {
    let said = said(reply);
    let stop =
        |remedy: &str| Fault::stop(reply.status.to_string(), format!("{}: {remedy}", reply.reason(&said)));
    match reply.status {
        401 => stop("check auth_id and auth_token of this account at Plivo"),
        402 => stop("add money to the account at Plivo"),
        _ => reply.fault("", &said),
    }
}

/// What `error` says: text, or an object with a message for each field.
fn said(reply: &Reply) -> String {
    #[derive(Deserialize)]
    struct Answer {
        error: Value,
    }
    match serde_json::from_slice(&reply.body) {
        Ok(Answer { error: Value::String(text) }) => text,
        Ok(Answer { error }) => error.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_status() {
        let check = |status: u16, body: &str, expected: &str| {
            let fault = fault(&Reply::new(status, body));
            assert_eq!(format!("{}: {fault}", fault.label()), expected);
        };
        let text = r#"{"api_id":"1","error":"no such number"}"#;
        check(404, text, "gone: status 404: no such number");
        check(
            400,
            r#"{"error":{"app_id":["invalid"]}}"#,
            r#"stop: status 400: {"app_id":["invalid"]} (400)"#,
        );
        check(
            401,
            "Could not verify your access level",
            "stop: status 401: no explanation: check auth_id and auth_token of this account at Plivo (401)",
        );
        check(402, text, "stop: status 402: no such number: add money to the account at Plivo (402)");
        check(429, "", "retry: status 429: no explanation");
        check(500, text, "unclear: status 500: no such number");
        check(502, "<html>", "unclear: status 502: no explanation");
    }
}
