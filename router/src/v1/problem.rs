//! What is wrong with a request: problem details with a stable code. Source: RFC 9457.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// No snapshot is held yet.
    #[error("no routing data yet")]
    NotReady,
    /// Another method.
    #[error("wanted {0}")]
    Method(Method),
    /// No bearer token.
    #[error("wanted an Authorization header with a bearer token: an API key, or an agent's token")]
    NoToken,
    /// A token that nobody has.
    #[error("nobody has this token, or it was taken back")]
    UnknownToken,
    /// A token that isn't enough.
    #[error("an agent's token reads its numbers' settings; routes want an API key")]
    Forbidden,
    /// The request can't be understood.
    #[error("{0}")]
    Malformed(String),
    /// The number isn't there, or isn't for whoever asks.
    #[error("no such number among those that this token may read")]
    NotFound,
}

impl Problem {
    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::UnknownToken => (StatusCode::UNAUTHORIZED, "unknown_token"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        }
    }

    /// The response.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let (status, code) = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "code": code,
            "detail": self.to_string(),
        });
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::Method(method) = &self
            && let Ok(method) = HeaderValue::from_str(method.as_str())
        {
            headers.insert(ALLOW, method);
        }
        response
    }
}
