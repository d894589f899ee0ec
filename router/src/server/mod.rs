//! Connections: accepted, bounded, served by one of several single-threaded runtimes, drained at the end.
//!
//! `listen` has the sockets, `accept` a worker's loop over them, `connection` what is done with one that is open, and
//! `http2` with one that speaks HTTP/2.
//!
//! All workers accept from one listening socket. A busy worker accepts less, so load spreads by itself, and a second
//! router by mistake on the same port is told so, which sockets that share a port would hide.

mod accept;
pub mod connection;
mod http2;
pub mod listen;

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

/// Starts the workers on bound listeners.
///
/// # Errors
/// When the system has no thread or no descriptor left.
pub fn start(listeners: &Listeners, webhooks: &Arc<Webhooks>, config: &Config) -> io::Result<Workers> {
    let Listeners { plain, secure } = listeners;
    plain.set_nonblocking(true)?;
    if let Some((listener, _)) = secure {
        listener.set_nonblocking(true)?;
    }
    let peers = Arc::new(Peers::new(config.limits));
    let (phase, _) = watch::channel(Phase::Serving);
    let mut threads = Vec::with_capacity(config.workers);
    for index in 0..config.workers {
        let worker = Worker {
            webhooks: Arc::clone(webhooks),
            peers: Arc::clone(&peers),
            phase: phase.subscribe(),
            header_timeout: config.limits.header_timeout,
            drain_timeout: config.drain.timeout,
        };
        let plain = plain.try_clone()?;
        let secure =
            secure.as_ref().map(|(listener, tls)| Ok::<_, io::Error>((listener.try_clone()?, tls.clone())));
        let secure = secure.transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || runtime.block_on(worker.run(plain, secure)))?);
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
