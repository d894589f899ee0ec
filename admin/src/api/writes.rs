//! Writes that routers see: refused when the fleet can't read them, told apart by revision, waited for when asked.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use dialplane_common::feed::Revision;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::auth::Principal;
use super::error::Problem;
use crate::fleet::Applied;
use crate::store::WriteTx;

const REVISION: HeaderName = HeaderName::from_static("dialplane-revision");
const APPLIED: HeaderName = HeaderName::from_static("dialplane-applied");
const WAITING_FOR: HeaderName = HeaderName::from_static("dialplane-waiting-for");

const WAIT_MS_DEFAULT: u64 = 5_000;
const WAIT_MS_MAX: u64 = 30_000;

/// Whether to wait for the routers.
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

/// A write that routers see: a transaction, and what to do once it is committed.
pub struct RoutingWrite<'a> {
    api: &'a Api,
    /// The transaction.
    pub tx: WriteTx,
    timeout: Option<Duration>,
}

impl Api {
    /// Begins a write that routers see.
    ///
    /// # Errors
    /// `fleet_too_old` when a live router couldn't read it.
    pub async fn write_routing(
        &self,
        principal: &Principal,
        wait: WaitQuery,
    ) -> Result<RoutingWrite<'_>, Problem> {
        let too_old = self.fleet.view().too_old();
        if !too_old.is_empty() {
            let detail = format!("these routers can't read what this version writes: {}", too_old.join(", "));
            return Err(Problem::new(StatusCode::CONFLICT, "fleet_too_old", detail));
        }
        self.write_revoking(principal, wait).await
    }

    /// Begins a write that takes away what a router may do. It isn't held up by routers that are too old: what is gone
    /// they understand, and what leaked can't wait.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn write_revoking(
        &self,
        principal: &Principal,
        wait: WaitQuery,
    ) -> Result<RoutingWrite<'_>, Problem> {
        let timeout = wait.timeout()?;
        let tx = self.store.write(principal.scope()).await?;
        Ok(RoutingWrite { api: self, tx, timeout })
    }
}

impl RoutingWrite<'_> {
    /// Commits, wakes the publisher, and waits if asked. The headers tell the revision and how the waiting ended.
    ///
    /// # Errors
    /// When Postgres refuses or is away.
    pub async fn commit(self) -> Result<HeaderMap, Problem> {
        let revision = self.tx.commit().await?;
        let mut headers = HeaderMap::new();
        let Some(revision) = revision else { return Ok(headers) };
        self.api.wake.notify_one();
        headers.insert(REVISION, HeaderValue::from(revision.0));
        if let Some(timeout) = self.timeout {
            await_routers(self.api, revision, timeout, &mut headers).await;
        }
        Ok(headers)
    }
}

async fn await_routers(api: &Api, revision: Revision, timeout: Duration, headers: &mut HeaderMap) {
    let value = match api.fleet.applied(revision, timeout).await {
        Applied::Yes => "true",
        Applied::NoLiveRouters => "no-live-routers",
        Applied::NotBy(routers) => {
            if let Ok(names) = HeaderValue::from_str(&routers.join(",")) {
                headers.insert(WAITING_FOR, names);
            }
            "false"
        }
    };
    headers.insert(APPLIED, HeaderValue::from_static(value));
}
