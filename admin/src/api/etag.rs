//! Entity tags (RFC 9110, 8.8.3 and 13.1): which representation of a resource somebody has seen.
//!
//! A tag is a hash of the representation's bytes, so that nothing has to be counted, and the same bytes have the same
//! tag in every process.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Problem;

/// A strong tag, with its quotation marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ETag(String);

impl ETag {
    /// The tag of a representation.
    #[must_use]
    pub fn of(representation: &[u8]) -> Self {
        let digits = blake3::hash(representation).to_hex();
        Self(format!("\"{}\"", &digits[..32]))
    }

    /// With its quotation marks.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The representations that a change may start from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IfMatch(Tags);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Tags {
    Any,
    /// As sent, a weak one with its `W/`.
    These(Vec<String>),
}

impl IfMatch {
    /// Reads the header, if it is there.
    ///
    /// # Errors
    /// `invalid_if_match`.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let detail =
            "If-Match: wanted the ETag of a GET with its quotation marks, several with commas between, or *";
        let refuse = || Problem::new(StatusCode::BAD_REQUEST, "invalid_if_match", detail);
        if !headers.contains_key(IF_MATCH) {
            return Ok(None);
        }
        tags(headers, IF_MATCH).map(|tags| Some(Self(tags))).ok_or_else(refuse)
    }

    /// Whether the current representation is among them; absent: there is none. A weak tag never is.
    #[must_use]
    pub fn holds(&self, current: Option<&ETag>) -> bool {
        match (&self.0, current) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(current)) => tags.contains(&current.0),
        }
    }
}

/// Tags what a GET shows, and leaves out what `If-None-Match` says is known already. Other answers go through, those that
/// come little by little among them.
pub async fn tag_shown(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known = tags(request.headers(), IF_NONE_MATCH);
    let response = next.run(request).await;
    let is_json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !(is_get
        && is_json
        && response.status() == StatusCode::OK
        && response.body().size_hint().exact().is_some())
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It is there already, all of it.
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Problem::internal().into_response();
    };
    let etag = ETag::of(&body);
    if let Ok(value) = HeaderValue::from_str(etag.as_str()) {
        parts.headers.insert(ETAG, value);
    }
    // A header that can't be read says nothing.
    let is_known = match known {
        Some(Tags::Any) => true,
        Some(Tags::These(tags)) => tags.iter().any(|tag| tag.trim_start_matches("W/") == etag.0),
        None => false,
    };
    if !is_known {
        return Response::from_parts(parts, body.into());
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// All of a header's tags, however many lines it has; `None` when it isn't a list of tags.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Tags> {
    let lines: Option<Vec<_>> = headers.get_all(name).iter().map(|line| line.to_str().ok()).collect();
    let text = lines?.join(",");
    if text.trim() == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let opaque = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let length = opaque.find('"')?;
        // Visible characters; a quotation mark ends it.
        if !opaque.bytes().take(length).all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let end = rest.len() - opaque.len() + length + 1;
        tags.push(rest.get(..end)?.to_owned());
        let after = rest.get(end..)?.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    (!tags.is_empty()).then_some(Tags::These(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(lines: &[&str]) -> Result<Option<IfMatch>, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_MATCH, HeaderValue::from_str(line).unwrap());
        }
        IfMatch::of(&headers)
    }

    #[test]
    fn the_current_tag_among_any_others_holds() {
        let current = ETag::of(b"{}");
        let tag = &current.0;
        let check = |lines: &[&str], expected: bool| {
            let found = if_match(lines).unwrap().unwrap();
            assert_eq!(found.holds(Some(&current)), expected, "{lines:?}");
            assert!(!found.holds(None));
        };
        check(&[tag], true);
        check(&["*"], true);
        check(&["\"x\"", tag], true);
        check(&[&format!("\"a,b\" , {tag}")], true);
        check(&[&format!("W/{tag}")], false);
        check(&["\"\""], false);
        assert_eq!(if_match(&[]).unwrap(), None);
    }

    #[test]
    fn refuses_what_is_no_list_of_tags() {
        for text in ["", "x", "\"x", "\"a\" \"b\"", "*, \"a\"", "w/\"a\"", "\"a b\"", ","] {
            assert_eq!(if_match(&[text]).unwrap_err().code(), "invalid_if_match", "{text}");
        }
    }
}
