//! A request as a handler reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// A request below one API's base.
#[derive(Clone, Debug)]
pub struct Request {
    /// How it was asked.
    pub method: Method,
    /// The path behind the base, undecoded: `/2010-04-01/Accounts.json`.
    pub path: String,
    /// The query, undecoded.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// The path's segments, decoded.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.trim_matches('/');
        path.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect()
    }

    /// What the query says.
    pub fn query(&self) -> Params {
        Params::parse(self.query.as_bytes())
    }

    /// What the body says when it is a form.
    pub fn form(&self) -> Params {
        Params::parse(&self.body)
    }

    /// The body when it is a JSON object; an empty one when there is no body.
    ///
    /// # Errors
    /// What the parser says.
    pub fn json(&self) -> Result<Map<String, Value>, String> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Map::new());
        }
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// User and password of HTTP Basic.
    pub fn basic(&self) -> Option<(String, String)> {
        let decoded = STANDARD.decode(self.authorization("basic")?).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        self.authorization("bearer")
    }

    /// What stands behind this scheme, in any case. Source: RFC 9110, 11.1.
    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim()).filter(|rest| !rest.is_empty())
    }
}

/// Parameters of a query or a form, decoded, in their order.
#[derive(Clone, Debug, Default)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The last of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The last of this name that says something.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A whole number, or the default when it is missing or none.
    pub fn count(&self, name: &str, default: usize) -> usize {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Whether it is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(authorization: &str) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().unwrap());
        Request {
            method: Method::POST,
            path: "/a%2Fb/%2B1415/".into(),
            query: "a=1&a=2&b=&c=%2B1".into(),
            headers,
            body: Bytes::from_static(b"To=%2B1415&Name=a+b"),
        }
    }

    #[test]
    fn paths_queries_and_forms_are_decoded() {
        let request = request("basic QUMxOmE6Yg==");
        assert_eq!(request.segments(), ["a/b", "+1415"]);
        let query = request.query();
        assert_eq!((query.get("a"), query.get("b"), query.filled("b")), (Some("2"), Some(""), None));
        assert_eq!(request.form().get("Name"), Some("a b"));
        assert_eq!(request.basic(), Some(("AC1".into(), "a:b".into())));
        assert_eq!(request.bearer(), None);
        assert!(request.json().is_err());
    }
}
