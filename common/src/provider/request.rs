//! A webhook as it came over the wire, and what can be wrong with it.

use std::borrow::Cow;

use http::{HeaderName, Method, header};

use super::form::{Form, FormError};
use super::headers::Headers;
use super::public_url::PublicUrl;

/// A webhook request.
#[derive(Debug)]
pub struct WebhookRequest<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Path and query, byte for byte as received.
    pub target: &'a str,
    /// The headers.
    pub headers: Headers<'a>,
    /// The raw body.
    pub body: &'a [u8],
    /// The origins by which the provider may have called: the signature covers one of them.
    pub public_urls: &'a [PublicUrl],
    /// What kind of body the request says it has.
    pub content: Content,
    /// The parameters: the body's for a form, the query's for a GET.
    pub form: Form,
}

impl<'a> WebhookRequest<'a> {
    /// Takes a request's parts and reads its parameters.
    ///
    /// # Errors
    /// [`ParseError`] when the body is a form and malformed, or is neither form nor JSON nor empty.
    pub fn new(
        method: &'a Method,
        target: &'a str,
        headers: impl Into<Headers<'a>>,
        body: &'a [u8],
        public_urls: &'a [PublicUrl],
    ) -> Result<Self, ParseError> {
        let headers = headers.into();
        let content = content(headers);
        let form = if method == Method::GET {
            Form::parse(query(target).as_bytes())?
        } else {
            match content {
                Content::Form => Form::parse(body)?,
                Content::Json => Form::default(),
                Content::Other if body.is_empty() => Form::default(),
                Content::Other => {
                    return Err(ParseError::ContentType(
                        "application/x-www-form-urlencoded or application/json",
                    ));
                }
            }
        };
        Ok(Self { method, target, headers, body, public_urls, content, form })
    }

    /// The first value of a query parameter, decoded; `None` when absent or malformed.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        Form::parse(query(self.target).as_bytes()).ok()?.get(name).map(str::to_owned)
    }

    /// The body as JSON. Duplicate keys and wrong types are refused; fields that `T` hasn't are passed over unbuilt.
    ///
    /// # Errors
    /// [`ParseError::Json`], saying where and what.
    pub fn json<T: serde::Deserialize<'a>>(&self) -> Result<T, ParseError> {
        serde_json::from_slice(self.body).map_err(|error| ParseError::Json(error.to_string()))
    }

    /// The header's one value. Absent, repeated or unprintable: `None`.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&'a str> {
        self.headers.one(name)
    }

    /// Whether the header is there, whatever its value.
    #[must_use]
    pub fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.has(name)
    }
}

/// What a body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`, or a type that is written as JSON (`application/webhook+json`).
    Json,
    /// Anything else, or not said.
    Other,
}

fn content(headers: Headers<'_>) -> Content {
    let value = headers.first(&header::CONTENT_TYPE).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Content::Form
    } else if essence.eq_ignore_ascii_case(b"application/json") || essence.ends_with(b"+json") {
        Content::Json
    } else {
        Content::Other
    }
}

/// The query of a request target, without the question mark; empty when there is none.
#[must_use]
pub fn query(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

/// Why a request doesn't prove where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// No signature, or more than one.
    #[error("wanted one signature header")]
    Missing,
    /// None of the account's secrets makes this signature.
    #[error("the signature does not match: wrong secret, wrong public URL, or changed on the way")]
    Mismatch,
    /// The signature names a secret that the account doesn't have.
    #[error("the signature names a key that the account does not have")]
    UnknownKey,
    /// Signed too long ago, or in the future.
    #[error(
        "signed {age_s} s ago, wanted at most {age_s_max} s either way: a replay, or a clock that is wrong"
    )]
    Stale {
        /// How long ago, in seconds; negative: in the future.
        age_s: i64,
        /// How long ago it may be.
        age_s_max: i64,
    },
}

impl VerifyError {
    /// Its metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::UnknownKey => "unknown_key",
            Self::Stale { .. } => "stale",
        }
    }
}

/// Why a request says nothing that can be answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// The body is of a kind that this webhook doesn't take.
    #[error("wanted Content-Type {0}")]
    ContentType(&'static str),
    /// The form is malformed.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The JSON is malformed, or isn't what this webhook sends.
    #[error("malformed JSON: {0}")]
    Json(String),
    /// It is well-formed, but of another provider or of another kind.
    #[error("not a request of this webhook: {0}")]
    Foreign(&'static str),
    /// A parameter that is needed isn't there.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter is there with different values.
    #[error("parameter {0} is there more than once, with different values")]
    Ambiguous(&'static str),
    /// A parameter has a value that it can't have.
    #[error("parameter {0} is malformed: {1}")]
    Invalid(&'static str, Cow<'static, str>),
}
