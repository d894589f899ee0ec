//! Telnyx's REST API: where it is, who asks, how answers are wrapped, and what its errors mean.
//!
//! Source, read 2026-11: <https://developers.telnyx.com/api/>.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::credentials::API_KEY;
use crate::provider::Api;
use crate::rest::{Account, Fault, Reply, Request};

/// Numbers, applications and commands to calls.
pub const API: Api = Api { base_setting: "TELNYX_API_BASE", base: "https://api.telnyx.com/v2" };

/// A request of the account.
pub fn request(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    path: impl Into<String>,
) -> Result<Request, Fault> {
    Ok(Request::new(operation, method, API, path).bearer(account.wanted(API_KEY)?))
}

/// What an answer holds: all of them have it in `data`.
pub fn data<T: DeserializeOwned>(reply: &Reply) -> Result<T, Fault> {
    #[derive(Deserialize)]
    struct Answer<T> {
        data: T,
    }
    success(reply)?.json::<Answer<T>>().map(|answer| answer.data)
}

/// The answer when it is a success, else what it means.
pub fn success(reply: &Reply) -> Result<&Reply, Fault> {
    if reply.is_success() { Ok(reply) } else { Err(fault(reply)) }
}

/// What an answer means that is no success, by the code of its first error.
fn fault(reply: &Reply) -> Fault {
    #[derive(Deserialize, Default)]
    struct Answer {
        errors: Vec<Error>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Error {
        code: String,
        title: String,
        detail: String,
    }
    let answer: Answer = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Error { code, title, detail } = answer.errors.into_iter().next().unwrap_or_default();
    let said = if detail.is_empty() { title } else { detail };
    match &*code {
        "10005" => Fault::Gone { reason: reply.reason(&said) },
        "10009" => {
            Fault::stop(&*code, format!("{}: check api_key of this account at Telnyx", reply.reason(&said)))
        }
        "10011" => Fault::Retry { reason: reply.reason(&said), after: reply.retry_after },
        // A number that wasn't searched for lately, is somebody else's by now, or is held for somebody.
        "85000" | "85001" | "85006" | "85007" => Fault::elsewhere(&*code, reply.reason(&said)),
        _ => reply.fault(&code, &said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let check = |status: u16, body: &str, label: &str| {
            let fault = data::<String>(&Reply::new(status, body)).unwrap_err();
            assert_eq!(fault.label(), label, "{status} {body}");
        };
        let coded = |code: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","title":"No","detail":"No such luck"}}]}}"#)
        };
        check(404, &coded("10005"), "gone");
        check(401, &coded("10009"), "stop");
        check(429, &coded("10011"), "retry");
        check(422, &coded("10027"), "stop");
        for code in ["85000", "85001", "85006", "85007"] {
            check(400, &coded(code), "elsewhere");
        }
        check(500, &coded("10000"), "unclear");
        check(502, "<html>", "unclear");
        check(401, "", "stop");
        check(404, "{}", "gone");
        check(400, r#"{"errors":[]}"#, "stop");
        check(400, r#"{"errors":[{"code":7}]}"#, "stop");
        check(200, r#"{"data":7}"#, "unclear");
        check(200, r#"{"errors":[]}"#, "unclear");
        let fault = data::<String>(&Reply::new(401, coded("10009"))).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "status 401: No such luck: check api_key of this account at Telnyx (10009)"
        );
    }
}
