//! What is sent to a provider's REST API.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::provider::Api;
use crate::secret::Secret;

/// What stays as it is in a segment of a path: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a request may bring about when it is repeated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing more: it reads, or sets what is set then already. Whoever sends it repeats it at will.
    Repeatable,
    /// Something that costs, or is there twice: it is recorded before it is sent, and never repeated blindly.
    Once,
}

/// A request to a provider's REST API.
#[derive(Clone)]
pub struct Request {
    /// What it does, as a metric's label and in logs: `twilio.numbers.buy`.
    pub operation: &'static str,
    /// Whether it may be repeated.
    pub effect: Effect,
    /// Its method.
    pub method: Method,
    /// The API.
    pub api: Api,
    /// The base URL in the place of [`Api::base`], where each account has a host of its own; the setting
    /// [`Api::base_setting`] stands above both. A tenant may have written it: who sends it keeps private addresses out.
    pub base: Option<String>,
    /// Where, below the API's base URL: path and query, escaped.
    pub target: String,
    /// The value of its `Authorization` header, or of what the provider has instead.
    pub headers: Vec<(&'static str, Secret)>,
    /// Its body's media type and bytes.
    pub body: Option<(&'static str, Vec<u8>)>,
}

impl Request {
    /// A request without query, headers and body, which may be repeated unless it is a POST.
    #[must_use]
    pub fn new(operation: &'static str, method: Method, api: Api, path: impl Into<String>) -> Self {
        let effect = if method == Method::POST { Effect::Once } else { Effect::Repeatable };
        Self {
            operation,
            effect,
            method,
            api,
            base: None,
            target: path.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// This request at another base URL than its API's, without a slash at the end.
    #[must_use]
    pub fn base(self, base: impl Into<String>) -> Self {
        Self { base: Some(base.into()), ..self }
    }

    /// This request, said to be repeatable or not where its method doesn't tell.
    #[must_use]
    pub fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// This request with parameters in its query, behind those that it has.
    #[must_use]
    pub fn query<'p>(mut self, parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let encoded = encode(parameters);
        if !encoded.is_empty() {
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(&encoded);
        }
        self
    }

    /// This request with a header whose value nobody else is to see.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, Secret::new(value)));
        self
    }

    /// This request as somebody who says a name and a password: RFC 7617.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", format!("Basic {pair}"))
    }

    /// This request with a bearer token: RFC 6750.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// This request with a form for its body.
    #[must_use]
    pub fn form<'p>(self, parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let body = encode(parameters).into_bytes();
        Self { body: Some(("application/x-www-form-urlencoded", body)), ..self }
    }

    /// This request with a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        Self { body: Some(("application/json", body.to_string().into_bytes())), ..self }
    }

    /// This request with an XML body.
    #[must_use]
    pub fn xml(self, body: String) -> Self {
        Self { body: Some(("application/xml", body.into_bytes())), ..self }
    }
}

/// Without headers and body, which hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("effect", &self.effect)
            .field("method", &self.method)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// One segment of a path, escaped.
#[must_use]
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

fn encode<'p>(parameters: impl IntoIterator<Item = (&'p str, &'p str)>) -> String {
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api { base_setting: "X_API_BASE", base: "https://api.x.example" };

    #[test]
    fn queries_forms_and_segments_are_escaped() {
        let path = format!("/numbers/{}", segment("+1 2/3"));
        let request = Request::new("x.numbers.list", Method::GET, API, path);
        let request = request.query([]).query([("a", "+1")]).query([("b[c]", "d e")]);
        assert_eq!(request.target, "/numbers/%2B1%202%2F3?a=%2B1&b%5Bc%5D=d+e");
        let request = request.form([("To", "+1"), ("Name", "dp:1")]);
        let body = (request.body).map(|(kind, bytes)| (kind, String::from_utf8(bytes).unwrap()));
        assert_eq!(body, Some(("application/x-www-form-urlencoded", "To=%2B1&Name=dp%3A1".to_owned())));
    }

    #[test]
    fn only_a_post_is_taken_for_one_that_may_not_be_repeated() {
        let effect = |method| Request::new("x", method, API, "/").effect;
        assert_eq!(effect(Method::POST), Effect::Once);
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(effect(method), Effect::Repeatable);
        }
        let update = Request::new("x", Method::POST, API, "/").effect(Effect::Repeatable);
        assert_eq!(update.effect, Effect::Repeatable);
    }

    #[test]
    fn an_account_s_own_host_stands_beside_the_api_s() {
        let request = Request::new("x", Method::GET, API, "/a");
        assert_eq!(request.base, None);
        let request = request.base("https://mine.x.example");
        assert_eq!((request.base.as_deref(), &*request.target), (Some("https://mine.x.example"), "/a"));
    }

    #[test]
    fn prints_neither_headers_nor_body() {
        let request = Request::new("x", Method::GET, API, "/").bearer("hunter2").form([("p", "hunter2")]);
        assert!(!format!("{request:?}").contains("hunter2"));
        let basic = Request::new("x", Method::GET, API, "/").basic("AC1", "t:1");
        assert_eq!(basic.headers[0].1.expose(), b"Basic QUMxOnQ6MQ==");
    }
}
