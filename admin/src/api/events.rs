//! Changes as server-sent events.
//!
//! The stream sends what is behind `Last-Event-ID`, or from now on, an event once whichever channels it is on. It ends
//! when its key is good no longer and when the process stops; whoever comes back with the last id goes on where it was.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use dialplane_common::form::Form;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::Api;
use super::auth::{InTenant, Operator, Principal, Role, Viewer};
use super::error::Problem;
use crate::metrics::Metrics;
use crate::realtime::channel::Channel;
use crate::realtime::event::{Event, EventDocument};
use crate::realtime::hub::Hub;
use crate::realtime::reader::{self, Reader};
use crate::realtime::slots::{Full, HOLDER_MAX, Slot, Slots};
use crate::store::{audit, tenants};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies that would collect an answer before they pass it on are told not to.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// What a client waits before it comes back.
pub(super) const RETRY: Duration = Duration::from_secs(2);
/// Sooner than proxies give up on a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a key that expires may go on; one that is deleted or changed is seen at once.
const KEY_INTERVAL: Duration = Duration::from_secs(5);
const CHANNELS_MAX: usize = 100;

/// What streams work with.
#[derive(Clone)]
pub struct Realtime {
    /// Hands out events.
    pub hub: Hub,
    /// Counts streams.
    pub slots: Slots,
    /// Whether the process stops.
    pub stopping: watch::Receiver<bool>,
}

impl Realtime {
    /// Resolves when the process begins to stop: every stream ends then, as the process waits for all that is under way.
    pub async fn stops(&self) {
        // A sender that is gone stops as well.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

/// What a stream was asked for.
#[derive(PartialEq, Eq, Debug)]
struct Wanted {
    channels: Vec<Channel>,
    /// Absent: from now on.
    after: Option<u64>,
}

/// Follow a tenant's changes, as server-sent events. `channel` may be there several times.
///
/// Each event's data is a JSON document; its id is the event's place among all changes. The first block has an id and no
/// data: where the stream begins. Coming back with the header `Last-Event-ID` (browsers do), a client gets all that came
/// meanwhile, once. Viewers and editors aren't told of API keys. The channels also are Redis's, by the same names.
#[utoipa::path(get, path = "/tenants/{tenant_id}/events", tag = "Events",
    params(
        ("tenant_id" = uuid::Uuid, Path),
        ("channel" = Option<Vec<String>>, Query, description = "`business:{tenant_id}` (the default): every change; \
            `phone:{phone_number_id}:settings`, `:voice`, `:hours`: those of a number. At most 100."),
        ("after" = Option<u64>, Query, description = "As the header `Last-Event-ID`, which goes before it."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen; absent: the \
            stream begins now."),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = EventDocument<'static>),
    ))]
pub async fn follow(
    State(api): State<Api>,
    tenant: InTenant<Viewer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = wanted(Channel::Business(tenant.id), query.as_deref().unwrap_or_default(), &headers)?;
    check(&api, &tenant, &wanted.channels).await?;
    stream_of(api, Some(tenant.id), tenant.principal, wanted, &headers).await
}

/// Follow changes of what is no tenant's, as server-sent events: the pool, the platform's accounts, shared agents, free
/// numbers that run out. Operators only.
///
/// As the events of a tenant, on the channel `platform`.
#[utoipa::path(get, path = "/events", tag = "Events",
    params(
        ("after" = Option<u64>, Query, description = "As the header `Last-Event-ID`, which goes before it."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The id of the last event that was seen; absent: the \
            stream begins now."),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = EventDocument<'static>),
    ))]
pub async fn follow_platform(
    State(api): State<Api>,
    Operator(principal): Operator,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = wanted(Channel::Platform, query.as_deref().unwrap_or_default(), &headers)?;
    if wanted.channels != [Channel::Platform] {
        let detail = "channel: wanted platform, or none";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail));
    }
    stream_of(api, None, principal, wanted, &headers).await
}

/// A key that opened a stream, as it is looked at while the stream lasts.
pub(super) fn key_of(api: Api, principal: Principal, headers: &HeaderMap) -> Key {
    let authorization = headers.get(header::AUTHORIZATION).cloned();
    let authorization = authorization.into_iter().map(|value| (header::AUTHORIZATION, value)).collect();
    let changed = api.realtime.hub.watch_keys();
    Key { api, authorization, principal, changed, next: next_look() }
}

/// The stream of an owner's events.
async fn stream_of(
    api: Api,
    owner: Option<TenantId>,
    principal: Principal,
    wanted: Wanted,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let end = reader::end(&api.store).await?;
    let position = wanted.after.unwrap_or(end);
    if position > end {
        let detail =
            format!("there is no event {position} yet: read anew what you show, and come back without an id");
        return Err(Problem::new(StatusCode::GONE, "event_unknown", detail));
    }
    let open = open(&api, &principal)?;
    let (store, hub) = (api.store.clone(), api.realtime.hub.clone());
    let reader = Reader::new(store, hub, principal.scope(), owner, position);
    let key = key_of(api, principal, headers);
    let stream = Events { reader, channels: wanted.channels, key, _open: open };
    Ok(answer(position, stream))
}

fn answer(position: u64, events: Events) -> Response {
    let start = sse::Event::default().id(position.to_string()).retry(RETRY);
    respond(stream::once(async { Ok(start) }).chain(events.stream()))
}

/// The answer that a stream is.
pub(super) fn respond(
    events: impl Stream<Item = Result<sse::Event, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(BUFFERING, HeaderValue::from_static("no"));
    response
}

/// What a query and its headers ask for; without a channel, `all` of the owner's.
fn wanted(all: Channel, query: &str, headers: &HeaderMap) -> Result<Wanted, Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    let id = |name: &str, text: &str| {
        let id = text.parse::<u64>().ok().filter(|id| i64::try_from(*id).is_ok());
        id.ok_or_else(|| refuse(format!("{name}: wanted the id of an event, a whole number")))
    };
    let query = Form::parse(query.as_bytes()).map_err(|error| refuse(error.to_string()))?;
    let (mut channels, mut after) = (Vec::new(), None);
    for (name, value) in query.iter() {
        match name {
            "channel" => {
                let channel = value.parse().map_err(|error| refuse(format!("channel: {error}")))?;
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
            }
            "after" => after = Some(id("after", value)?),
            _ => return Err(refuse(format!("{name}: unknown parameter, wanted channel or after"))),
        }
    }
    if channels.len() > CHANNELS_MAX {
        return Err(refuse(format!("channel: wanted at most {CHANNELS_MAX}")));
    }
    if channels.is_empty() {
        channels.push(all);
    }
    if let Some(last) = headers.get(LAST_EVENT_ID) {
        after = Some(id("Last-Event-ID", last.to_str().unwrap_or_default())?);
    }
    Ok(Wanted { channels, after })
}

/// A channel of what isn't this tenant's leads nowhere.
async fn check(api: &Api, tenant: &InTenant<Viewer>, channels: &[Channel]) -> Result<(), Problem> {
    let is_foreign = |channel: &Channel| match channel {
        Channel::Business(id) => *id != tenant.id,
        Channel::Platform => true,
        Channel::Settings(_) | Channel::Voice(_) | Channel::Hours(_) => false,
    };
    if channels.iter().any(is_foreign) {
        return Err(Problem::not_found());
    }
    let mut numbers: Vec<PhoneNumberId> =
        channels.iter().filter_map(|channel| channel.phone_number()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut tx = api.store.read(tenant.principal.scope()).await?;
    tenants::find(tx.conn(), tenant.id).await?;
    if audit::numbers_of_tenant(tx.conn(), tenant.id, &numbers).await?.len() < numbers.len() {
        return Err(Problem::not_found());
    }
    Ok(())
}

/// An open stream, counted while it lasts.
pub(super) struct Open {
    slot: Option<Slot>,
    slots: Slots,
    metrics: Arc<Metrics>,
}

pub(super) fn open(api: &Api, principal: &Principal) -> Result<Open, Problem> {
    let slots = api.realtime.slots.clone();
    let slot = slots.take(Sha256::digest(principal.actor.to_string()).into()).map_err(|full| match full {
        Full::Holder => {
            let detail = format!("this key has {HOLDER_MAX} streams open: close one first");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
        }
        Full::All => {
            let detail = "this process has as many streams open as it may: try again, or another process";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", detail)
        }
    })?;
    api.metrics.event_streams(slots.count());
    Ok(Open { slot: Some(slot), slots, metrics: Arc::clone(&api.metrics) })
}

impl Drop for Open {
    fn drop(&mut self) {
        self.slot = None;
        self.metrics.event_streams(self.slots.count());
    }
}

/// The key that opened a stream, looked at again while it lasts.
pub(super) struct Key {
    pub(super) api: Api,
    authorization: HeaderMap,
    principal: Principal,
    changed: watch::Receiver<()>,
    next: tokio::time::Instant,
}

fn next_look() -> tokio::time::Instant {
    tokio::time::Instant::now() + KEY_INTERVAL
}

impl Key {
    /// Resolves when the key has to be looked at. Dropping the future loses nothing.
    pub(super) async fn due(&mut self) {
        tokio::select! {
            () = tokio::time::sleep_until(self.next) => {}
            // Without a sender the process is at its end.
            _ = self.changed.changed() => self.next = tokio::time::Instant::now(),
        }
    }

    /// Whether the key still opens what it did. When that can't be known, it doesn't.
    pub(super) async fn is_good(&mut self) -> bool {
        self.next = next_look();
        let again = self.api.gate.admit_again(&self.api.store, &self.authorization).await;
        let Principal { role, tenant, .. } = self.principal;
        again.is_ok_and(|again| (again.role, again.tenant) == (role, tenant))
    }
}

/// What a stream sends.
struct Events {
    reader: Reader,
    channels: Vec<Channel>,
    key: Key,
    _open: Open,
}

impl Events {
    fn stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
        stream::unfold(self, async |mut events| {
            let event = events.next().await?;
            let event = sse::Event::default().id(event.seq.to_string()).data(&event.json);
            Some((Ok(event), events))
        })
    }

    /// The next event; `None` when the stream ends: the process stops, the key is over, Postgres is away.
    async fn next(&mut self) -> Option<Arc<Event>> {
        let realtime = self.key.api.realtime.clone();
        loop {
            let event = tokio::select! {
                biased;
                () = realtime.stops() => return None,
                () = self.key.due() => None,
                event = self.reader.next() => Some(event.ok()?),
            };
            match event {
                // Outside of the choice above, where the next event would cut it off.
                None if !self.key.is_good().await => return None,
                Some(event) if self.is_wanted(&event) => return Some(event),
                _ => {}
            }
        }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let may_read = event.resource != "api_key" || self.key.principal.role >= Role::Admin;
        may_read && self.channels.iter().any(|channel| event.channels.contains(channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));

    fn ask(query: &str, last: Option<&'static str>) -> Result<Wanted, Problem> {
        let headers = last.map(|last| (LAST_EVENT_ID, HeaderValue::from_static(last))).into_iter().collect();
        wanted(Channel::Business(TENANT), query, &headers)
    }

    #[test]
    fn listens_to_the_tenant_unless_told_otherwise() {
        let business = vec![Channel::Business(TENANT)];
        assert_eq!(ask("", None).unwrap(), Wanted { channels: business.clone(), after: None });
        assert_eq!(ask("after=3", None).unwrap(), Wanted { channels: business.clone(), after: Some(3) });
        assert_eq!(ask("after=3", Some("5")).unwrap(), Wanted { channels: business, after: Some(5) });
        let id = PhoneNumberId(Uuid::from_u128(2));
        let query = format!("channel=phone:{id}:hours&channel=phone%3A{id}%3Avoice&channel=phone:{id}:hours");
        assert_eq!(ask(&query, None).unwrap().channels, [Channel::Hours(id), Channel::Voice(id)]);
    }

    #[test]
    fn refuses_what_it_cant_follow() {
        let check = |query: &str, last: Option<&'static str>| {
            let problem = ask(query, last).unwrap_err();
            assert_eq!(
                (problem.status(), problem.code()),
                (StatusCode::BAD_REQUEST, "invalid_query"),
                "{query}"
            );
        };
        check("channel=phone:1:hours", None);
        check("after=x", None);
        check("after=-1", None);
        check("chanel=business", None);
        check("channel=%", None);
        check("", Some("x"));
        check("", Some(""));
    }
}
