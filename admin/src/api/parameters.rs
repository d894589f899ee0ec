//! Queries, read strictly: an unknown parameter is refused.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Api;
use super::error::Problem;

/// A query, of which unknown parameters are refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// No parameters.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The parameters of these names, and the others.
#[must_use]
pub fn split(uri: &Uri, names: &[&str]) -> (String, String) {
    let is_named = |pair: &&str| names.contains(&pair.split('=').next().unwrap_or_default());
    let (named, others): (Vec<_>, Vec<_>) = uri.query().unwrap_or_default().split('&').partition(is_named);
    (named.join("&"), others.join("&"))
}

/// Reads parameters.
///
/// # Errors
/// `invalid_query`.
pub fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let uri: Uri = format!("/?{query}").parse().map_err(|_| refuse("the query can't be read".into()))?;
    let read = axum::extract::Query::try_from_uri(&uri);
    read.map(|query| query.0).map_err(|rejection| refuse(rejection.body_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_apart() {
        let uri = "/x?wait=applied&dry_run=true&timeout_ms=100&waiting=1".parse().unwrap();
        let (named, others) = split(&uri, &["wait", "timeout_ms"]);
        assert_eq!((&*named, &*others), ("wait=applied&timeout_ms=100", "dry_run=true&waiting=1"));
        assert_eq!(read::<Nothing>(&others).unwrap_err().code(), "invalid_query");
        read::<Nothing>("").unwrap();
    }
}
