//! Vonage's REST APIs: where they are, who asks, and what their errors mean.
//!
//! Sources, read 2026-11: <https://developer.vonage.com/en/api/numbers>,
//! <https://developer.vonage.com/en/api/application.v2>.

use http::Method;
use serde::Deserialize;

use crate::provider::Api;
use crate::rest::{Account, Fault, Reply, Request};

/// Applications: JSON.
pub const API: Api = Api { base_setting: "VONAGE_API_BASE", base: "https://api.nexmo.com" };

/// Numbers: forms in, JSON out.
pub const REST: Api = Api { base_setting: "VONAGE_REST_API_BASE", base: "https://rest.nexmo.com" };

/// A request of the account.
pub fn request(
    account: &Account<'_>,
    api: Api,
    operation: &'static str,
    method: Method,
    path: impl Into<String>,
) -> Result<Request, Fault> {
    let request = Request::new(operation, method, api, path);
    Ok(request.basic(account.wanted("api_key")?, account.wanted("api_secret")?))
}

/// The answer when it is a success, else what it means. With status 200 there may be an error inside.
pub fn success(reply: &Reply) -> Result<&Reply, Fault> {
    let said = said(reply);
    match (&*said.code, reply.status) {
        ("" | "200", 200..=299) => Ok(reply),
        ("401", _) | (_, 401) => Err(Fault::stop(
            "401",
            format!("{}: check api_key and api_secret of this account at Vonage", reply.reason(&said.words)),
        )),
        // An address that is wanted, a number that is gone or owned already, no money left: the words alone tell.
        ("420", _) => Err(Fault::elsewhere("420", reply.reason(&said.words))),
        ("429", _) => Err(Fault::Retry { reason: reply.reason(&said.words), after: reply.retry_after }),
        (code, 200..=299) => Err(Fault::stop(code, reply.reason(&said.words))),
        (code, _) => Err(reply.fault(code, &said.words)),
    }
}

/// The answer to a change of a number: it says in a code that the change was made.
pub fn done(reply: &Reply) -> Result<(), Fault> {
    match &*said(success(reply)?).code {
        "200" => Ok(()),
        _ => Err(Fault::unclear(format!("status {} with an answer without a code", reply.status))),
    }
}

#[derive(Default)]
struct Said {
    code: String,
    words: String,
}

/// Code and words of an answer, both empty where it has none.
fn said(reply: &Reply) -> Said {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "error-code")]
        code: Option<String>,
        #[serde(rename = "error-code-label")]
        label: Option<String>,
        title: Option<String>,
        detail: Option<String>,
    }
    let Ok(answer) = serde_json::from_slice::<Answer>(&reply.body) else { return Said::default() };
    let words = answer.label.or(answer.detail).or(answer.title).unwrap_or_default();
    Said { code: answer.code.unwrap_or_default(), words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_also_inside_of_a_success() {
        let check = |status: u16, body: &str, expected: &str| {
            let label = done(&Reply::new(status, body)).map_or_else(|fault| fault.label(), |()| "done");
            assert_eq!(label, expected, "{status} {body}");
        };
        let coded = |code: &str| format!(r#"{{"error-code":"{code}","error-code-label":"so it is"}}"#);
        check(200, &coded("200"), "done");
        check(200, &coded("401"), "stop");
        check(401, &coded("401"), "stop");
        check(401, "", "stop");
        check(200, &coded("420"), "elsewhere");
        check(420, &coded("420"), "elsewhere");
        check(429, "", "retry");
        check(200, &coded("429"), "retry");
        check(200, &coded("999"), "stop");
        check(500, &coded("500"), "unclear");
        check(502, "<html>", "unclear");
        check(404, r#"{"type":"x","title":"Not Found","detail":"no such thing"}"#, "gone");
        check(400, r#"{"title":"Bad Request"}"#, "stop");
        for body in ["", "{}", "[]", r#"{"error-code":200}"#, "<html>"] {
            check(200, body, "unclear");
        }
        let fault = success(&Reply::new(200, coded("401"))).unwrap_err().to_string();
        assert!(fault.contains("api_secret") && fault.contains("so it is"), "{fault}");
    }
}
