//! Wires the parts: what starts and stops in which order.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dialplane_common::feed::report::Serving;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::events::{self, Events};
use crate::follower::{Follower, Jitter, Standing};
use crate::keeper::Keeper;
use crate::live::sync::Sync;
use crate::live::{self, LiveCallCounts};
use crate::ops::{self, Ops};
use crate::outbound::{self, Outbound};
use crate::server::handover::{self, Predecessor, Successor};
use crate::server::{self, Listeners, Phase, listen};
use crate::snapshot::file;
use crate::tls::Acceptor;
use crate::webhook::Webhooks;

/// How long the end waits for Redis to take the last events. A Redis that is there takes them in milliseconds.
const EVENTS_STOP_MAX: Duration = Duration::from_secs(2);

/// Why the router can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken, or not ours to take.
    #[error("{setting}={address}: {error}")]
    Bind {
        /// Which setting names it.
        setting: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The sockets can't be handed over.
    #[error("ROUTER_HANDOVER_SOCKET={path}: {error}")]
    Handover {
        /// The path.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// There is no Redis, and the file can't be used.
    #[error("ROUTER_SNAPSHOT_FILE={path}: {reason}")]
    SnapshotFile {
        /// The file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The system has no thread or descriptor left.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// No requests can be made.
    #[error(transparent)]
    Outbound(#[from] outbound::StartError),
    /// No handshakes can be made.
    #[error("TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// A mistake in the metrics.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Runs the router until SIGTERM, SIGINT, or until another one has taken over.
///
/// # Errors
/// See [`StartError`].
pub fn run(mut config: Config) -> Result<(), StartError> {
    let tls = config.tls.take();
    check_descriptors(&config);
    let mut predecessor = predecessor(&config)?;
    let plain = bind("ROUTER_LISTEN", config.listen, predecessor.as_mut())?;
    let secure =
        tls.as_ref().map(|tls| bind("ROUTER_TLS_LISTEN", tls.listen, predecessor.as_mut())).transpose()?;
    let ops_listener = bind("ROUTER_OPS_LISTEN", config.ops_listen, predecessor.as_mut())?;
    let (address, ops_address) = (plain.local_addr()?, ops_listener.local_addr()?);
    let tls_address = secure.as_ref().map(TcpListener::local_addr).transpose()?;
    let id = config.id.clone().unwrap_or_else(|| format!("{}:{}", host_name(), address.port()));
    let (standing, _) = watch::channel(Standing { id: id.clone(), ..Standing::default() });
    let (phase, _) = watch::channel(Phase::Serving);

    let webhooks = Arc::new(webhooks(&config)?);
    let from_file = read_file(&config, &webhooks, &standing)?;
    let ops = Arc::new(Ops {
        webhooks: Arc::clone(&webhooks),
        standing: standing.subscribe(),
        phase: phase.subscribe(),
    });
    let mut stands = standing.subscribe();
    let kept = standing.subscribe();
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.spawn(live::expire(Arc::clone(&webhooks)));
    // The keeper writes until the standing's last sender is gone.
    let alone = match config.redis.clone() {
        Some(client) => {
            control.spawn(Sync::new(Arc::clone(&webhooks), client.clone(), &config.redis_namespace).run());
            control.spawn(
                Follower::new(
                    Arc::clone(&webhooks),
                    client,
                    &config.redis_namespace,
                    Jitter::random(),
                    standing,
                )
                .run(),
            );
            None
        }
        None => Some(standing),
    };
    // Before anybody knows that it runs: a signal that came earlier would kill it.
    let mut ended = {
        let _inside = control.enter();
        Box::pin(ended()?)
    };
    let secure = secure.zip(tls).map(|(listener, tls)| {
        let metrics = &webhooks.metrics.tls;
        let acceptor =
            Acceptor::new(tls.certificates.current(), config.limits.header_timeout, metrics.clone())?;
        let _inside = control.enter();
        control.spawn(tls.certificates.watch(signal(SignalKind::hangup())?, metrics.clone()));
        Ok::<_, StartError>((listener, acceptor))
    });
    let listeners = Listeners { plain, secure: secure.transpose()? };
    if predecessor.is_some() {
        // The other router answers on until this one can.
        let serving = stands.wait_for(|standing| standing.serving.is_some());
        if !control.block_on(before(&mut ended, serving)) {
            return Ok(());
        }
    }

    let events = start_events(&config, &webhooks)?;
    let workers = server::start(&listeners, &webhooks, &config)?;
    let ops_serve = control.spawn(ops::serve(ops_listener.try_clone()?, ops));
    let successors = match &config.handover_socket {
        Some(path) => Some(handover::listen(path).map_err(|error| handover_error(path, error))?),
        None => None,
    };
    if let Some(predecessor) = &mut predecessor {
        // If it ended just now, there is nobody to relieve.
        let _ = predecessor.relieve();
    }
    let keeper = keep(&config, &webhooks, from_file, kept, predecessor)?;
    announce(address, tls_address, ops_address, &id);

    let mut sockets = vec![("ROUTER_LISTEN", &listeners.plain), ("ROUTER_OPS_LISTEN", &ops_listener)];
    sockets.extend(listeners.secure.as_ref().map(|(listener, _)| ("ROUTER_TLS_LISTEN", listener)));
    let successor = control.block_on(async {
        tokio::select! {
            () = ended => None,
            Some(successor) = relieved(successors, &sockets) => Some(successor),
        }
    });
    tracing::info!(handed_over = successor.is_some(), "draining");
    phase.send_replace(Phase::Draining);
    if successor.is_some() {
        // The other router answers for operations as well.
        ops_serve.abort();
    } else {
        std::thread::sleep(config.drain.delay);
    }
    drop((listeners, ops_listener));
    let open = workers.drain();
    // After the webhooks, which give it what to do; what they wait for is within their own time.
    webhooks.outbound.drain(config.drain.timeout);
    if let Some(events) = events {
        events.stop(config.drain.timeout.min(EVENTS_STOP_MAX));
    }
    if config.redis.is_some() {
        control.block_on(live::sync::tell_all(&webhooks));
    }
    control.shutdown_timeout(Duration::from_secs(1));
    drop(alone);
    if let Some(keeper) = keeper {
        let _ = keeper.join();
    }
    tracing::info!(open, "ended");
    Ok(())
}

/// Whether something happens before the router is told to end.
async fn before<T>(
    ended: &mut (impl Future<Output = ()> + Unpin),
    something: impl Future<Output = T>,
) -> bool {
    tokio::select! {
        biased;
        () = ended => false,
        _ = something => true,
    }
}

/// Keeps the snapshot file fresh from now on; after a predecessor has ended, as a file has one writer.
fn keep(
    config: &Config,
    webhooks: &Arc<Webhooks>,
    written: Option<Serving>,
    standing: watch::Receiver<Standing>,
    predecessor: Option<Predecessor>,
) -> std::io::Result<Option<JoinHandle<()>>> {
    let Some(path) = config.snapshot_file.clone() else { return Ok(None) };
    let keeper = Keeper::new(Arc::clone(webhooks), path, written);
    let thread = std::thread::Builder::new().name("snapshot-file".into()).spawn(move || {
        if let Some(predecessor) = predecessor {
            predecessor.gone();
        }
        keeper.run(standing);
    });
    thread.map(Some)
}

/// Raises the limit on descriptors, and says so where it stays below what the settings allow.
fn check_descriptors(config: &Config) {
    if let Some(descriptors) = listen::raise_descriptors()
        && descriptors < config.limits.connections_max as u64
    {
        let connections_max = config.limits.connections_max;
        tracing::warn!(
            descriptors,
            connections_max,
            "fewer descriptors than connections: raise RLIMIT_NOFILE"
        );
    }
}

fn predecessor(config: &Config) -> Result<Option<Predecessor>, StartError> {
    let Some(path) = &config.handover_socket else { return Ok(None) };
    Predecessor::ask(path).map_err(|error| handover_error(path, error))
}

fn handover_error(path: &Path, error: std::io::Error) -> StartError {
    StartError::Handover { path: path.display().to_string(), error }
}

/// Resolves once another router serves in place of this one; `None` when none can.
async fn relieved(listener: Option<UnixListener>, sockets: &[handover::Named<'_>]) -> Option<Successor> {
    let relieved = handover::relieved(listener?, sockets).await;
    relieved.inspect_err(|error| tracing::error!(%error, "wait for the router that comes next")).ok()
}

fn bind(
    setting: &'static str,
    address: SocketAddr,
    predecessor: Option<&mut Predecessor>,
) -> Result<TcpListener, StartError> {
    listen::bind(setting, address, predecessor).map_err(|error| StartError::Bind { setting, address, error })
}

fn webhooks(config: &Config) -> Result<Webhooks, StartError> {
    let outbound = Outbound::start(config.outbound.clone())?;
    let (keys, origins) = (Arc::clone(&config.keys), config.origins.clone());
    let events = config.events.as_ref().map(|_| Events::on(config.workers)).unwrap_or_default();
    let live = LiveCallCounts::new(config.limits.call_max);
    Ok(Webhooks { events, live, ..Webhooks::new(keys, origins, config.limits.body_timeout, outbound)? })
}

fn start_events(config: &Config, webhooks: &Arc<Webhooks>) -> std::io::Result<Option<events::Running>> {
    let Some(settings) = &config.events else { return Ok(None) };
    let redis = config.redis.clone().map(|client| (client, &*config.redis_namespace));
    events::start(settings, webhooks, redis)
}

/// Serves what the file holds. Without Redis there is nothing else; with it, a file that can't be used is a warning.
fn read_file(
    config: &Config,
    webhooks: &Webhooks,
    standing: &watch::Sender<Standing>,
) -> Result<Option<Serving>, StartError> {
    let Some(path) = &config.snapshot_file else { return Ok(None) };
    let problem = match file::read(path, &config.keys) {
        Ok(Some(snapshot)) => {
            let serving = snapshot.serving();
            tracing::info!(revision = %serving.revision, file = %path.display(), "serving the snapshot file");
            webhooks.metrics.serving(&snapshot);
            standing.send_modify(|standing| {
                standing.serving = Some(serving);
                standing.unreadable_records = snapshot.unreadable_records();
            });
            webhooks.store.store(snapshot);
            return Ok(Some(serving));
        }
        Ok(None) => "there is no such file".to_owned(),
        Err(error) => error.to_string(),
    };
    if config.redis.is_none() {
        return Err(StartError::SnapshotFile { path: path.display().to_string(), reason: problem });
    }
    tracing::warn!(file = %path.display(), problem, "no snapshot file: waiting for Redis");
    Ok(None)
}

/// One line on standard output, for people and for scripts that let the system choose ports.
#[expect(clippy::print_stdout, reason = "the one line that is output, not log")]
fn announce(address: SocketAddr, tls: Option<SocketAddr>, ops: SocketAddr, id: &str) {
    let tls = tls.map(|address| format!(" tls https://{address}")).unwrap_or_default();
    println!("dialplane-router: webhooks http://{address}{tls} ops http://{ops} id {id}");
}

/// Resolves once the process is told to end; from now on a signal doesn't kill it.
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "router".to_owned() } else { name.to_owned() }
}
