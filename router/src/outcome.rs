//! How a webhook ended: one label in metrics, one place that chooses the status.

use std::borrow::Cow;

use bytes::Bytes;
use dialplane_common::provider::reply::{Refusal, Rendered};
use dialplane_common::provider::request::{ParseError, VerifyError};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// Says in a response how the webhook ended, where it wasn't simply answered.
static OUTCOME: HeaderName = HeaderName::from_static("dialplane-outcome");

/// How a webhook ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// With what its rules say, or with the acknowledgement that it wants.
    Answered,
    /// Rejected: nobody has the number, or it isn't bound to the account.
    UnknownNumber,
    /// Rejected: the number isn't active.
    InactiveNumber,
    /// Rejected: its tenant is suspended.
    SuspendedTenant,
    /// Rejected: no rule holds, or nothing that the rule wants can be done.
    NoRoute,
    /// Refused: nobody here has that account.
    UnknownAccount,
    /// Refused: no signature, or more than one.
    SignatureMissing,
    /// Refused: the signature isn't right.
    SignatureWrong,
    /// Refused: it can't be understood.
    Malformed,
    /// Refused: the body is larger than such a webhook can be.
    TooLarge,
    /// Refused: the body came too slowly, or not whole.
    Incomplete,
    /// Refused: neither GET nor POST.
    Method,
    /// Refused: no snapshot is held yet.
    NotReady,
    /// Refused: more came than can be answered in time.
    Overloaded,
}

impl Outcome {
    /// All, for metrics: every series starts at zero.
    pub const ALL: [Self; 14] = [
        Self::Answered,
        Self::UnknownNumber,
        Self::InactiveNumber,
        Self::SuspendedTenant,
        Self::NoRoute,
        Self::UnknownAccount,
        Self::SignatureMissing,
        Self::SignatureWrong,
        Self::Malformed,
        Self::TooLarge,
        Self::Incomplete,
        Self::Method,
        Self::NotReady,
        Self::Overloaded,
    ];

    /// The metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::UnknownNumber => "unknown_number",
            Self::InactiveNumber => "inactive_number",
            Self::SuspendedTenant => "suspended_tenant",
            Self::NoRoute => "no_route",
            Self::UnknownAccount => "unknown_account",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureWrong => "signature_wrong",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Incomplete => "incomplete",
            Self::Method => "method_not_allowed",
            Self::NotReady => "not_ready",
            Self::Overloaded => "overloaded",
        }
    }

    /// The status of a refusal. Rejected calls have the status of their document, which is 200: the caller shall hear
    /// what the document says, not the provider's apology.
    const fn status(self) -> StatusCode {
        match self {
            Self::Answered
            | Self::UnknownNumber
            | Self::InactiveNumber
            | Self::SuspendedTenant
            | Self::NoRoute => StatusCode::OK,
            Self::UnknownAccount => StatusCode::NOT_FOUND,
            Self::SignatureMissing | Self::SignatureWrong => StatusCode::FORBIDDEN,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::REQUEST_TIMEOUT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotReady | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownNumber => Self::UnknownNumber,
            Refusal::InactiveNumber => Self::InactiveNumber,
            Refusal::SuspendedTenant => Self::SuspendedTenant,
            Refusal::NoRoute => Self::NoRoute,
        }
    }
}

/// A webhook's end and what is sent back.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// What is sent back.
    pub rendered: Rendered,
}

impl Answer {
    /// A document.
    #[must_use]
    pub const fn document(outcome: Outcome, rendered: Rendered) -> Self {
        Self { outcome, rendered }
    }

    /// A refusal with its reason as plain text, which the provider's debugger shows.
    #[must_use]
    pub fn refusal(outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Self {
        let body = match reason.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        let content_type = Some("text/plain; charset=utf-8");
        Self {
            outcome,
            rendered: Rendered {
                status: outcome.status().as_u16(),
                content_type,
                body,
                commands: Vec::new(),
            },
        }
    }

    /// The HTTP response.
    #[must_use]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let body = match self.rendered.body {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = StatusCode::from_u16(self.rendered.status).unwrap_or(StatusCode::OK);
        if let Some(content_type) = self.rendered.content_type {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if self.outcome != Outcome::Answered {
            response.headers_mut().insert(&OUTCOME, HeaderValue::from_static(self.outcome.label()));
        }
        response
    }
}

impl From<VerifyError> for Answer {
    fn from(error: VerifyError) -> Self {
        let outcome = match error {
            VerifyError::Missing => Outcome::SignatureMissing,
            VerifyError::Mismatch | VerifyError::UnknownKey | VerifyError::Stale { .. } => {
                Outcome::SignatureWrong
            }
        };
        Self::refusal(outcome, error.to_string())
    }
}

impl From<ParseError> for Answer {
    fn from(error: ParseError) -> Self {
        let mut answer = Self::refusal(Outcome::Malformed, error.to_string());
        if matches!(error, ParseError::ContentType(_)) {
            answer.rendered.status = StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16();
        }
        answer
    }
}
