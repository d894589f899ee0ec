//! Connections: accepted, bounded, served by one of several single-threaded runtimes, drained at the end.
//!
//! `listen` has the sockets, `handover` gives them to the router that comes next, `accept` a worker's loop over them,
//! `http1` and `http2` what is done with one that is open. `lag` says when a worker has
//! more than it can do, `closing` tells connections of the end, and `aside` keeps that cheap.
//!
//! All workers accept from one listening socket, and `spread` sees to it that all have as many connections. A second
//! router by mistake on the same port is told so, which sockets that share a port would hide; and the socket can be handed
//! over with its queue.

mod accept;
mod aside;
pub mod closing;
pub mod handover;
pub mod http1;
mod http2;
pub mod lag;
pub mod listen;
pub mod spread;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::config::Config;
use crate::peers::Peers;
use crate::tls::Acceptor;
use crate::webhook::Webhooks;
use accept::Worker;
use closing::Closing;
use http1::Shared;
use lag::Lag;
use spread::Spread;

/// What the workers are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Accept and serve.
    Serving,
    /// Accept what already waits, finish what is open, end.
    Draining,
}

/// The threads that answer.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    phase: watch::Sender<Phase>,
    peers: Arc<Peers>,
}

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For HTTP as it is.
    pub plain: TcpListener,
    /// For HTTP over TLS, and what shakes hands.
    pub secure: Option<(TcpListener, Acceptor)>,
}

impl Listeners {
    fn try_clone(&self) -> io::Result<Self> {
        let secure = self
            .secure
            .as_ref()
            .map(|(listener, tls)| Ok::<_, io::Error>((listener.try_clone()?, tls.clone())));
        Ok(Self { plain: self.plain.try_clone()?, secure: secure.transpose()? })
    }

    fn set_nonblocking(&self) -> io::Result<()> {
        self.plain.set_nonblocking(true)?;
        self.secure.as_ref().map_or(Ok(()), |(listener, _)| listener.set_nonblocking(true))
    }
}

/// Starts the workers on bound listeners.
///
/// # Errors
/// When the system has no thread or no descriptor left.
pub fn start(listeners: &Listeners, webhooks: &Arc<Webhooks>, config: &Config) -> io::Result<Workers> {
    listeners.set_nonblocking()?;
    let peers = Arc::new(Peers::new(config.limits));
    let (phase, _) = watch::channel(Phase::Serving);
    let mut threads = Vec::with_capacity(config.workers);
    let (spread, inboxes) = Spread::new(config.workers);
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let shared = Shared {
            webhooks: Arc::clone(webhooks),
            silence_max: config.limits.header_timeout,
            lag: Lag::new(config.limits.lag_max),
            closing: Closing::default(),
        };
        let worker = Worker {
            index,
            spread: spread.clone(),
            shared: Arc::new(shared),
            peers: Arc::clone(&peers),
            phase: phase.subscribe(),
            drain: config.drain,
        };
        let listeners = listeners.try_clone()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || {
            // As one task among many: what `block_on` runs itself has a turn before each few of the others.
            let ended = runtime.block_on(async { tokio::spawn(worker.run(listeners, inbox)).await });
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended");
            }
        })?);
    }
    Ok(Workers { threads, phase, peers })
}

impl Workers {
    /// Accepts no more, and waits until what is open is answered or the drain timeout is over.
    /// Returns how many connections were still open.
    #[must_use]
    pub fn drain(self) -> usize {
        self.phase.send_replace(Phase::Draining);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        self.peers.open()
    }
}

/// Waits for the end of serving.
async fn draining(phase: &mut watch::Receiver<Phase>) {
    // An error means that the other end is gone: the process ends all the same.
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
}
