//! What every request to write says beside its body: who asks, from where and under which id, whether to wait for the
//! routers, which representation the change starts from (`If-Match`), and whether it is a repetition
//! (`Idempotency-Key`).

use std::time::Duration;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Principal;
use super::envelope::RequestId;
use super::error::Problem;
use super::etag::IfMatch;
use super::idempotency::Idempotency;
use super::parameters::{self, Nothing};
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

/// What holds for a write, whatever it writes.
#[derive(Debug)]
pub(super) struct Terms {
    pub principal: Principal,
    pub origin: Origin,
    /// The request's path, from the root.
    pub path: String,
    /// How long to wait for the routers; absent: not at all.
    pub timeout: Option<Duration>,
    pub idempotency: Option<Idempotency>,
    pub if_match: Option<IfMatch>,
}

impl<Q> Order<Q> {
    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.terms.principal
    }

    /// Who asks, in which request, from where.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.terms.origin
    }

    /// Whether `If-Match` was sent.
    #[must_use]
    pub const fn is_conditional(&self) -> bool {
        self.terms.if_match.is_some()
    }

    /// Refuses `If-Match`, for what isn't one [`super::writes::Write`].
    ///
    /// # Errors
    /// `precondition_not_supported`.
    pub fn refuse_precondition(&self) -> Result<(), Problem> {
        if self.terms.if_match.is_some() { Err(Problem::no_precondition()) } else { Ok(()) }
    }
}

impl<Q: DeserializeOwned> FromRequestParts<Api> for Order<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, api).await?;
        let (waiting, own) = parameters::split(&parts.uri, &["wait", "timeout_ms"]);
        let timeout = parameters::read::<WaitQuery>(&waiting)?.timeout()?;
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
        Ok(Self { query: parameters::read(&own)?, terms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_within_limits() {
        let timeout = |text: &str| parameters::read::<WaitQuery>(text).and_then(|query| query.timeout());
        assert_eq!(timeout("").unwrap(), None);
        assert_eq!(timeout("timeout_ms=100").unwrap(), None);
        assert_eq!(timeout("wait=applied").unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(timeout("wait=applied&timeout_ms=100").unwrap(), Some(Duration::from_millis(100)));
        for text in ["wait=soon", "timeout_ms=x", "timeout_ms=30001", "wait=applied&wait=applied"] {
            assert_eq!(timeout(text).unwrap_err().code(), "invalid_query", "{text}");
        }
    }
}
