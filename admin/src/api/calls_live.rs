//! Calls under way: as a list, or as server-sent events that say what becomes of them.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse;
use axum::response::{IntoResponse, Response};
use dialplane_common::ids::TenantId;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::auth::{InTenant, Operator, Principal, Viewer};
use super::calls::is_there;
use super::error::Problem;
use super::events::{Key, Open, RETRY, key_of, open, respond};
use super::parameters::{Nothing, Query};
use crate::calls::live::{News, SHOWN_MAX, View};
use crate::store::calls::{self, Call};

/// Calls under way.
#[derive(Serialize, ToSchema)]
pub struct LiveCalls {
    /// The newest 1,000, newest first.
    items: Vec<Call>,
}

/// Follow a tenant's calls under way.
///
/// With `Accept: text/event-stream` a stream of server-sent events: first each call that is under way, then each change
/// once it is stored. The data of an event is `{"call": {...}}`, the call as it is now (with `ended_at` it is over, and not
/// told of again), or `{"gone": "<id>"}` where a record has become part of another one. Otherwise the calls under way, once.
/// A call whose end isn't told counts as under way for a day. The same messages are on Redis's channel `calls:{tenant_id}`.
#[utoipa::path(get, path = "/tenants/{tenant_id}/calls/live", tag = "Calls", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, content((LiveCalls = "application/json"), (News = "text/event-stream")))))]
pub async fn follow_of_tenant(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    Query(Nothing {}): Query<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    is_there(&api, &tenant).await?;
    answer(api, Some(tenant.id), tenant.principal, &headers).await
}

/// Follow calls under way of all tenants, and those that are nobody's. Operators only.
///
/// As a tenant's, on the channels `calls:{tenant_id}` of all and `calls:nobody`.
#[utoipa::path(get, path = "/calls/live", tag = "Calls",
    responses((status = 200, content((LiveCalls = "application/json"), (News = "text/event-stream")))))]
pub async fn follow(
    State(api): State<Api>,
    Operator(principal): Operator,
    Query(Nothing {}): Query<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(api, None, principal, &headers).await
}

async fn answer(
    api: Api,
    tenant: Option<TenantId>,
    principal: Principal,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/event-stream") {
        let mut tx = api.store.read(principal.scope()).await?;
        let items = calls::under_way(tx.conn(), tenant.map(|tenant| tenant.0), SHOWN_MAX).await?;
        return Ok(Json(LiveCalls { items }).into_response());
    }
    let open = open(&api, &principal)?;
    let view = api.under_way.view(api.store.clone(), principal.scope(), tenant).await;
    let view = view.map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "redis_unavailable", "Redis is away: try again")
    })?;
    let start = sse::Event::default().retry(RETRY).comment("calls under way");
    let following = Following { view, key: key_of(api, principal, headers), _open: open };
    Ok(respond(stream::once(async { Ok(start) }).chain(following.stream())))
}

/// What a stream sends.
struct Following {
    view: View,
    key: Key,
    _open: Open,
}

impl Following {
    fn stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
        stream::unfold(self, async |mut following| {
            let news = following.next().await?;
            let data = serde_json::to_string(&news).ok()?;
            Some((Ok(sse::Event::default().data(data)), following))
        })
    }

    /// The next news; `None` when the stream ends: the process stops, the key is over, Postgres or Redis is away.
    async fn next(&mut self) -> Option<News> {
        let realtime = self.key.api.realtime.clone();
        loop {
            let news = tokio::select! {
                biased;
                () = realtime.stops() => return None,
                () = self.key.due() => None,
                news = self.view.next() => Some(news.ok()??),
            };
            match news {
                Some(news) => return Some(news),
                None if !self.key.is_good().await => return None,
                None => {}
            }
        }
    }
}
