//! The router's own API, for SIP edges, people's own code and voice agents: JSON, with a bearer token.
//!
//! `POST /v1/route` tells what is to be done with a call; `GET /v1/numbers/{e164}/config` what an agent is told of the
//! number that it answers. Both from memory, as webhooks are.

mod config;
mod problem;
mod route;

use bytes::Bytes;
use dialplane_common::feed::record::{PLATFORM, TokenHash, TokenHolder};
use dialplane_common::ids::TenantId;
use dialplane_common::time::{UnixMillis, UnixSeconds};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use problem::Problem;

use crate::events::Events;
use crate::live::LiveCallCounts;
use crate::snapshot::Snapshot;

/// A request of this API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource<'p> {
    /// `/v1/route`.
    Route,
    /// `/v1/numbers/{e164}/config`; the number as it stands in the path.
    Config(&'p str),
}

/// What `path` names; `None`: nothing of this API.
#[must_use]
pub fn resource(path: &str) -> Option<Resource<'_>> {
    match path.strip_prefix("/v1/")? {
        "route" => Some(Resource::Route),
        rest => rest.strip_prefix("numbers/")?.strip_suffix("/config").map(Resource::Config),
    }
}

impl Resource<'_> {
    /// Its metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Config(_) => "config",
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Route => Method::POST,
            Self::Config(_) => Method::GET,
        }
    }
}

/// Whether this tenant's numbers may be asked about.
fn sees(holder: TokenHolder, tenant: TenantId) -> bool {
    match holder {
        TokenHolder::Operator => true,
        TokenHolder::Tenant(own) => own == tenant,
        // Whether a shared agent answers the number is asked besides.
        TokenHolder::Agent(own, _) => own == tenant || own == PLATFORM,
    }
}

/// A request whose body is there.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it asks for.
    pub resource: Resource<'a>,
    /// How.
    pub method: &'a Method,
    /// The query, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// When it came.
    pub now: UnixMillis,
}

/// Answers a request. Waits for nothing.
#[must_use]
pub fn answer(
    request: &Request<'_>,
    snapshot: Option<&Snapshot>,
    live: &LiveCallCounts,
    events: &Events,
) -> Response<Full<Bytes>> {
    let Request { resource, method, query, headers, body, now } = *request;
    let answer = || {
        let snapshot = snapshot.ok_or(Problem::NotReady)?;
        if *method != resource.method() {
            return Err(Problem::Method(resource.method()));
        }
        let asker = asker(snapshot, headers, now.seconds())?;
        match resource {
            Resource::Route => route::answer((live, events), snapshot, asker, body, now),
            Resource::Config(number) => config::answer(snapshot, asker, number, query, now.seconds()),
        }
    };
    match answer() {
        Ok(body) => {
            let mut response = Response::new(Full::new(Bytes::from(body)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who asks.
fn asker(snapshot: &Snapshot, headers: &HeaderMap, now: UnixSeconds) -> Result<TokenHolder, Problem> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or(Problem::NoToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Problem::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::NoToken);
    }
    let record = snapshot.token(TokenHash::of(token.trim())).ok_or(Problem::UnknownToken)?;
    let good = record.expires_at.is_none_or(|end| now < end);
    if good { Ok(record.holder) } else { Err(Problem::UnknownToken) }
}

/// The status of a response, for a metric's label.
#[must_use]
pub fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "2xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_routes_and_configs() {
        assert_eq!(resource("/v1/route"), Some(Resource::Route));
        assert_eq!(resource("/v1/numbers/+12125550001/config"), Some(Resource::Config("+12125550001")));
        for path in ["/v1/", "/v1/routes", "/v1/numbers/config", "/v1/numbers//x", "/v2/route", "/"] {
            assert_eq!(resource(path), None, "{path}");
        }
    }
}
