//! Wires the parts, and starts and stops them in order.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dialplane_common::feed::FRAMES_BYTES_MAX;
use dialplane_common::feed::keys::Keys;
use dialplane_common::secret::Secret;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::Failure;
use crate::api::auth::gate::Gate;
use crate::api::events::Realtime;
use crate::api::{self, Api};
use crate::audit::sealer::Sealer;
use crate::bulk::worker::Worker;
use crate::calls::consumer::Consumer;
use crate::calls::gauges::Gauges;
use crate::calls::live::{Announcer, Live};
use crate::calls::stream::Events;
use crate::config::{MigrateSettings, ServeSettings};
use crate::fleet::Fleet;
use crate::listener;
use crate::live::LiveReader;
use crate::metrics::Metrics;
use crate::oidc::Oidc;
use crate::ops::{self, Ops};
use crate::outbound;
use crate::plans;
use crate::provisioning::Provisioner;
use crate::provisioning::client::Client;
use crate::provisioning::reconcile::Reconciler;
use crate::provisioning::watch::Watch;
use crate::publisher::Publisher;
use crate::realtime::hub::Hub;
use crate::realtime::slots::Slots;
use crate::realtime::{relay, tail};
use crate::redis_link::RedisLink;
use crate::store::api_keys::{self, NewApiKey};
use crate::store::{self, Origin, Scope, Store, StoreError, audit, doorbell, feed};
use crate::sweep::Sweep;
use crate::telemetry;
use crate::usage::roll_up;

const ORIGIN: Origin = Origin::system("start");
/// One reads and folds while Postgres stores what another has.
const CONSUMERS: usize = 2;
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
    let provisioner = Provisioner {
        store: store.clone(),
        client: Arc::new(Client::new(
            outbound::client()?,
            outbound::public_client()?,
            settings.provider_bases,
            Arc::clone(&metrics),
        )),
        settings: Arc::new(settings.provisioning),
        wake: Arc::clone(&wake),
        bell: Arc::new(Notify::new()),
        metrics: Arc::clone(&metrics),
    };
    let (stop_api, stopping) = watch::channel(false);
    let oidc = match settings.oidc {
        Some(oidc) => Some(Arc::new(Oidc::new(oidc, outbound::client()?))),
        None => None,
    };
    let gate = Arc::new(Gate::new(settings.rates, oidc.clone(), Arc::clone(&metrics)));
    let api = Api {
        store: store.clone(),
        fleet: fleet.clone(),
        live: Arc::new(LiveReader::new(
            settings.redis.clone(),
            &settings.redis_keys,
            Arc::clone(store.keys()),
        )),
        wake: Arc::clone(&wake),
        imports: Arc::clone(&worker.imports),
        is_publishing: Arc::clone(&is_publishing),
        realtime: Realtime { hub: Hub::default(), slots: Slots::default(), stopping },
        gate,
        under_way: Live {
            link: Arc::new(RedisLink::new(settings.redis.clone())),
            keys: Keys::clone(&settings.redis_keys),
        },
        metrics: Arc::clone(&metrics),
        number_quarantine: settings.number_quarantine,
        provisioner: provisioner.clone(),
    };
    let (sealed, to_publish) = mpsc::channel(relay::BATCHES_MAX);
    let (link, keys) = (RedisLink::new(settings.redis.clone()), Keys::clone(&settings.redis_keys));
    let relay = relay::run(to_publish, link, keys, Arc::clone(&metrics));
    let wake_sealer = Arc::clone(store.committed());
    let sealer = Sealer { store: store.clone(), wake: wake_sealer, sealed, metrics: Arc::clone(&metrics) };
    let events = || Events::new(&settings.redis, Keys::clone(&settings.redis_keys));
    let consumers = std::array::from_fn(|_| Consumer {
        store: store.clone(),
        events: events(),
        announcer: Announcer::new(&settings.redis, Keys::clone(&settings.redis_keys)),
        metrics: Arc::clone(&metrics),
    });
    let gauges = Gauges {
        store: store.clone(),
        events: events(),
        metrics: Arc::clone(&metrics),
        is_publishing: Arc::clone(&is_publishing),
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
    let sweep = Sweep {
        store: store.clone(),
        is_publishing: Arc::clone(&api.is_publishing),
        keep_answers: settings.keep_answers,
        keep_calls_days: settings.keep_calls_days,
    };
    let watch = Watch {
        provisioner: provisioner.clone(),
        metrics: Arc::clone(&metrics),
        is_publishing: Arc::clone(&api.is_publishing),
    };
    // Before anybody knows that it runs: a signal that came earlier would kill it.
    let signal = stop_signal().map_err(|error| Failure::new("wait for signals", &error))?;
    announce(&api_listener, &ops_listener)?;
    let relaying = tokio::spawn(relay);
    let parts = Parts {
        api_listener,
        ops_listener,
        api,
        oidc,
        stop_api,
        worker,
        provisioner,
        publisher,
        sealer,
        relaying,
        sweep,
        consumers,
        gauges,
        watch,
        store,
        metrics,
        wake,
    };
    run(parts, signal).await
}

struct Parts {
    api_listener: TcpListener,
    ops_listener: TcpListener,
    api: Api,
    worker: Worker,
    provisioner: Provisioner,
    stop_api: watch::Sender<bool>,
    oidc: Option<Arc<Oidc>>,
    publisher: Publisher,
    sealer: Sealer,
    relaying: JoinHandle<()>,
    sweep: Sweep,
    consumers: [Consumer; CONSUMERS],
    gauges: Gauges,
    watch: Watch,
    store: Store,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
}

/// Serves until a signal; then requests finish first, publisher and sealer last, so that what they wrote is published and
/// sealed.
async fn run(parts: Parts, signal: impl Future<Output = &'static str>) -> Result<(), Failure> {
    let importing = tokio::spawn(parts.worker.run(parts.stop_api.subscribe()));
    let keeping_up = tokio::spawn(parts.provisioner.clone().keep_up(parts.stop_api.subscribe()));
    let reconciler = Reconciler::new(parts.provisioner.clone(), Arc::clone(&parts.metrics));
    let reconciling = tokio::spawn(reconciler.run(parts.stop_api.subscribe()));
    let provisioning = tokio::spawn(parts.provisioner.run(parts.stop_api.subscribe()));
    let consuming = parts.consumers.map(|consumer| tokio::spawn(consumer.run(parts.stop_api.subscribe())));
    let planning =
        tokio::spawn(plans::run(parts.store.clone(), Arc::clone(&parts.wake), parts.stop_api.subscribe()));
    let rolling_up = tokio::spawn(roll_up::run(parts.store.clone(), parts.stop_api.subscribe()));
    let (stop_background, background_stopped) = watch::channel(false);
    let sealed = Arc::new(Notify::new());
    let bells = vec![(feed::CHANNEL, parts.wake), (audit::CHANNEL, Arc::clone(&sealed))];
    let listening = tokio::spawn(doorbell::ring(parts.store.clone(), bells));
    let tailing = tokio::spawn(tail::follow(parts.store.clone(), parts.api.realtime.hub.clone(), sealed));
    let publishing = tokio::spawn(parts.publisher.run(background_stopped.clone()));
    let sealing = tokio::spawn(parts.sealer.run(background_stopped));
    let letting_in = tokio::spawn(let_in(
        Arc::clone(&parts.api.gate),
        parts.store.clone(),
        parts.oidc,
        Arc::clone(&parts.metrics),
    ));
    let sweeping = tokio::spawn(parts.sweep.run());
    let watching = tokio::spawn(parts.watch.run());
    let counting = tokio::spawn(parts.gauges.run());
    let ops = ops::router(Ops { store: parts.store, metrics: parts.metrics });
    // The operations listener goes on until the end: a stop is seen there too.
    let serving_ops = tokio::spawn(listener::serve(parts.ops_listener, ops, std::future::pending()));
    let realtime = parts.api.realtime.clone();
    let stopped = async move { realtime.stops().await };
    let serving = tokio::spawn(listener::serve(parts.api_listener, api::router(parts.api), stopped));
    // Not inside the log line, which evaluates nothing when its level is off.
    let name = signal.await;
    tracing::info!(signal = name, "stopping");
    let _ = parts.stop_api.send(true);
    if tokio::time::timeout(DRAIN_TIMEOUT, serving).await.is_err() {
        tracing::warn!("requests under way were cut off");
    }
    // A step that is asking a provider is finished; one that takes longer goes on elsewhere, from its lease on.
    let background = async {
        tokio::join!(
            importing,
            provisioning,
            keeping_up,
            reconciling,
            join_all(consuming),
            rolling_up,
            planning
        )
    };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, background).await;
    let _ = stop_background.send(true);
    // The relay ends with the sealer, which it gets its work from.
    let finish = async { tokio::join!(publishing, sealing, parts.relaying) };
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, finish).await;
    listening.abort();
    tailing.abort();
    letting_in.abort();
    sweeping.abort();
    watching.abort();
    counting.abort();
    serving_ops.abort();
    Ok(())
}

/// Keeps what is known of keys, and the issuer's, as it is.
async fn let_in(gate: Arc<Gate>, store: Store, oidc: Option<Arc<Oidc>>, metrics: Arc<Metrics>) {
    let keep_issuer_fresh = async {
        match oidc {
            Some(oidc) => oidc.issuer().keep_fresh(|is_good| metrics.oidc_fetched(is_good)).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(gate.keys.listen(&store), gate.keys.write_uses(&store), keep_issuer_fresh);
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
    let mut tx = store.write(Scope::Operator, &ORIGIN).await?;
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
