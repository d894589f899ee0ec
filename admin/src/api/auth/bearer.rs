//! What the header `Authorization` says.

use axum::http::{HeaderMap, header};

use crate::api::error::Problem;

/// The key or token of a request.
///
/// # Errors
/// When there is none.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .ok_or_else(|| Problem::unauthorized("wanted the header Authorization: Bearer <key>"))
}
