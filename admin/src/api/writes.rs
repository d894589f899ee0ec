//! Where every write begins and ends.
//!
//! It begins with a transaction that carries where the change comes from, and ends in one place: the answer is
//! made, the change appended to the feed and committed, the publisher woken, and the routers waited for if asked.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dialplane_common::feed::Revision;
use serde::Serialize;
use sqlx::postgres::PgConnection;

use super::Api;
use super::error::Problem;
use super::etag::ETag;
use super::order::{Order, Terms};
use crate::fleet::Applied;
use crate::store::WriteTx;

const REVISION: HeaderName = HeaderName::from_static("dialplane-revision");
const APPLIED: HeaderName = HeaderName::from_static("dialplane-applied");
const WAITING_FOR: HeaderName = HeaderName::from_static("dialplane-waiting-for");

/// What a writing handler gives.
pub type Answered = Result<Response, Stop>;

/// How a write ends before its own answer.
#[derive(Debug)]
pub struct Stop(Box<Response>);

impl<E: Into<Problem>> From<E> for Stop {
    fn from(refusal: E) -> Self {
        Self(Box::new(refusal.into().into_response()))
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// A write: a transaction, and what to do once it is committed.
pub struct Write<'a> {
    api: &'a Api,
    /// The transaction.
    pub tx: WriteTx,
    terms: Terms,
}

/// What is answered, but for what is only known once the change is appended.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    etag: Option<ETag>,
    body: Vec<u8>,
}

impl Api {
    /// Begins a write that adds to what routers see.
    ///
    /// # Errors
    /// `fleet_too_old` when a live router couldn't read it; as [`Api::write`].
    pub async fn write_routing<Q>(&self, order: Order<Q>) -> Result<Write<'_>, Stop> {
        let too_old = self.fleet.view().too_old();
        if !too_old.is_empty() {
            let detail = format!("these routers can't read what this version writes: {}", too_old.join(", "));
            return Err(Problem::new(StatusCode::CONFLICT, "fleet_too_old", detail).into());
        }
        self.write(order).await
    }

    /// Begins a write that routers don't see, or that takes away what they may do. It isn't held up by routers that are
    /// too old: what is gone they understand, and what leaked can't wait.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn write<Q>(&self, order: Order<Q>) -> Result<Write<'_>, Stop> {
        let terms = order.terms;
        let tx = self.store.write(terms.principal.scope(), &terms.origin).await?;
        Ok(Write { api: self, tx, terms })
    }
}

impl Write<'_> {
    /// Refuses the change when `If-Match` was sent and what `read` reads, the representation that GET gives, isn't among
    /// what it allows. Nothing is read when it wasn't sent. The resource has to be locked by now.
    ///
    /// # Errors
    /// `precondition_failed`; as `read`, but for what isn't there.
    pub async fn expect<T: Serialize, E: Into<Problem>>(
        &mut self,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
    ) -> Result<(), Stop> {
        let Some(if_match) = self.terms.if_match.take() else { return Ok(()) };
        let current = match read(self.tx.conn()).await.map_err(Into::into) {
            Ok(current) => Some(ETag::of(&json(&current)?)),
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => None,
            Err(problem) => return Err(problem.into()),
        };
        if if_match.holds(current.as_ref()) { Ok(()) } else { Err(Problem::precondition_failed().into()) }
    }

    /// Commits, and answers with this representation of what was written: the one that GET gives.
    ///
    /// # Errors
    /// When Postgres refuses or is away: nothing is written then.
    pub async fn answer(self, status: StatusCode, body: &impl Serialize) -> Answered {
        let body = json(body)?;
        self.finish(Answer { status, location: None, etag: Some(ETag::of(&body)), body }).await
    }

    /// Commits, and answers 201 with this representation of what was created, which lies below the request's path under
    /// its id.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn created(self, id: impl ToString, body: &impl Serialize) -> Answered {
        let body = json(body)?;
        let location = Some(self.below(&id.to_string()));
        self.finish(Answer { status: StatusCode::CREATED, location, etag: Some(ETag::of(&body)), body }).await
    }

    /// Commits, and answers with a body that shows a secret, this once. `redacted` is the same without the secret: the
    /// representation that GET gives where there is one, and all that is kept of the answer.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn answer_once(
        self,
        status: StatusCode,
        body: &impl Serialize,
        redacted: &impl Serialize,
    ) -> Answered {
        let (body, redacted) = (json(body)?, json(redacted)?);
        self.finish(Answer { status, location: None, etag: Some(ETag::of(&redacted)), body }).await
    }

    /// Commits, and answers that it is done.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn no_content(self) -> Answered {
        self.finish(Answer { status: StatusCode::NO_CONTENT, location: None, etag: None, body: Vec::new() })
            .await
    }

    fn below(&self, id: &str) -> String {
        format!("{}/{id}", self.terms.path)
    }

    async fn finish(mut self, answer: Answer) -> Answered {
        if self.terms.if_match.is_some() {
            // Nobody took it: it is refused rather than left unchecked.
            return Err(Problem::no_precondition().into());
        }
        let revision = self.tx.append().await?;
        self.tx.commit().await?;
        let mut headers = HeaderMap::new();
        if let Some(revision) = revision {
            self.api.wake.notify_one();
            headers.insert(REVISION, HeaderValue::from(revision.0));
            if let Some(timeout) = self.terms.timeout {
                await_routers(self.api, revision, timeout, &mut headers).await;
            }
        }
        Ok(answer.into_response(headers))
    }
}

impl Answer {
    fn into_response(self, mut headers: HeaderMap) -> Response {
        if let Some(etag) = self.etag {
            headers.insert(header::ETAG, etag.to_value());
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        (self.status, headers, self.body).into_response()
    }
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "write an answer");
        Problem::internal()
    })
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
