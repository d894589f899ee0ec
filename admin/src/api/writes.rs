//! Where every write begins and ends.
//!
//! It begins with a transaction that carries where the change comes from, and ends in one place: the answer is
//! made, the change appended to the feed and committed, the publisher woken, and the routers waited for if asked.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
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
use crate::provisioning::settings::ProvisioningSettings;
use crate::store::idempotency::{self, Claim, KeptAnswer, KeyId};
use crate::store::{Origin, Scope, StoreError, WriteTx};

const REVISION: HeaderName = HeaderName::from_static("dialplane-revision");
const APPLIED: HeaderName = HeaderName::from_static("dialplane-applied");
const WAITING_FOR: HeaderName = HeaderName::from_static("dialplane-waiting-for");

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The answer showed a secret, which its repetition leaves out.
const WITHHELD: HeaderName = HeaderName::from_static("dialplane-secrets-withheld");

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
    /// Whether it wrote a job.
    rings: bool,
}

/// What is answered, but for what is only known once the change is appended.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    etag: Option<ETag>,
    body: Vec<u8>,
    /// The body without secrets, where it has any.
    redacted: Option<Vec<u8>>,
}

impl Api {
    /// Begins a write that adds to what routers see.
    ///
    /// # Errors
    /// `fleet_too_old` when a live router couldn't read it; as [`Api::write`].
    pub async fn write_routing<Q>(&self, order: Order<Q>) -> Result<Write<'_>, Stop> {
        let write = self.write(order).await?;
        let too_old = self.fleet.view().too_old();
        if !too_old.is_empty() {
            let detail = format!("these routers can't read what this version writes: {}", too_old.join(", "));
            return Err(Problem::new(StatusCode::CONFLICT, "fleet_too_old", detail).into());
        }
        Ok(write)
    }

    /// Begins a write that routers don't see, or that takes away what they may do. It isn't held up by routers that are
    /// too old: what is gone they understand, and what leaked can't wait.
    ///
    /// # Errors
    /// The answer itself, when the request is the repetition of one that was answered; `idempotency_key_reused`; when
    /// Postgres can't be reached.
    pub async fn write<Q>(&self, order: Order<Q>) -> Result<Write<'_>, Stop> {
        let terms = order.terms;
        let mut tx = self.store.write(terms.principal.scope(), &terms.origin).await?;
        if let Some((id, idempotency)) = terms.key_id().zip(terms.idempotency.as_ref()) {
            match idempotency::claim(tx.conn(), id, idempotency.fingerprint()).await? {
                Claim::New => {}
                Claim::Reused => return Err(Problem::idempotency_key_reused().into()),
                Claim::Answered(kept) => {
                    drop(tx);
                    return Err(Stop(Box::new(replay(self, kept, terms.timeout).await)));
                }
            }
        }
        Ok(Write { api: self, tx, terms, rings: false })
    }
}

impl Api {
    /// A write of what routers don't see that the store makes by itself, together with others: `change` asks for it and gives
    /// the representation that GET gives.
    ///
    /// # Errors
    /// `precondition_not_supported`: nothing is compared; as `change`.
    pub async fn change_at_once<Q, T: Serialize>(
        &self,
        order: Order<Q>,
        change: impl AsyncFnOnce(Scope, Origin) -> Result<T, StoreError>,
    ) -> Answered {
        order.refuse_precondition()?;
        let body = json(&change(order.terms.principal.scope(), order.terms.origin).await?)?;
        let answer = Answer { etag: Some(ETag::of(&body)), body, ..Answer::of(StatusCode::OK) };
        Ok(answer.into_response(HeaderMap::new()))
    }
}

impl<'a> Write<'a> {
    /// Whether `If-Match` was sent and [`Write::expect`] is still to look at it.
    #[must_use]
    pub const fn is_conditional(&self) -> bool {
        self.terms.if_match.is_some()
    }

    /// Where the change comes from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.terms.origin
    }

    /// Whether an operator asks.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.terms.principal.is_operator()
    }

    /// What the platform wants of provisioning.
    #[must_use]
    pub fn provisioning(&self) -> &ProvisioningSettings {
        &self.api.provisioner.settings
    }

    /// Ends a write that was only tried: nothing of it stays, and a repetition is tried anew.
    ///
    /// # Errors
    /// `precondition_not_supported`.
    pub fn abandon(self) -> Result<&'a Api, Stop> {
        if self.terms.if_match.is_some() { Err(Problem::no_precondition().into()) } else { Ok(self.api) }
    }

    /// Wakes the workers of jobs once this is committed.
    pub const fn ring(&mut self) {
        self.rings = true;
    }

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
        self.finish(Answer { etag: Some(ETag::of(&body)), body, ..Answer::of(status) }).await
    }

    /// Commits, and answers 201 with this representation of what was created, which lies below the request's path under
    /// its id.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn created(self, id: impl Display, body: &impl Serialize) -> Answered {
        let body = json(body)?;
        let location = Some(format!("{}/{id}", self.terms.path));
        let answer = Answer::of(StatusCode::CREATED);
        self.finish(Answer { location, etag: Some(ETag::of(&body)), body, ..answer }).await
    }

    /// Commits, and answers 202 with a representation of what goes on from here, which lies at `location`.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn accepted(self, location: impl Display, body: &impl Serialize) -> Answered {
        let body = json(body)?;
        let location = Some(location.to_string());
        self.finish(Answer { location, body, ..Answer::of(StatusCode::ACCEPTED) }).await
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
        let etag = Some(ETag::of(&redacted));
        let redacted = (redacted != body).then_some(redacted);
        self.finish(Answer { etag, body, redacted, ..Answer::of(status) }).await
    }

    /// Commits, and answers that it is done.
    ///
    /// # Errors
    /// As [`Write::answer`].
    pub async fn no_content(self) -> Answered {
        self.finish(Answer::of(StatusCode::NO_CONTENT)).await
    }

    async fn finish(mut self, answer: Answer) -> Answered {
        if self.terms.if_match.is_some() {
            // Nobody took it: it is refused rather than left unchecked.
            return Err(Problem::no_precondition().into());
        }
        let revision = self.tx.append().await?;
        if let Some(id) = self.terms.key_id() {
            idempotency::keep(self.tx.conn(), id, &answer.kept(revision)).await?;
        }
        self.tx.commit().await?;
        if revision.is_some() {
            self.api.wake.notify_one();
        }
        if self.rings {
            self.api.provisioner.bell.notify_one();
        }
        Ok(answer.into_response(applied(self.api, revision, self.terms.timeout).await))
    }
}

impl Terms {
    fn key_id(&self) -> Option<KeyId<'_>> {
        let key = self.idempotency.as_ref()?.key();
        Some(KeyId { scope: self.principal.scope(), actor: &self.origin.actor, key })
    }
}

impl Answer {
    const fn of(status: StatusCode) -> Self {
        Self { status, location: None, etag: None, body: Vec::new(), redacted: None }
    }

    fn kept(&self, revision: Option<Revision>) -> KeptAnswer {
        KeptAnswer {
            status: self.status.as_u16().cast_signed(),
            location: self.location.clone(),
            etag: self.etag.as_ref().map(|etag| etag.as_str().to_owned()),
            revision: revision.map(|revision| revision.0.cast_signed()),
            body: self.redacted.as_ref().unwrap_or(&self.body).clone(),
            secrets_withheld: self.redacted.is_some(),
        }
    }

    fn into_response(self, headers: HeaderMap) -> Response {
        let etag = self.etag.as_ref().map(ETag::as_str);
        response(self.status, headers, etag, self.location.as_deref(), self.body)
    }
}

/// The answer to an earlier request, to its repetition.
async fn replay(api: &Api, kept: KeptAnswer, timeout: Option<Duration>) -> Response {
    let revision = kept.revision.map(|revision| Revision(revision.cast_unsigned()));
    let mut headers = applied(api, revision, timeout).await;
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if kept.secrets_withheld {
        headers.insert(WITHHELD, HeaderValue::from_static("true"));
    }
    let status = StatusCode::from_u16(kept.status.cast_unsigned()).unwrap_or(StatusCode::OK);
    response(status, headers, kept.etag.as_deref(), kept.location.as_deref(), kept.body)
}

fn response(
    status: StatusCode,
    mut headers: HeaderMap,
    etag: Option<&str>,
    location: Option<&str>,
    body: Vec<u8>,
) -> Response {
    for (name, value) in [(header::ETAG, etag), (header::LOCATION, location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    if status != StatusCode::NO_CONTENT {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    // Bytes by themselves would say that they are an octet stream, even none.
    (status, headers, Body::from(body)).into_response()
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "write an answer");
        Problem::internal()
    })
}

/// The headers that tell the change's revision and, where somebody waits for the routers, how that ended.
async fn applied(api: &Api, revision: Option<Revision>, timeout: Option<Duration>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(revision) = revision else { return headers };
    headers.insert(REVISION, HeaderValue::from(revision.0));
    let Some(timeout) = timeout else { return headers };
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
    headers
}
