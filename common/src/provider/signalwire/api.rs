//! SignalWire's REST API (its Compatibility API): where it is, who asks, and what its errors mean.
//!
//! Source, read 2026-11: <https://signalwire.com/docs/compatibility-api/rest>.

use http::Method;

use super::credentials::is_space;
use crate::provider::Api;
use crate::rest::incoming_phone_numbers::said;
use crate::rest::request::segment;
use crate::rest::{Account, Fault, Reply, Request};

/// Each space has a host of its own: requests name it.
pub const API: Api = Api { base_setting: "SIGNALWIRE_API_BASE", base: "" };

/// A request below the project.
pub fn below_project(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    below: &str,
) -> Result<Request, Fault> {
    let project = account.wanted("project_id")?;
    let request = Request::new(
        operation,
        method,
        API,
        format!("/api/laml/2010-04-01/Accounts/{}{below}", segment(project)),
    );
    in_space(account, request)
}

/// A request to the account's space, with its token.
pub fn in_space(account: &Account<'_>, request: Request) -> Result<Request, Fault> {
    let space = account.wanted("space")?;
    if !is_space(space) {
        return Err(Fault::stop("credentials", "the account's space isn't the name of one: acme, say"));
    }
    let request = request.base(format!("https://{space}.signalwire.com"));
    Ok(request.basic(account.wanted("project_id")?, account.wanted("api_token")?))
}

/// What an answer means that is no success, by its code.
pub fn fault(reply: &Reply) -> Fault {
    let (code, message) = said(reply);
    let stop = |remedy: &str| Fault::stop(&*code, format!("{}: {remedy}", reply.reason(&message)));
    match &*code {
        "20003" => stop("check project_id, space and api_token (scope Numbers) of this account"),
        "20404" => Fault::Gone { reason: reply.reason(&message) },
        "20429" => Fault::Retry { reason: reply.reason(&message), after: reply.retry_after },
        "21422" | "21451" | "21452" => Fault::elsewhere(&*code, reply.reason(&message)),
        "10004" => stop("this project may not do that: ask with the main project's account"),
        "4001" => stop("add money to the space's balance"),
        _ => reply.fault(&code, &message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::samples;

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let check = |status: u16, code: &str, label: &str, words: &str| {
            let fault = fault(&Reply::new(status, format!(r#"{{"code":{code},"message":"No such luck"}}"#)));
            assert_eq!(fault.label(), label, "{code}");
            assert!(fault.to_string().contains(words), "{fault}");
        };
        check(401, "20003", "stop", "api_token");
        check(401, "\"20003\"", "stop", "api_token");
        check(404, "20404", "gone", "");
        check(400, "21422", "elsewhere", "");
        check(403, "10004", "stop", "main project");
        check(402, "4001", "stop", "balance");
        check(429, "0", "retry", "");
        check(422, "null", "stop", "(422)");
        check(500, "null", "unclear", "");
    }

    #[test]
    fn requests_go_to_the_account_s_space_and_nowhere_else() {
        let base = |space: &str| {
            let credentials = format!(r#"{{"project_id":"p","api_token":"PT1","space":"{space}"}}"#);
            let request = below_project(&samples::account(&credentials), "t", Method::GET, "/X");
            request.map(|request| (request.base.unwrap(), request.target))
        };
        let expected = ("https://acme.signalwire.com".into(), "/api/laml/2010-04-01/Accounts/p/X".into());
        assert_eq!(base("acme"), Ok(expected));
        for space in ["evil.example/", "a.b", "a@b", ""] {
            assert_eq!(base(space).unwrap_err().label(), "stop", "{space}");
        }
        let fault = below_project(&samples::account(r#"{"project_id":"p"}"#), "t", Method::GET, "/X");
        assert!(fault.unwrap_err().to_string().contains("space"));
    }
}
