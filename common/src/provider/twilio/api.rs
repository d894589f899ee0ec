//! Twilio's REST API: where it is, who asks, and what its errors mean.
//!
//! Sources, read 2026-11: <https://www.twilio.com/docs/usage/requests-to-twilio>,
//! <https://www.twilio.com/docs/api/errors>.

use http::Method;

use crate::provider::Api;
use crate::rest::incoming_phone_numbers::said;
use crate::rest::request::segment;
use crate::rest::{Account, Fault, Reply, Request};

/// Numbers and accounts.
pub const API: Api = Api { base_setting: "TWILIO_API_BASE", base: "https://api.twilio.com" };

/// Prices.
pub const PRICING: Api = Api { base_setting: "TWILIO_PRICING_API_BASE", base: "https://pricing.twilio.com" };

/// A request below the account.
pub fn below_account(
    account: &Account<'_>,
    operation: &'static str,
    method: Method,
    below: &str,
) -> Result<Request, Fault> {
    let path = format!("/2010-04-01/Accounts/{}{below}", segment(account.wanted("account_sid")?));
    authorized(account, Request::new(operation, method, API, path))
}

/// A request of the account: with its API key where it has one, else with its auth token.
pub fn authorized(account: &Account<'_>, request: Request) -> Result<Request, Fault> {
    match account.field("api_key_sid") {
        Some(key) => Ok(request.basic(key, account.wanted("api_key_secret")?)),
        None => Ok(request.basic(account.wanted("account_sid")?, account.wanted("auth_token")?)),
    }
}

/// What an answer means that is no success, by its code: Twilio's words may change.
pub fn fault(reply: &Reply) -> Fault {
    let (code, message) = said(reply);
    let elsewhere = || Fault::elsewhere(&*code, reply.reason(&message));
    let stop = |remedy: &str| Fault::stop(&*code, format!("{}: {remedy}", reply.reason(&message)));
    match &*code {
        "20003" => {
            stop("check account_sid and auth_token (or the API key) of this account, and its state at Twilio")
        }
        "20404" => Fault::Gone { reason: reply.reason(&message) },
        "20429" => Fault::Retry { reason: reply.reason(&message), after: reply.retry_after },
        // A number that somebody else has bought, an area code that isn't one, one that is used up, no more subaccounts.
        "21422" | "21451" | "21452" | "21480" => elsewhere(),
        "21613" | "21631" => {
            stop("create an address in Twilio's console and set address_sid of this account")
        }
        "21628" | "21651" => {
            stop("set address_sid of this account to an address that fits the number and is in its bundle")
        }
        "21649" => stop("create a regulatory bundle in Twilio's console and set bundle_sid of this account"),
        _ => reply.fault(&code, &message),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rest::samples;

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let check = |status: u16, code: u32, label: &str, words: &str| {
            let body = format!(r#"{{"code":{code},"message":"No such luck","status":{status}}}"#);
            let fault = fault(&Reply::new(status, body));
            assert_eq!(fault.label(), label, "{code}");
            assert!(fault.to_string().contains("No such luck"), "{fault}");
            assert!(fault.to_string().contains(words), "{fault}");
        };
        check(401, 20003, "stop", "auth_token");
        check(404, 20404, "gone", "");
        check(429, 20429, "retry", "");
        check(400, 21421, "stop", "(21421)");
        check(400, 21422, "elsewhere", "");
        check(400, 21451, "elsewhere", "");
        check(400, 21452, "elsewhere", "");
        check(400, 21457, "stop", "");
        check(400, 21480, "elsewhere", "");
        check(400, 21613, "stop", "address_sid");
        check(400, 21631, "stop", "address_sid");
        check(400, 21628, "stop", "address_sid");
        check(400, 21651, "stop", "bundle");
        check(400, 21649, "stop", "bundle_sid");
        check(403, 20005, "stop", "(20005)");
        check(500, 20500, "unclear", "");
    }

    #[test]
    fn errors_without_a_code_are_told_apart_by_their_status() {
        for (status, body, label) in [
            (502, "<html>Bad Gateway</html>", "unclear"),
            (500, "", "unclear"),
            (429, "", "retry"),
            (404, "not found", "gone"),
            (401, "", "stop"),
            (400, r#"{"code":[],"message":7}"#, "stop"),
        ] {
            assert_eq!(fault(&Reply::new(status, body)).label(), label, "{status} {body}");
        }
        let after = Some(Duration::from_secs(3));
        let busy = Reply { retry_after: after, ..Reply::new(429, r#"{"code":20429,"message":"Too many"}"#) };
        assert_eq!(fault(&busy), Fault::Retry { reason: "status 429: Too many".into(), after });
    }

    #[test]
    fn who_asks_is_an_api_key_or_the_account_itself() {
        let header = |credentials: &str| {
            let request = below_account(&samples::account(credentials), "t", Method::GET, "/X.json")?;
            assert_eq!(request.target, "/2010-04-01/Accounts/AC1/X.json");
            Ok::<_, Fault>(String::from_utf8(request.headers[0].1.expose().to_vec()).unwrap())
        };
        // AC1:t and SK1:k
        assert_eq!(header(r#"{"account_sid":"AC1","auth_token":"t"}"#).unwrap(), "Basic QUMxOnQ=");
        let key = r#"{"account_sid":"AC1","auth_token":"t","api_key_sid":"SK1","api_key_secret":"k"}"#;
        assert_eq!(header(key).unwrap(), "Basic U0sxOms=");
        let shared = header(r#"{"account_sid":"AC1","shared_keys":[{"id":"k","secret":"s"}]}"#).unwrap_err();
        assert!(shared.label() == "stop" && shared.to_string().contains("auth_token"), "{shared}");
    }
}
