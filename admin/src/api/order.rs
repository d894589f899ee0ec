//! What every request to write says beside its body: who asks, from where and under which id, whether to wait for the
//! routers, which representation the change starts from (`If-Match`), and whether it is a repetition
//! (`Idempotency-Key`).

use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Principal;
use super::envelope::RequestId;
use super::error::Problem;
use super::etag::IfMatch;
use super::idempotency::Idempotency;
use crate::listener::Peer;
use crate::store::Origin;

const WAIT_MS_DEFAULT: u64 = 5_000;
const WAIT_MS_MAX: u64 = 30_000;

/// Whether to wait for the routers: parameters of every write.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// `applied`: answer once every live router serves the change. The header `Dialplane-Applied` then says `true`,
    /// `false` (and `Dialplane-Waiting-For` names the routers that didn't by the deadline) or `no-live-routers`.
    pub wait: Option<WaitFor>,
    /// The deadline in milliseconds, at most 30000; absent: 5000.
    #[param(maximum = 30000, default = 5000)]
    pub timeout_ms: Option<u64>,
}

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaitFor {
    /// Every live router serves the change.
    Applied,
}

impl WaitQuery {
    fn timeout(&self) -> Result<Option<Duration>, Problem> {
        let timeout_ms = self.timeout_ms.unwrap_or(WAIT_MS_DEFAULT);
        if timeout_ms > WAIT_MS_MAX {
            let detail = format!("timeout_ms: wanted at most {WAIT_MS_MAX}");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
        }
        Ok(self.wait.map(|WaitFor::Applied| Duration::from_millis(timeout_ms)))
    }
}

/// A request to write. `Q` are the parameters that it takes beside [`WaitQuery`]'s; others are refused.
#[derive(Debug)]
pub struct Order<Q = Nothing> {
    /// Its own parameters.
    pub query: Q,
    /// All the rest.
    pub(super) terms: Terms,
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// What holds for a write, whatever it writes.
#[derive(Debug)]
pub(super) struct Terms {
    pub principal: Principal,
    pub origin: Origin,
    /// The request's path, from the root.
    pub path: String,
    /// How long to wait for the routers; absent: not at all.
    pub timeout: Option<Duration>,
    #[expect(dead_code, reason = "kept from the next change on")]
    pub idempotency: Option<Idempotency>,
    pub if_match: Option<IfMatch>,
}

impl<Q> Order<Q> {
    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.terms.principal
    }
}

impl<Q: DeserializeOwned> FromRequestParts<Api> for Order<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, api).await?;
        let (waiting, own) = split(parts.uri.query().unwrap_or_default());
        let timeout = query::<WaitQuery>(&waiting)?.timeout()?;
        let path = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.path());
        let path = path.to_owned();
        let idempotency = match parts.method {
            Method::POST => Idempotency::of(parts, &path)?,
            // The others are idempotent by themselves.
            _ => None,
        };
        let origin = Origin {
            actor: principal.actor.clone(),
            request_id: parts.extensions.get().map(|RequestId(id)| id.clone()),
            address: parts.extensions.get().map(|Peer(address)| *address),
        };
        let if_match = IfMatch::of(&parts.headers)?;
        let terms = Terms { principal, origin, path, timeout, idempotency, if_match };
        Ok(Self { query: query(&own)?, terms })
    }
}

/// The parameters of [`WaitQuery`], and the others.
fn split(text: &str) -> (String, String) {
    let is_waiting = |pair: &&str| matches!(pair.split('=').next(), Some("wait" | "timeout_ms"));
    let (waiting, own): (Vec<_>, Vec<_>) = text.split('&').partition(is_waiting);
    (waiting.join("&"), own.join("&"))
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let uri: Uri = format!("/?{text}").parse().map_err(|_| refuse("the query can't be read".into()))?;
    let read = axum::extract::Query::try_from_uri(&uri);
    read.map(|query| query.0).map_err(|rejection| refuse(rejection.body_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {
        dry_run: Option<bool>,
    }

    #[test]
    fn parameters_are_told_apart() {
        let (waiting, own) = split("wait=applied&dry_run=true&timeout_ms=100");
        assert_eq!(
            query::<WaitQuery>(&waiting).unwrap().timeout().unwrap(),
            Some(Duration::from_millis(100))
        );
        assert_eq!(query::<Own>(&own).unwrap().dry_run, Some(true));
        assert_eq!(query::<Nothing>(&own).unwrap_err().code(), "invalid_query");
        for text in ["wait=soon", "timeout_ms=x", "wait=applied&wait=applied"] {
            assert_eq!(query::<WaitQuery>(text).unwrap_err().code(), "invalid_query", "{text}");
        }
        assert_eq!(query::<Nothing>("").map(|_| ()).map_err(|problem| problem.code()), Ok(()));
    }
}
