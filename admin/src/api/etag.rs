//! Entity tags (RFC 9110, 8.8.3 and 13.1): which representation of a resource somebody has seen.
//!
//! A tag is a hash of the representation's bytes, so that nothing has to be counted, and the same bytes have the same
//! tag in every process.

use axum::http::header::{HeaderMap, HeaderName, IF_MATCH};
use axum::http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::error::Problem;

/// A strong tag, with its quotation marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ETag(String);

impl ETag {
    /// The tag of a representation.
    #[must_use]
    pub fn of(representation: &[u8]) -> Self {
        let hash = Sha256::digest(representation);
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("\"{digits}\""))
    }

    /// As a header's value.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
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
