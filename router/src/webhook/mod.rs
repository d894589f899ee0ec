//! The hot path: a webhook's bytes to the answer's bytes, from one snapshot, in memory.

mod after;
mod authenticate;
mod body;
mod call;
mod origin;
mod path;
mod step;
pub(crate) mod tell;
mod tools;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, SystemTime};

pub use body::{BodyError, LargeBodies};
use bytes::Bytes;
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::provider::headers::Headers;
use dialplane_common::provider::request::{Content, ParseError, WebhookRequest};
use dialplane_common::provider::{Body, Size};
use dialplane_common::time::UnixMillis;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
pub use origin::{Origins, Peer};
pub use path::{Endpoint, endpoint};
pub use tools::ToolWork;

use crate::events::Events;
use crate::live::LiveCallCounts;
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::outcome::{Answer, Outcome};
use crate::snapshot::{Snapshot, SnapshotStore};
use crate::v1;

/// What answers webhooks.
#[derive(Debug)]
pub struct Webhooks {
    /// What is known.
    pub store: SnapshotStore,
    /// What seals the rest of a route.
    pub keys: Arc<Keyring>,
    /// By which URLs providers call.
    pub origins: Origins,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How many large bodies arrive at a time.
    pub large_bodies: LargeBodies,
    /// Calls under way, of those that have a limit.
    pub live: LiveCallCounts,
    /// What is noted of calls; off unless somebody turns it on.
    pub events: Events,
    /// Requests to tenants' tools and to providers.
    pub outbound: Outbound,
    /// What is counted.
    pub metrics: Metrics,
    /// The second in which an answer without a right signature was last logged.
    pub unproven_logged_at: AtomicI64,
}

/// What a webhook leads to.
#[derive(Debug)]
pub enum Reaction {
    /// An answer from memory.
    Now(Answer),
    /// An answer that waits for a tenant's own server.
    Later(Box<ToolWork>),
}

impl Webhooks {
    /// Answers nothing but "no routing data yet" until its store holds a snapshot.
    ///
    /// # Errors
    /// When its metrics can't be registered: a mistake of this program.
    pub fn new(
        keys: Arc<Keyring>,
        origins: Origins,
        body_timeout: Duration,
        outbound: Outbound,
    ) -> prometheus::Result<Self> {
        Ok(Self {
            store: SnapshotStore::default(),
            keys,
            origins,
            body_timeout,
            large_bodies: LargeBodies::default(),
            live: LiveCallCounts::default(),
            events: Events::default(),
            metrics: Metrics::new(outbound.metrics())?,
            outbound,
            unproven_logged_at: AtomicI64::default(),
        })
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Full<Bytes>> {
        let Some(endpoint) = endpoint(request.uri().path()) else {
            return self.other_path(request).await;
        };
        let (parts, body) = request.into_parts();
        if !endpoint.takes(&parts.method) {
            self.ended(&endpoint, Outcome::Method);
            return method_not_allowed(endpoint.kind.get);
        }
        let body = match body::read(body, endpoint.kind.size, self.body_timeout, &self.large_bodies).await {
            Ok(body) => body,
            Err(error) => return closing(self.refused(&endpoint, error)),
        };
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let authority = parts.uri.authority().map(Authority::as_str);
        let (method, headers) = (&parts.method, Headers::from(&parts.headers));
        let received = Received { method, authority, target, headers, body: &body, peer };
        let begun = {
            let snapshot = self.store.load();
            self.begin(&endpoint, &received, snapshot.as_deref(), &mut SystemTime::now())
        };
        let answer = match begun {
            Reaction::Now(answer) => answer,
            Reaction::Later(work) => {
                drop(body);
                self.finish(&endpoint, work).await
            }
        };
        answer.into_response()
    }

    /// Answers a webhook whose body is there, from what is known, and counts it; or says what is to be waited for. The
    /// clock shows when it was begun, and then when it ended.
    #[must_use]
    pub fn begin(
        &self,
        endpoint: &Endpoint,
        received: &Received<'_>,
        snapshot: Option<&Snapshot>,
        clock: &mut SystemTime,
    ) -> Reaction {
        let metrics = self.metrics.of_kind(endpoint.provider_index, endpoint.kind_index);
        let reaction = match snapshot {
            Some(snapshot) => self.react(snapshot, endpoint, received, millis(*clock)),
            None => Reaction::Now(Answer::refusal(Outcome::NotReady, "no routing data yet\n")),
        };
        if let Reaction::Now(answer) = &reaction {
            metrics.ended(answer.outcome);
        }
        // What a tenant's own server takes isn't this program's time to answer.
        let started = std::mem::replace(clock, SystemTime::now());
        metrics.duration.observe(clock.duration_since(started).unwrap_or_default().as_secs_f64());
        reaction
    }

    /// Answers when the tenant's own server has.
    pub async fn finish(&self, endpoint: &Endpoint, work: Box<ToolWork>) -> Answer {
        let answer = work.finish(&self.outbound).await;
        self.ended(endpoint, answer.outcome);
        answer
    }

    /// What a webhook leads to whose body is there. Waits for nothing.
    #[must_use]
    pub fn react(
        &self,
        snapshot: &Snapshot,
        endpoint: &Endpoint,
        received: &Received<'_>,
        now: UnixMillis,
    ) -> Reaction {
        let public_urls = self.origins.of(received.headers, received.authority, received.peer);
        let Received { method, target, headers, body, .. } = *received;
        let request = match WebhookRequest::new(method, target, headers, body, &public_urls) {
            Ok(request) => request,
            Err(error) => return Reaction::Now(error.into()),
        };
        if let Some(wanted) = unexpected(endpoint, &request) {
            return Reaction::Now(ParseError::ContentType(wanted).into());
        }
        let webhook = call::Webhook { router: self, snapshot, endpoint, request: &request, now };
        webhook.react().unwrap_or_else(Reaction::Now)
    }

    /// The router's own API, and paths that name nothing.
    async fn other_path(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Some(resource) = v1::resource(parts.uri.path()) else {
            self.metrics.paths_unknown.inc();
            return not_found();
        };
        let response = match body::read(body, Size::Decision, self.body_timeout, &self.large_bodies).await {
            Ok(body) => {
                let request = v1::Request {
                    resource,
                    method: &parts.method,
                    query: parts.uri.query().unwrap_or_default(),
                    headers: &parts.headers,
                    body: &body,
                    now: now(),
                };
                v1::answer(&request, self.store.load().as_deref(), &self.live, &self.events)
            }
            Err(error) => closing(Answer::refusal(error.outcome(), error.to_string())),
        };
        self.metrics
            .api_requests
            .with_label_values(&[resource.label(), v1::status_label(response.status())])
            .inc();
        response
    }

    /// What is said of a webhook whose body wasn't read whole; counts it.
    #[must_use]
    pub fn refused(&self, endpoint: &Endpoint, error: BodyError) -> Answer {
        self.ended(endpoint, error.outcome());
        Answer::refusal(error.outcome(), error.to_string())
    }

    /// Counts how a webhook ended.
    pub fn ended(&self, endpoint: &Endpoint, outcome: Outcome) {
        self.metrics.of_kind(endpoint.provider_index, endpoint.kind_index).ended(outcome);
    }
}

/// A response after which the connection isn't used again, as the rest of the request still lies in it.
fn closing(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = answer.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A request as the connection gave it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host in the request's URL: HTTP/2's `:authority`.
    pub authority: Option<&'a str>,
    /// Path and query, as received.
    pub target: &'a str,
    /// The headers.
    pub headers: Headers<'a>,
    /// The body.
    pub body: &'a [u8],
    /// The other end of the connection.
    pub peer: Peer,
}

/// The media type that is wanted, when the body is of another.
fn unexpected(endpoint: &Endpoint, request: &WebhookRequest<'_>) -> Option<&'static str> {
    if *request.method == Method::GET || (request.body.is_empty() && request.content == Content::Other) {
        return None;
    }
    match (endpoint.body, request.content) {
        (Body::Form, Content::Json | Content::Other) => Some("application/x-www-form-urlencoded"),
        (Body::Json, Content::Form | Content::Other) => Some("application/json"),
        (Body::FormOrJson, Content::Other) => Some("application/x-www-form-urlencoded or application/json"),
        _ => None,
    }
}

/// The clock.
#[must_use]
pub fn now() -> UnixMillis {
    millis(SystemTime::now())
}

fn millis(time: SystemTime) -> UnixMillis {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn method_not_allowed(get: bool) -> Response<Full<Bytes>> {
    let (wanted, allow) = if get { ("wanted POST or GET\n", "GET, POST") } else { ("wanted POST\n", "POST") };
    let mut response = Answer::refusal(Outcome::Method, wanted).into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"no webhook at this path\n")));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialplane_common::feed::frame::{Frame, Payload, RawKey};
    use dialplane_common::feed::message::Delta;
    use dialplane_common::feed::record::SignaturePolicy;
    use dialplane_common::feed::record::{AccountRecord, NumberRecord, PlatformRecord, Record, TenantRecord};
    use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, Revision, frame};
    use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
    use dialplane_common::provider::credentials::Credential;
    use dialplane_common::route::{Condition, Rule, Step};
    use hyper::HeaderMap;
    use uuid::Uuid;

    const OWNER: TenantId = TenantId(Uuid::from_u128(1));
    const CATCH_ALL: TenantId = TenantId(Uuid::from_u128(2));
    const OWNERS_ACCOUNT: AccountId = AccountId(Uuid::from_u128(3));
    const PLATFORM_ACCOUNT: AccountId = AccountId(Uuid::from_u128(4));

    fn tenant(id: TenantId, busy: bool) -> Record {
        let rules = vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy }] }];
        Record::Tenant(id, TenantRecord { rules: Some(rules), ..TenantRecord::new("", "UTC") })
    }

    /// An account that asks for no proof.
    fn account(keys: &Keyring, id: AccountId, tenant_id: Option<TenantId>) -> Record {
        let plain = frame::encode(&Vec::<Credential>::new());
        let record = AccountRecord {
            tenant_id,
            provider: "twilio".into(),
            external_id: "AC1".into(),
            calling_code: None,
            signature_policy: SignaturePolicy::Off,
            sealed_credentials: keys.seal([7; 24], id.as_bytes(), &plain),
        };
        Record::Account(id, record)
    }

    /// One number of one tenant, bound to its own account; another tenant takes what nobody has.
    fn snapshot(keys: &Keyring) -> Snapshot {
        let number = NumberRecord {
            bindings: vec![OWNERS_ACCOUNT.into()],
            ..NumberRecord::new(PhoneNumberId(Uuid::from_u128(5)), OWNER)
        };
        let records = [
            Record::Platform(PlatformRecord {
                unknown_numbers: Some(CATCH_ALL),
                ..PlatformRecord::default()
            }),
            tenant(OWNER, false),
            tenant(CATCH_ALL, true),
            account(keys, OWNERS_ACCOUNT, Some(OWNER)),
            account(keys, PLATFORM_ACCOUNT, None),
            Record::Number("+12125550001".parse().unwrap(), number),
        ];
        snapshot_of(keys, &records)
    }

    /// A snapshot of these records.
    pub(super) fn snapshot_of(keys: &Keyring, records: &[Record]) -> Snapshot {
        let mut frames = Vec::new();
        for record in records {
            let (key, bytes) = (record.key().to_bytes(), record.encode());
            let key = RawKey { kind: record.key().kind() as u8, key: &key };
            Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) }.write(&mut frames);
        }
        let epoch = Epoch(Uuid::from_u128(9));
        let (revision, digest) = (Revision(1), Digest::default());
        let delta = Delta { epoch, revision, digest, committed_us: 0, frames: &frames };
        Snapshot::empty(epoch).apply(&delta, keys).unwrap().0
    }

    #[test]
    fn a_number_that_somebody_has_never_goes_to_who_takes_unknown_ones() {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let snapshot = snapshot(&keys);
        let origins =
            Origins { public_urls: vec!["https://a.example".parse().unwrap()], ..Origins::default() };
        let webhooks = Webhooks::new(keys, origins, Duration::from_secs(1), Outbound::default()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        let check = |account: AccountId, to: &str, expected: Outcome, busy: bool| {
            let target = format!("/webhooks/twilio/voice/{account}");
            let body = format!("AccountSid=AC1&CallSid=CA1&From=%2B15105550198&To=%2B{to}");
            let (method, authority, body) = (&Method::POST, None, body.as_bytes());
            let peer = Peer { address: [192, 0, 2, 1].into(), tls: false };
            let headers = Headers::from(&headers);
            let received = Received { method, authority, target: &target, headers, body, peer };
            let now = UnixMillis(1_800_000_000_000);
            let reaction = webhooks.react(&snapshot, &endpoint(&target).unwrap(), &received, now);
            let Reaction::Now(answer) = reaction else { panic!("{reaction:?}") };
            let document = String::from_utf8_lossy(&answer.rendered.body).into_owned();
            assert_eq!((answer.outcome, document.contains("busy")), (expected, busy), "{account} {to}");
        };
        check(OWNERS_ACCOUNT, "12125550001", Outcome::Answered, false);
        check(PLATFORM_ACCOUNT, "12125550001", Outcome::UnknownNumber, false);
        check(PLATFORM_ACCOUNT, "12125550002", Outcome::Answered, true);
        check(OWNERS_ACCOUNT, "12125550002", Outcome::UnknownNumber, false);
    }
}
