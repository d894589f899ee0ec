//! Who sends providers' REST requests: drives an [`Exchange`] from request to request to its end, within a time, at the
//! pace that the provider allows each account, and without doing anything twice that may cost.
//!
//! Whether a request is sent again is decided by its reply's status alone (`retry.rs`), before its exchange reads it:
//! reading uses the exchange up. So the last reply is the one that is read, and a success that can't be read isn't
//! asked for again here.
//!
//! There is no circuit breaker: who waits long for a provider is a job, whose own delays grow.

mod asked_wait;
pub mod bases;
mod retry;
mod send;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use dialplane_common::ids::AccountId;
use dialplane_common::rest::{Effect, Exchange, Fault, Request, Step};
use tokio::time::Instant;

use self::bases::Bases;
use self::send::{Answer, Broken, Sender};
use crate::metrics::Metrics;
use crate::rate::{Limiter, Rate};

/// Providers answer reads within a second or two; a slower one is asked again sooner than it would answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What may cost is waited for longer: once we don't wait any more, somebody has to find out what came of it. Some
/// providers ask carriers while they buy.
const ONCE_TIMEOUT: Duration = Duration::from_secs(30);
/// What may cost isn't sent with less time than this to hear of it, as purchases take seconds.
const ONCE_TIME_MIN: Duration = Duration::from_secs(5);

/// Sends providers' REST requests.
pub struct Client {
    sender: Sender,
    /// By account and API: in this process alone.
    turns: Limiter<Turn>,
    metrics: Arc<Metrics>,
}

/// Whose requests follow each other: an account's at one API, by the API's setting.
type Turn = (AccountId, &'static str);

/// Who wants something, how fast, and until when.
#[derive(Clone, Copy)]
struct Caller {
    account: AccountId,
    rate: Rate,
    deadline: Instant,
}

/// Why a request led nowhere, and the status of its reply where there was one.
struct Ended {
    fault: Fault,
    status: Option<u16>,
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self { fault, status: None }
    }
}

impl Ended {
    /// What it means for the whole exchange.
    fn fault(self, effect: Effect, has_effect: bool) -> Fault {
        if has_effect { retry::behind_an_effect(effect, self.status, self.fault) } else { self.fault }
    }
}

impl Client {
    /// `http` is [`outbound::client`](crate::outbound::client), and `public_http`, for hosts that tenants may have
    /// named, [`outbound::public_client`](crate::outbound::public_client).
    #[must_use]
    pub fn new(
        http: reqwest::Client,
        public_http: reqwest::Client,
        bases: Bases,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { sender: Sender { http, public_http, bases }, turns: Limiter::default(), metrics }
    }

    /// Drives an exchange to its end, by `deadline` at the latest. The account sends so many requests a second, evenly.
    ///
    /// What is [`Effect::Repeatable`] is sent up to five times. What is [`Effect::Once`] is sent again after a 429
    /// alone, and not sent at all with less than five seconds left. Whoever drops the future before its end knows as
    /// little as after [`Fault::Unclear`].
    ///
    /// # Errors
    /// What the exchange reads, or [`Fault::Retry`] when nothing was done and may be done later, or [`Fault::Unclear`]
    /// when something that may cost was sent and it isn't known what came of it: also when a later request of the same
    /// exchange is refused, or isn't answered in time.
    pub async fn run<T: 'static>(
        &self,
        account: AccountId,
        requests_per_second: u32,
        mut exchange: Exchange<T>,
        deadline: Instant,
    ) -> Result<T, Fault> {
        let caller = Caller { account, rate: Rate::per_second(requests_per_second, 1), deadline };
        let mut has_effect = false;
        loop {
            let effect = exchange.request.effect;
            let step = self.step(&caller, exchange).await.map_err(|ended| ended.fault(effect, has_effect))?;
            has_effect |= effect == Effect::Once;
            exchange = match step {
                Step::Done(value) => return Ok(value),
                Step::Next(next) => next,
                Step::Later(wait, next) => {
                    let slept = caller.sleep(wait, "the provider isn't done yet").await;
                    slept.map_err(|fault| Ended::from(fault).fault(next.request.effect, has_effect))?;
                    next
                }
            };
        }
    }

    /// Sends an exchange's request and reads the reply.
    async fn step<T: 'static>(&self, caller: &Caller, exchange: Exchange<T>) -> Result<Step<T>, Ended> {
        let (operation, effect) = (exchange.request.operation, exchange.request.effect);
        let Answer { reply, request_id } = self.ask(caller, &exchange.request).await?;
        let (status, after) = (reply.status, reply.retry_after);
        let step = exchange.read(reply);
        self.note(caller, operation, step.as_ref().err(), Some(status), request_id.as_deref());
        let is_passing = retry::is_passing(effect, status);
        let given_up = |fault| if is_passing { retry::given_up(effect, fault, after) } else { fault };
        step.map_err(|fault| Ended { fault: given_up(fault), status: Some(status) })
    }

    /// Sends a request until there is a reply to be read.
    async fn ask(&self, caller: &Caller, request: &Request) -> Result<Answer, Fault> {
        let (operation, effect) = (request.operation, request.effect);
        let mut attempts = 0;
        loop {
            let ready = self.sender.ready(request)?;
            self.await_turn(caller, request).await?;
            let within = caller.time_for(effect)?;
            let sent_at = Instant::now();
            let sent = ready.send(within).await;
            self.metrics.provider_took(operation, sent_at.elapsed());
            attempts += 1;
            self.heed(caller, request, &sent);
            let wait = retry::wait(effect, attempts, sent.as_ref().map(|sent| &sent.reply), random());
            match (wait.filter(|wait| caller.has_time(effect, *wait)), sent) {
                (None, Ok(answer)) => return Ok(answer),
                (None, Err(broken)) => {
                    let fault = broken.fault(effect);
                    self.note(caller, operation, Some(&fault), None, None);
                    return Err(fault);
                }
                (Some(wait), sent) => {
                    let (fault, status, id) = match sent {
                        Ok(Answer { reply, request_id }) => {
                            (reply.fault("", ""), Some(reply.status), request_id)
                        }
                        Err(broken) => (broken.fault(effect), None, None),
                    };
                    self.note(caller, operation, Some(&fault), status, id.as_deref());
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Waits until the account may send its next request there.
    async fn await_turn(&self, caller: &Caller, request: &Request) -> Result<(), Fault> {
        let turn = caller.turn(request);
        let mut has_waited = false;
        loop {
            let standing = self.turns.take(&turn, caller.rate, Instant::now().into_std());
            if standing.is_taken {
                return Ok(());
            }
            if !has_waited {
                self.metrics.provider_waited(request.operation);
            }
            has_waited = true;
            caller.sleep(standing.more_in, "the provider takes no more requests of this account now").await?;
        }
    }

    /// Holds all requests of the account back for as long as the provider asks, when it has had too many.
    fn heed(&self, caller: &Caller, request: &Request, sent: &Result<Answer, Broken>) {
        let Ok(Answer { reply, .. }) = sent else { return };
        if let (429, Some(wait)) = (reply.status, reply.retry_after) {
            let now = Instant::now().into_std();
            self.turns.pause(&caller.turn(request), caller.rate, now, wait);
        }
    }

    /// Counts and logs what came of one request that was sent. No words of the provider's: they may repeat what it was
    /// sent.
    fn note(
        &self,
        caller: &Caller,
        operation: &'static str,
        fault: Option<&Fault>,
        status: Option<u16>,
        request_id: Option<&str>,
    ) {
        self.metrics.provider_asked(operation, fault);
        let account = caller.account;
        match fault.map(Fault::label) {
            None => {
                tracing::debug!(%account, operation, status, request_id, "a provider did what it was asked")
            }
            Some(outcome) => {
                tracing::info!(%account, operation, status, request_id, outcome, "a provider didn't do what it was asked");
            }
        }
    }
}

impl Caller {
    fn turn(&self, request: &Request) -> Turn {
        (self.account, request.api.base_setting)
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether a request can still be sent after a wait.
    fn has_time(&self, effect: Effect, wait: Duration) -> bool {
        self.left().saturating_sub(wait) > least(effect)
    }

    /// How long a request may take that is sent now.
    fn time_for(&self, effect: Effect) -> Result<Duration, Fault> {
        if !self.has_time(effect, Duration::ZERO) {
            return Err(Fault::retry("there is no time left to ask the provider: nothing was sent"));
        }
        let usual = if effect == Effect::Once { ONCE_TIMEOUT } else { TIMEOUT };
        Ok(usual.min(self.left()))
    }

    /// Waits, unless that takes until the deadline.
    async fn sleep(&self, wait: Duration, why: &str) -> Result<(), Fault> {
        if wait >= self.left() {
            return Err(Fault::Retry { reason: why.to_owned(), after: Some(wait) });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// The least time that a request is sent with.
const fn least(effect: Effect) -> Duration {
    match effect {
        Effect::Once => ONCE_TIME_MIN,
        Effect::Repeatable => Duration::ZERO,
    }
}

/// For waits alone: without the system's randomness they are as long as they get.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX)
}
