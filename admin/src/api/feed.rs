//! Where the feed is, and where each router is on it.

use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::State;
use dialplane_common::feed::report::RouterReport;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::Operator;
use super::error::Problem;
use super::page::Page;
use crate::fleet::{FleetView, RouterView};
use crate::store::feed;

/// Where the feed is.
#[derive(Serialize, ToSchema)]
pub struct Feed {
    /// The feed's life; null: it hasn't begun.
    epoch: Option<String>,
    /// The newest revision.
    revision: u64,
    /// What all records add up to, 32 hexadecimal digits.
    digest: String,
    /// The newest revision in Redis.
    published_revision: u64,
    /// The newest complete checkpoint's revision.
    checkpoint_revision: u64,
    /// Whether the process that answers is the one that publishes.
    publishing_here: bool,
    /// `ok` or `unreachable`, as seen from the process that answers.
    redis: &'static str,
}

/// A router, by its last report.
#[derive(Serialize, ToSchema)]
pub struct Router {
    /// Its name.
    id: String,
    /// The program's version.
    version: String,
    /// The newest feed version that it reads.
    feed_version: u8,
    /// The state that it serves; null while it holds none.
    serving: Option<Serving>,
    /// From commit to serving, of the last change, in microseconds.
    delay_us: Option<u64>,
    /// Records that it can't read; it serves their last good state.
    unreadable_records: u64,
    /// It can't go on with what lies in Redis.
    wants_checkpoint: bool,
    /// Its digest differs from the feed's again after a reload.
    digest_alarm: bool,
    /// Events of calls that it lost since it started; null while it keeps none.
    events_dropped: Option<u64>,
    /// Milliseconds since it reported.
    seen_ms_ago: u64,
    /// Whether it has reported lately; the others aren't waited for.
    live: bool,
    /// Whether it serves the feed's present life.
    current: bool,
    /// Revisions behind the newest; null while it serves none of the feed's present life.
    lag: Option<u64>,
}

/// A state that a router serves.
#[derive(Serialize, ToSchema)]
pub struct Serving {
    /// The feed's life.
    epoch: String,
    /// The state's number.
    revision: u64,
    /// What its records add up to, 32 hexadecimal digits.
    digest: String,
}

/// Get where the feed is. Operators only.
#[utoipa::path(get, path = "/feed", tag = "Fleet", responses((status = 200, body = Feed)))]
pub async fn get(State(api): State<Api>, Operator(principal): Operator) -> Result<Json<Feed>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    let state = feed::state(tx.conn()).await?;
    let published = feed::published(tx.conn()).await?;
    Ok(Json(Feed {
        epoch: published.epoch.map(|epoch| epoch.to_string()),
        revision: state.revision.0,
        digest: state.digest.to_string(),
        published_revision: published.revision.0,
        checkpoint_revision: published.checkpoint.0,
        publishing_here: api.is_publishing.load(Ordering::Relaxed),
        redis: if api.fleet.view().is_reachable { "ok" } else { "unreachable" },
    }))
}

/// List the routers that have reported within the hour. Operators only.
#[utoipa::path(get, path = "/routers", tag = "Fleet", responses((status = 200, body = Page<Router>)))]
pub async fn routers(
    State(api): State<Api>,
    Operator(principal): Operator,
) -> Result<Json<Page<Router>>, Problem> {
    let mut tx = api.store.read(principal.scope()).await?;
    let newest = feed::state(tx.conn()).await?.revision.0;
    let fleet = api.fleet.view();
    let items = fleet.routers.iter().map(|router| view(&fleet, router, newest)).collect();
    Ok(Json(Page { items, next: None }))
}

fn view(fleet: &FleetView, router: &RouterView, newest: u64) -> Router {
    let RouterReport {
        id,
        version,
        feed_version,
        serving,
        delay_us,
        unreadable_records,
        wants_checkpoint,
        digest_alarm,
        events_dropped,
    } = router.report.clone();
    let current = serving.filter(|serving| Some(serving.epoch) == fleet.epoch);
    Router {
        id,
        version,
        feed_version,
        serving: serving.map(|serving| Serving {
            epoch: serving.epoch.to_string(),
            revision: serving.revision.0,
            digest: serving.digest.to_string(),
        }),
        delay_us,
        unreadable_records,
        wants_checkpoint,
        digest_alarm,
        events_dropped,
        seen_ms_ago: fleet.age_ms(router),
        live: fleet.is_live(router),
        current: current.is_some(),
        lag: current.map(|serving| newest.saturating_sub(serving.revision.0)),
    }
}
