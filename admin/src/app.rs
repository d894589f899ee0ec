//! Wires the parts, and starts and stops them in order.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dialplane_common::feed::FRAMES_BYTES_MAX;
use dialplane_common::feed::keys::Keys;
use dialplane_common::secret::Secret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::Failure;
use crate::api::{self, Api};
use crate::bulk::worker::Worker;
use crate::config::{MigrateSettings, ServeSettings};
use crate::fleet::Fleet;
use crate::listener;
use crate::metrics::Metrics;
use crate::ops::{self, Ops};
use crate::publisher::{self, Publisher};
use crate::redis_link::RedisLink;
use crate::store::api_keys::{self, NewApiKey};
use crate::store::{self, Scope, Store, StoreError};
use crate::telemetry;

/// Requests under way at a stop have this long to finish.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A Postgres that starts together with us is up by then.
const POSTGRES_WAIT: Duration = Duration::from_secs(30);

/// Runs the control plane until it is told to stop.
///
/// # Errors
/// When it can't start: a port that is taken, a Postgres that doesn't come up.
pub async fn serve(settings: ServeSettings) -> Result<(), Failure> {
    telemetry::start(settings.log);
    let store = Store::new(&settings.database_url, Arc::new(settings.seal_keys))
        .map_err(|error| Failure::new("open the database", &error))?;
    let api_listener = bind("ADMIN_LISTEN", settings.listen).await?;
    let ops_listener = bind("ADMIN_OPS_LISTEN", settings.ops_listen).await?;
    await_postgres(store.pool()).await?;
    if settings.migrate {
        store::migrate(store.pool()).await.map_err(|error| Failure::new("migrate the database", &error))?;
    }
    if let Some(key) = &settings.bootstrap_key {
        keep_bootstrap_key(&store, key)
            .await
            .map_err(|error| Failure::new("keep ADMIN_BOOTSTRAP_KEY", &error))?;
    }
    let metrics = Arc::new(Metrics::new().map_err(|error| Failure::new("register metrics", &error))?);
    let fleet = Fleet::watch(settings.redis.clone(), settings.redis_keys.clone(), Arc::clone(&metrics));
    let wake = Arc::new(Notify::new());
    let is_publishing = Arc::new(AtomicBool::new(false));
    let worker = Worker {
        store: store.clone(),
        fleet: fleet.clone(),
        wake: Arc::clone(&wake),
        imports: Arc::new(Notify::new()),
    };
    let api = Api {
        store: store.clone(),
        fleet: fleet.clone(),
        wake: Arc::clone(&wake),
        imports: Arc::clone(&worker.imports),
        is_publishing: Arc::clone(&is_publishing),
        metrics: Arc::clone(&metrics),
    };
    let publisher = Publisher {
        store: store.clone(),
        link: Arc::new(RedisLink::new(settings.redis)),
        keys: Keys::clone(&settings.redis_keys),
        fleet,
        wake: Arc::clone(&wake),
        is_publishing,
        checkpoint_entries: settings.checkpoint_entries,
        chunk_bytes: FRAMES_BYTES_MAX,
        metrics: Arc::clone(&metrics),
    };
    // Before anybody knows that it runs: a signal that came earlier would kill it.
    let signal = stop_signal().map_err(|error| Failure::new("wait for signals", &error))?;
    announce(&api_listener, &ops_listener)?;
    run(Parts { api_listener, ops_listener, api, worker, publisher, store, metrics, wake }, signal).await
}

struct Parts {
    api_listener: TcpListener,
    ops_listener: TcpListener,
    api: Api,
    worker: Worker,
    publisher: Publisher,
    store: Store,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
}

/// Serves until a signal; then requests finish first, the publisher last, so that what they wrote is published.
async fn run(parts: Parts, signal: impl Future<Output = &'static str>) -> Result<(), Failure> {
    let (stop_api, api_stopped) = watch::channel(false);
    let importing = tokio::spawn(parts.worker.run(api_stopped.clone()));
    let (stop_publisher, publisher_stopped) = watch::channel(false);
    let listening = tokio::spawn(publisher::listen(parts.store.clone(), parts.wake));
    let publishing = tokio::spawn(parts.publisher.run(publisher_stopped));
    let ops = ops::router(Ops { store: parts.store, metrics: parts.metrics });
    // The operations listener goes on until the end: a stop is seen there too.
    let serving_ops = tokio::spawn(listener::serve(parts.ops_listener, ops, std::future::pending()));
    let stopped = wait_until(api_stopped);
    let serving = listener::serve(parts.api_listener, api::router(parts.api), stopped);
    let serving = tokio::spawn(serving);
    // Not inside the log line, which evaluates nothing when its level is off.
    let name = signal.await;
    tracing::info!(signal = name, "stopping");
    let _ = stop_api.send(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, serving).await.is_err() {
        tracing::warn!("requests under way were cut off");
    }
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, importing).await;
    let _ = stop_publisher.send(true);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, publishing).await;
    listening.abort();
    serving_ops.abort();
    Ok(())
}

async fn wait_until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone stops as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Resolves to the name of the signal that asks to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

async fn bind(name: &str, address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure::new(&format!("{name}={address}"), &error))
}

/// One line that says where we are, since port 0 takes any.
fn announce(api: &TcpListener, ops: &TcpListener) -> Result<(), Failure> {
    let address = |listener: &TcpListener| {
        listener.local_addr().map_err(|error| Failure::new("ask for the listener's address", &error))
    };
    let (api, ops) = (address(api)?, address(ops)?);
    #[expect(clippy::print_stdout, reason = "whoever started the process reads it")]
    {
        println!("dialplane-admin: api http://{api} ops http://{ops}");
    }
    Ok(())
}

async fn await_postgres(pool: &sqlx::PgPool) -> Result<(), Failure> {
    let deadline = tokio::time::Instant::now() + POSTGRES_WAIT;
    loop {
        match pool.acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= deadline || !is_passing(&error) => {
                return Err(Failure::new("reach Postgres (DATABASE_URL)", &error));
            }
            Err(error) => {
                tracing::warn!(%error, "waiting for Postgres");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
}

/// Whether waiting may help: not for a wrong password or an unknown database.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(reason) => {
            reason.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("53"))
        }
        _ => true,
    }
}

async fn keep_bootstrap_key(store: &Store, key: &Secret) -> Result<(), StoreError> {
    let text = String::from_utf8_lossy(key.expose()).into_owned();
    let key = NewApiKey {
        tenant_id: None,
        name: "bootstrap",
        role: "operator",
        hash: api::auth::hash(&text),
        hint: &text[text.len().saturating_sub(4)..],
        expires_at: None,
    };
    let mut tx = store.write(Scope::Operator).await?;
    if let Some(stored) = api_keys::insert(tx.conn(), &key).await? {
        tx.record(&stored.record()?)?;
    }
    tx.commit().await?;
    Ok(())
}

/// Brings the database's schema to this program's version.
///
/// # Errors
/// When Postgres can't be reached or a migration fails.
pub async fn migrate(settings: MigrateSettings) -> Result<(), Failure> {
    telemetry::start(settings.log);
    let pool =
        store::open(&settings.database_url).map_err(|error| Failure::new("open the database", &error))?;
    await_postgres(&pool).await?;
    store::migrate(&pool).await.map_err(|error| Failure::new("migrate the database", &error))?;
    #[expect(clippy::print_stdout, reason = "the one who ran the command reads it")]
    {
        println!("dialplane-admin: the schema is up to date");
    }
    Ok(())
}
