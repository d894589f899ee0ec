//! Requests that this program makes: to tenants' own tool servers and to providers' APIs. Apart from the webhooks: on a
//! runtime of its own, so that nothing here takes a moment from an answer.
//!
//! A request passes, in this order: [`tenants`] (how many at a time, and the [`breaker`]), [`tools`] or [`commands`]
//! (what is sent), [`client`] (resolve, check the [`address`], a connection from the [`pool`] or a new one by
//! [`connect`]), [`answer_text`]. Its end is a result or a [`failure`]. Environment variables that name proxies don't
//! count: a proxy would resolve names itself, and connect to addresses that nobody checked.

pub mod address;
pub mod answer_text;
pub mod breaker;
pub mod client;
pub mod commands;
pub mod connect;
pub mod failure;
pub mod pool;
pub mod settings;
pub mod target;
pub mod tenants;
pub mod tools;

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use dialplane_common::call::InboundCall;
use dialplane_common::feed::record::ToolServer;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::provider::Api;
use dialplane_common::provider::event::ToolCall;
use dialplane_common::provider::reply::Command;
use dialplane_common::rest::base::Base;
use dialplane_common::secret::Secret;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Semaphore, TryAcquireError};
use tokio::task::JoinHandle;

use self::address::Addresses;
use self::answer_text::Said;
use self::client::Client;
use self::commands::Recipient;
use self::failure::Failure;
use self::settings::Settings;
use self::tenants::Tenants;
use crate::metrics::OutboundMetrics;

/// How many tool calls are under way at a time, of all tenants: each may hold a socket.
const TOOL_CALLS_MAX: u32 = 4_096;

/// How many commands wait to be sent or are being sent.
const COMMANDS_MAX: u32 = 4_096;

/// How many lists of commands are being sent at a time.
const COMMAND_LISTS_MAX: usize = 128;

/// How often kept connections and what is known of servers are looked through.
const TIDY_EVERY: Duration = Duration::from_secs(10);

/// How long a name's resolution, which nothing can cut short, may keep the program from ending.
const END_PATIENCE: Duration = Duration::from_millis(100);

/// Why no requests can be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system has no thread or descriptor left.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// A root certificate can't be used.
    #[error("ROUTER_TOOL_CA_FILE: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// A mistake in the metrics.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Makes the requests. The default one makes none: all it is asked for fails politely.
#[derive(Debug, Default)]
pub struct Outbound {
    running: Option<Running>,
}

struct Running {
    shared: Arc<Shared>,
    handle: Handle,
    /// Until it is drained.
    runtime: Mutex<Option<Runtime>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let runtime = self.runtime.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = runtime.take() {
            // Unlike dropping it, this never waits, which a thread of another runtime may not.
            runtime.shutdown_background();
        }
    }
}

/// What all requests have in common.
#[derive(Debug)]
struct Shared {
    client: Client,
    tenants: Arc<Tenants>,
    bases: Vec<Base>,
    pauses: Vec<Duration>,
    metrics: OutboundMetrics,
    /// Leave for tool calls under way, and for commands waiting or under way.
    tool_calls: Arc<Semaphore>,
    commands: Arc<Semaphore>,
    command_lists: Semaphore,
    /// The second, since 1970, in which a failure was last logged.
    failure_logged_at: AtomicU64,
}

/// Tool calls of one message for a tenant's own server.
#[derive(Debug)]
pub struct ToolCalls {
    /// Whose server it is.
    pub tenant_id: TenantId,
    /// Where it is, and how much it is asked.
    pub server: ToolServer,
    /// What requests to it are signed with.
    pub secret: Secret,
    /// For which of the tenant's numbers.
    pub phone_number_id: Option<PhoneNumberId>,
    /// At which provider the call is.
    pub provider: &'static str,
    /// The provider's name of the call.
    pub call_id: String,
    /// The called address.
    pub to: String,
    /// The calling address.
    pub from: String,
    /// What is wanted: id, tool and the text of a JSON object.
    pub calls: Vec<(String, String, String)>,
}

impl ToolCalls {
    /// None yet.
    #[must_use]
    pub fn new(
        tenant_id: TenantId,
        server: &ToolServer,
        secret: &Secret,
        phone_number_id: Option<PhoneNumberId>,
        provider: &'static str,
        call: &InboundCall<'_>,
    ) -> Self {
        Self {
            tenant_id,
            server: server.clone(),
            secret: secret.clone(),
            phone_number_id,
            provider,
            call_id: call.call_id.clone().into_owned(),
            to: call.to.clone().into_owned(),
            from: call.from.clone().into_owned(),
            calls: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, call: &ToolCall<'_>) {
        self.calls.push((
            call.id.clone().into_owned(),
            call.name.clone().into_owned(),
            call.arguments.clone().into_owned(),
        ));
    }
}

impl Outbound {
    /// Starts the runtime that makes the requests.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        Self::run(Shared::new(settings)?)
    }

    fn run(shared: Shared) -> Result<Self, StartError> {
        let shared = Arc::new(shared);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("outbound")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        handle.spawn(tidy(Arc::clone(&shared)));
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { running: Some(Running { shared, handle, runtime }) })
    }

    /// What it counts; nothing when it makes no requests.
    #[must_use]
    pub fn metrics(&self) -> Option<&OutboundMetrics> {
        self.running.as_ref().map(|running| &running.shared.metrics)
    }

    /// Asks a tenant's server for each call, all at once. One outcome for each, in order: a line of text that an agent
    /// can use, or words that it can say when there is none. Takes no longer than the server's time limit.
    pub async fn call_tools(&self, calls: ToolCalls) -> Vec<Result<String, String>> {
        let calls = Arc::new(calls);
        let begin = |index| match &self.running {
            Some(running) => running.begin(&calls, index),
            None => Err(Failure::Stopped),
        };
        // All are begun before the first is waited for.
        let begun: Vec<_> = (0..calls.calls.len()).map(begin).collect();
        let mut outcomes = Vec::with_capacity(begun.len());
        for task in begun {
            let outcome = match task {
                Ok(task) => task.await.unwrap_or(Err(Failure::Stopped)),
                Err(failure) => Err(failure),
            };
            outcomes.push(outcome.unwrap_or_else(|failure| Err(failure.words().to_owned())));
        }
        outcomes
    }

    /// Sends commands to a provider's API, in order, once each. Returns at once: when too many wait they are dropped.
    pub fn send(&self, api: &Api, authorization: &str, commands: Vec<Command>) {
        let Some(Running { shared, handle, .. }) = &self.running else { return };
        let count = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        let Ok(leave) = Arc::clone(&shared.commands).try_acquire_many_owned(count) else {
            shared.metrics.commands.with_label_values(&["dropped"]).inc_by(u64::from(count));
            return;
        };
        let base = shared.bases.iter().find(|base| base.setting == api.base_setting);
        let recipient = Recipient {
            base: base.map_or(api.base, |base| &base.url).to_owned(),
            trusted: base.is_some(),
            authorization: authorization.to_owned(),
        };
        let (shared, api) = (Arc::clone(shared), *api);
        handle.spawn(async move {
            let _leave = leave;
            shared.send(&api, &recipient, commands).await;
        });
    }

    /// Takes no more, and waits until what was taken is done or the time is over. Returns whether all is done. Not to
    /// be called on a thread of a runtime, as it blocks.
    pub fn drain(&self, timeout: Duration) -> bool {
        let Some(running) = &self.running else { return true };
        let runtime = running.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return true };
        let done =
            runtime.block_on(async { tokio::time::timeout(timeout, running.shared.done()).await.is_ok() });
        if !done {
            tracing::warn!("drain timeout: giving up requests that are still under way");
        }
        runtime.shutdown_timeout(END_PATIENCE);
        done
    }
}

impl Running {
    /// Begins a tool call, if its server may be asked now.
    fn begin(
        &self,
        calls: &Arc<ToolCalls>,
        index: usize,
    ) -> Result<JoinHandle<Result<Said, Failure>>, Failure> {
        let (started, server) = (Instant::now(), &calls.server);
        let admitted = Arc::clone(&self.shared.tool_calls)
            .try_acquire_owned()
            .map_err(|error| match error {
                TryAcquireError::Closed => Failure::Stopped,
                TryAcquireError::NoPermits => Failure::Busy,
            })
            .and_then(|room| {
                let (tenant, most) = (calls.tenant_id, server.concurrency_max);
                Ok((room, self.shared.tenants.admit(tenant, &server.url, most, started)?))
            });
        let (room, leave) = admitted.inspect_err(|failure| self.shared.tool_call_failed(calls, *failure))?;
        let (shared, calls) = (Arc::clone(&self.shared), Arc::clone(calls));
        Ok(self.handle.spawn(async move {
            let deadline = started + Duration::from_millis(calls.server.timeout_ms.into());
            let outcome = tools::forward(&shared.client, &calls, index, deadline.into()).await;
            leave.end(outcome.as_ref().is_err_and(|failure| failure.is_outage()), Instant::now());
            shared.metrics.tool_forward_duration.observe(started.elapsed().as_secs_f64());
            match &outcome {
                Ok(Ok(_)) => shared.metrics.tool_forwarded("ok"),
                Ok(Err(_)) => shared.metrics.tool_forwarded("tool_error"),
                Err(failure) => shared.tool_call_failed(&calls, *failure),
            }
            drop(room);
            outcome
        }))
    }
}

impl Shared {
    fn new(settings: Settings) -> Result<Self, StartError> {
        let addresses = Addresses { private_networks: settings.private_networks };
        Ok(Self {
            client: Client::new(addresses, &settings.extra_roots)?,
            tenants: Arc::default(),
            bases: settings.bases,
            pauses: commands::BACKOFF.into(),
            metrics: OutboundMetrics::new()?,
            tool_calls: Arc::new(Semaphore::new(TOOL_CALLS_MAX as usize)),
            commands: Arc::new(Semaphore::new(COMMANDS_MAX as usize)),
            command_lists: Semaphore::new(COMMAND_LISTS_MAX),
            failure_logged_at: AtomicU64::default(),
        })
    }

    async fn send(&self, api: &Api, recipient: &Recipient, commands: Vec<Command>) {
        let _turn = self.command_lists.acquire().await;
        for command in commands {
            let outcome = commands::send(&self.client, recipient, command, &self.pauses).await;
            let label = outcome.map_or_else(Failure::label, |()| "sent");
            self.metrics.commands.with_label_values(&[label]).inc();
            if outcome.is_err() && self.may_log() {
                tracing::warn!(api = api.base, reason = label, "a command to a provider failed");
            }
        }
    }

    fn tool_call_failed(&self, calls: &ToolCalls, failure: Failure) {
        self.metrics.tool_forwarded(failure.label());
        if self.may_log() {
            tracing::warn!(tenant = %calls.tenant_id, reason = failure.label(), "a tool call failed");
        }
    }

    /// Whether nothing was logged in this second.
    fn may_log(&self) -> bool {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.failure_logged_at.swap(since_1970.as_secs(), Ordering::Relaxed) != since_1970.as_secs()
    }

    /// Once nothing is under way; from then on nothing is taken.
    async fn done(&self) {
        for (semaphore, all) in [(&self.tool_calls, TOOL_CALLS_MAX), (&self.commands, COMMANDS_MAX)] {
            let _all = semaphore.acquire_many(all).await;
            semaphore.close();
        }
    }
}

async fn tidy(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        shared.client.pool.tidy(now);
        shared.tenants.tidy(now);
    }
}
