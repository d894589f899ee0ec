//! LiveKit's API for SIP: Twirp, JSON in POST requests, asked with a token that the account's key signs.
//!
//! Source: `livekit_sip.proto` in <https://github.com/livekit/protocol>, <https://docs.livekit.io/sip/> and
//! <https://twitchtv.github.io/twirp/docs/errors.html>.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::credentials::base;
use crate::provider::Api;
use crate::provider::credentials::Credential;
use crate::provider::hmac_sha256::Keys;
use crate::provider::jwt;
use crate::rest::request::Effect;
use crate::rest::{Account, Fault, Reply, Request};

/// The API, at the host of the account's own project.
pub const API: Api = Api { base_setting: "LIVEKIT_API_BASE", base: "" };

/// All that are asked.
pub const APIS: &[Api] = &[API];

/// How long a token holds, in seconds: longer than any exchange takes.
const TOKEN_S: i64 = 600;

/// How far clocks may be apart, in seconds.
const LEEWAY_S: i64 = 60;

/// A JSON object.
pub type Object = Map<String, Value>;

/// An account that asks: all requests of one exchange have the same token.
#[derive(Clone)]
pub struct Session {
    base: String,
    token: String,
}

impl Session {
    /// The account, at the time that it says.
    ///
    /// # Errors
    /// [`Fault::Stop`] when its credentials lack something.
    pub fn of(account: &Account<'_>) -> Result<Self, Fault> {
        let base = base(account.wanted("url")?).ok_or_else(|| {
            Fault::stop("credentials_incomplete", "the account's url isn't a project's URL")
        })?;
        let (key, secret) = (account.wanted("api_key")?, account.wanted("api_secret")?);
        let now_s = account.now.0;
        let claims = json!({
            "iss": key, "nbf": now_s.saturating_sub(LEEWAY_S), "exp": now_s.saturating_add(TOKEN_S),
            "sip": {"admin": true},
        });
        let keys = Keys::of_kind(&[Credential::new(key, secret)], key);
        let token = jwt::sign(&claims, &keys)
            .ok_or_else(|| Fault::stop("credentials_incomplete", "the account's api_secret is empty"))?;
        Ok(Self { base, token })
    }

    /// A request that creates something.
    pub fn create(&self, operation: &'static str, method: &str, body: &Value) -> Request {
        let path = format!("/twirp/livekit.SIP/{method}");
        Request::new(operation, Method::POST, API, path).base(&*self.base).bearer(&self.token).json(body)
    }

    /// A request that may be repeated.
    pub fn ask(&self, operation: &'static str, method: &str, body: &Value) -> Request {
        self.create(operation, method, body).effect(Effect::Repeatable)
    }
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

/// The items of a list. An empty one may be left out, as Protocol Buffers' JSON leaves out all that is empty.
///
/// # Errors
/// As [`object`].
pub fn items(reply: &Reply) -> Result<Vec<Object>, Fault> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        items: Vec<Object>,
    }
    object(reply)?;
    reply.json::<List>().map(|list| list.items)
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    msg: String,
}

/// What an answer that is no success means: `{"code", "msg"}`, Twirp's codes.
pub fn fault(reply: &Reply) -> Fault {
    let problem: Problem = serde_json::from_slice(&reply.body).unwrap_or_default();
    match (reply.status, problem.code.as_str()) {
        (401 | 403, _) => {
            let remedy = "The account's api_key and api_secret have to be a pair of the project at its url";
            Fault::stop("unauthorized", format!("{}. {remedy}", reply.reason(&problem.msg)))
        }
        // Somebody made it meanwhile: it is found the next time.
        (409, "already_exists") => Fault::retry(reply.reason(&problem.msg)),
        // A page that isn't LiveKit's: the url leads to something else.
        (404, "") => {
            let reason = "nothing of LiveKit's answers at the account's url";
            Fault::stop("url_wrong", format!("{}. {reason}", reply.reason("")))
        }
        (_, code) => reply.fault(code, &problem.msg),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::jwt::Token;
    use crate::rest::samples::{self, NOW};

    #[test]
    fn errors_are_told_apart_and_say_what_to_do() {
        let check = |status: u16, code: &str, label: &str, text: &str| {
            let body = json!({"code": code, "msg": "No."}).to_string();
            let fault = fault(&Reply::new(status, body));
            assert_eq!(fault.label(), label, "{status} {code}");
            assert!(fault.to_string().contains(text), "{fault}");
        };
        check(400, "invalid_argument", "stop", "No. (invalid_argument)");
        check(401, "unauthenticated", "stop", "api_secret");
        check(403, "permission_denied", "stop", "api_secret");
        check(404, "not_found", "gone", "No.");
        check(409, "already_exists", "retry", "No.");
        check(429, "resource_exhausted", "retry", "No.");
        check(500, "internal", "unclear", "No.");
        check(503, "unavailable", "unclear", "No.");
        assert_eq!(fault(&Reply::new(502, "<html>")).label(), "unclear");
        assert!(fault(&Reply::new(404, "<html>")).to_string().contains("url_wrong"));
    }

    #[test]
    fn requests_go_to_the_project_with_a_token_that_its_secret_signs() {
        let account =
            samples::account(r#"{"api_key":"APIa","api_secret":"s","url":"wss://x.livekit.cloud"}"#);
        let request = Session::of(&account).unwrap().create("livekit.x", "X", &json!({}));
        assert_eq!(request.base.as_deref(), Some("https://x.livekit.cloud"));
        let header = String::from_utf8(request.headers[0].1.expose().to_vec()).unwrap();
        let token = Token::parse(header.strip_prefix("Bearer ").unwrap()).unwrap();
        assert!(token.is_signed_by(&Keys::of_kind(&[Credential::new("k", "s")], "k")));
        let claims: Value = token.claims().unwrap();
        let expected = json!({"iss": "APIa", "nbf": NOW.0 - 60, "exp": NOW.0 + 600, "sip": {"admin": true}});
        assert_eq!(claims, expected);
    }

    #[test]
    fn an_account_that_lacks_something_is_told_what() {
        let lacks = |credentials: &str| match Session::of(&samples::account(credentials)) {
            Ok(_) => String::new(),
            Err(fault) => fault.to_string(),
        };
        assert!(lacks(r#"{"api_key":"a","api_secret":"s"}"#).contains("no url"));
        assert!(lacks(r#"{"url":"wss://x"}"#).contains("no api_key"));
    }

    #[test]
    fn an_empty_list_may_be_left_out() {
        assert!(items(&Reply::new(200, "{}")).unwrap().is_empty());
        assert_eq!(items(&Reply::new(200, r#"{"items":[{},{}]}"#)).unwrap().len(), 2);
        for body in ["[]", "", r#"{"items":[1]}"#, r#"{"items":{}}"#] {
            assert_eq!(items(&Reply::new(200, body)).unwrap_err().label(), "unclear", "{body}");
        }
    }
}
