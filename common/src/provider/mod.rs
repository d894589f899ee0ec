//! The providers' webhook protocols: bytes in, bytes out.
//!
//! A provider is one folder below this one and its line in [`PROVIDERS`]; nobody outside its folder asks which
//! provider it is. It does no I/O, so the router calls it on its hot path and a test calls it without a server.

pub mod form;
pub mod public_url;
pub mod reply;
pub mod request;
mod twilio;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::call::InboundCall;
use crate::secret::Secret;
use crate::time::UnixSeconds;
use reply::{Refusal, Rendered, Reply};
use request::{ParseError, VerifyError, WebhookRequest};

/// All providers.
pub static PROVIDERS: &[&dyn Provider] = &[&twilio::Twilio];

/// The provider of this name, as it stands in webhook paths and account records.
#[must_use]
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name)
}

/// What a kind of webhook is for. Each provider names its kinds as it likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A call comes in: what is to be done with it?
    Call,
    /// A step of a route has ended: what follows?
    After,
    /// What became of a call. Needs no answer.
    Status,
    /// A text message.
    Message,
}

/// A kind of webhook: the segment of the path and what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// The path's segment.
    pub name: &'static str,
    /// What it is for.
    pub purpose: Purpose,
}

/// One secret of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// What it is, in the provider's words (`auth_token`, `shared_key`).
    pub kind: String,
    /// Its public name, where requests name the secret they are signed with; else empty.
    pub id: String,
    /// The secret.
    pub value: Secret,
}

/// Which account a webhook claims to come from, before anything is proven.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claim<'a> {
    /// The provider's name of the account.
    pub external_id: Option<Cow<'a, str>>,
    /// The called address.
    pub to: Option<Cow<'a, str>>,
}

/// One provider's webhook protocol.
pub trait Provider: Sync {
    /// Its name in paths, records and metrics.
    fn name(&self) -> &'static str;

    /// The kinds of webhooks that it sends.
    fn kinds(&self) -> &'static [Kind];

    /// Which account the request claims to come from.
    fn claim<'r>(&self, request: &'r WebhookRequest<'_>) -> Claim<'r>;

    /// Prepares an account's secrets for verifying; secrets of kinds that it doesn't sign with are passed over.
    fn verifier(&self, credentials: &[Credential]) -> Box<dyn Verifier>;

    /// The call that the request is about.
    ///
    /// # Errors
    /// [`ParseError`], naming the parameter that is missing or wrong.
    fn call<'r>(
        &self,
        purpose: Purpose,
        request: &'r WebhookRequest<'_>,
    ) -> Result<InboundCall<'r>, ParseError>;

    /// How a step ended, for a request of [`Purpose::After`].
    fn step_result(&self, request: &WebhookRequest<'_>) -> StepResult;

    /// The call's state, for a request of [`Purpose::Status`]; one of a small, fixed set, for a metric's label.
    fn status(&self, request: &WebhookRequest<'_>) -> &'static str;

    /// The answer to a call.
    fn render(&self, reply: &Reply<'_>) -> Rendered;

    /// The answer to a call that isn't answered, though its request is well-formed and proven.
    fn refuse(&self, refusal: Refusal) -> Rendered;

    /// The answer to a request that needs none.
    fn acknowledge(&self, purpose: Purpose) -> Rendered;
}

/// An account's secrets, prepared.
pub trait Verifier: Send + Sync {
    /// Checks that the provider signed this request with one of the account's secrets.
    ///
    /// `now` is a parameter so that tests choose it.
    ///
    /// # Errors
    /// See [`VerifyError`]; never panics on any bytes.
    fn verify(&self, request: &WebhookRequest<'_>, now: UnixSeconds) -> Result<(), VerifyError>;
}

/// How a step of a route ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepResult {
    /// Somebody answered, or the caller was served: nothing follows.
    Done,
    /// Nobody did: the next step follows.
    Failed,
    /// The provider doesn't say.
    Unknown,
}
