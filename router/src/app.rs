//! Wires the parts: what starts and stops in which order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::follower::{Follower, Jitter, Standing};
use crate::keeper::Keeper;
use crate::ops::{self, Ops};
use crate::outbound::{self, Outbound};
use crate::server::{self, Phase};
use crate::snapshot::file;
use crate::webhook::Webhooks;

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
    /// A mistake in the metrics.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Runs the router until SIGTERM or SIGINT.
///
/// # Errors
/// See [`StartError`].
pub fn run(config: Config) -> Result<(), StartError> {
    let listener = bind("ROUTER_LISTEN", config.listen)?;
    let ops_listener = bind("ROUTER_OPS_LISTEN", config.ops_listen)?;
    let (address, ops_address) = (listener.local_addr()?, ops_listener.local_addr()?);
    let id = config.id.clone().unwrap_or_else(|| format!("{}:{}", host_name(), address.port()));
    let (standing, _) = watch::channel(Standing { id: id.clone(), ..Standing::default() });
    let (phase, _) = watch::channel(Phase::Serving);

    let webhooks = Arc::new(webhooks(&config)?);
    let from_file = read_file(&config, &webhooks, &standing)?;
    let keeper = config.snapshot_file.clone().map(|path| {
        let keeper = Keeper::new(Arc::clone(&webhooks), path, from_file);
        let standing = standing.subscribe();
        std::thread::Builder::new().name("snapshot-file".into()).spawn(move || keeper.run(standing))
    });
    let keeper = keeper.transpose()?;

    let workers = server::start(&listener, &webhooks, &config)?;
    let ops = Arc::new(Ops {
        webhooks: Arc::clone(&webhooks),
        standing: standing.subscribe(),
        phase: phase.subscribe(),
    });
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    control.spawn(ops::serve(ops_listener, ops));
    // The keeper writes until the standing's last sender is gone.
    let alone = match config.redis.clone() {
        Some(client) => {
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
    let ended = {
        let _inside = control.enter();
        ended()?
    };
    announce(address, ops_address, &id);

    control.block_on(ended);
    tracing::info!("draining");
    phase.send_replace(Phase::Draining);
    std::thread::sleep(config.drain.delay);
    drop(listener);
    let open = workers.drain();
    // After the webhooks, which give it what to do; what they wait for is within their own time.
    webhooks.outbound.drain(config.drain.timeout);
    control.shutdown_timeout(Duration::from_secs(1));
    drop(alone);
    if let Some(keeper) = keeper {
        let _ = keeper.join();
    }
    tracing::info!(open, "ended");
    Ok(())
}

fn bind(setting: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Bind { setting, address, error })
}

fn webhooks(config: &Config) -> Result<Webhooks, StartError> {
    let outbound = Outbound::start(config.outbound.clone())?;
    let (keys, origins) = (Arc::clone(&config.keys), config.origins.clone());
    Ok(Webhooks::new(keys, origins, config.limits.body_timeout, outbound)?)
}

/// Serves what the file holds. Without Redis there is nothing else; with it, a file that can't be used is a warning.
fn read_file(
    config: &Config,
    webhooks: &Webhooks,
    standing: &watch::Sender<Standing>,
) -> Result<Option<dialplane_common::feed::report::Serving>, StartError> {
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
fn announce(address: SocketAddr, ops: SocketAddr, id: &str) {
    println!("dialplane-router: webhooks http://{address} ops http://{ops} id {id}");
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
