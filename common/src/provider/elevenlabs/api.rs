//! ElevenLabs's REST API: who asks, and what its errors mean. Source: <https://api.elevenlabs.io/openapi.json>.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::provider::Api;
use crate::rest::{Account, Fault, Reply, Request};

/// The API. Workspaces with data residency have others: `https://api.eu.residency.elevenlabs.io`.
pub const API: Api = Api { base_setting: "ELEVENLABS_API_BASE", base: "https://api.elevenlabs.io" };

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
    Ok(Request::new(operation, method, API, path).header("xi-api-key", account.wanted("api_key")?))
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

/// What an answer that is no success means. 401 is for permissions and quotas, too.
pub fn fault(reply: &Reply) -> Fault {
    let (code, said) = detail(reply);
    let stop = |remedy: &str| {
        let code = if code.is_empty() { "unauthorized" } else { &code };
        Fault::stop(code, format!("{}. {remedy}", reply.reason(&said)))
    };
    match (reply.status, code.as_str()) {
        (401 | 403, "quota_exceeded") => {
            stop("The workspace's plan has to allow more: ElevenLabs, Subscription")
        }
        (401 | 403, "missing_permissions") => {
            stop("The account's api_key needs write access to ElevenAgents: Developers, API Keys")
        }
        (401 | 403, _) => stop("The account's api_key has to be one of the workspace: Developers, API Keys"),
        (409, _) => Fault::Retry { reason: reply.reason(&said), after: reply.retry_after },
        _ => reply.fault(&code, &said),
    }
}

#[derive(Deserialize)]
struct Problem {
    detail: Value,
}

/// The code and what is said: `{"detail": {"status", "message"}}`, `{"detail": [{"loc", "msg"}]}` or `{"detail": text}`.
fn detail(reply: &Reply) -> (String, String) {
    let Ok(problem) = serde_json::from_slice::<Problem>(&reply.body) else { return Default::default() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match &problem.detail {
        Value::Object(detail) => {
            let field = |name: &str| detail.get(name).map(text).unwrap_or_default();
            (field("status"), field("message"))
        }
        Value::Array(places) => {
            let said =
                places.iter().map(|place| format!("{}: {}", trail(&place["loc"]), text(&place["msg"])));
            (String::new(), said.collect::<Vec<_>>().join("; "))
        }
        other => (String::new(), text(other)),
    }
}

/// Where a field is: `body.sid`.
fn trail(place: &Value) -> String {
    let steps = place.as_array().into_iter().flatten();
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    steps.map(step).collect::<Vec<_>>().join(".")
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
        let detail = |status: &str| format!(r#"{{"detail":{{"status":"{status}","message":"No."}}}}"#);
        check(401, &detail("invalid_api_key"), "stop", "api_key has to be one of the workspace");
        check(401, &detail("quota_exceeded"), "stop", "Subscription (quota_exceeded)");
        check(401, &detail("missing_permissions"), "stop", "write access");
        check(403, "", "stop", "(unauthorized)");
        check(
            422,
            r#"{"detail":[{"loc":["body","sid",0],"msg":"field required","type":"value_error.missing"}]}"#,
            "stop",
            "body.sid.0: field required (422)",
        );
        check(400, r#"{"detail":"Invalid"}"#, "stop", "Invalid (400)");
        check(404, &detail("agent_not_found"), "gone", "No.");
        check(409, &detail("conflict"), "retry", "No.");
        check(429, &detail("too_many_concurrent_requests"), "retry", "No.");
        check(502, "<html>", "unclear", "502");
        check(400, "[]", "stop", "no explanation");
        check(400, r#"{"detail":[1,{"loc":2}]}"#, "stop", "400");
    }
}
