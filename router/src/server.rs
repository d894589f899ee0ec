//! Connections: accepted, bounded, served by one of several single-threaded runtimes, drained at the end.
//!
//! All workers accept from one listening socket. A busy worker accepts less, so load spreads by itself, and a second
//! router by mistake on the same port is told so, which sockets that share a port would hide.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::config::Config;
use crate::metrics::Refused;
use crate::peers::{Admission, Peers};
use crate::webhook::Webhooks;

/// The largest head of a request. Twilio's are below 2 KiB; proxies add cookies and traces.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// The most headers of a request.
const HEADERS_MAX: usize = 100;

/// How long to wait before accepting again when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

/// Starts the workers on a bound listener.
///
/// # Errors
/// When the system has no thread or no descriptor left.
pub fn start(
    listener: &std::net::TcpListener,
    webhooks: &Arc<Webhooks>,
    config: &Config,
) -> io::Result<Workers> {
    listener.set_nonblocking(true)?;
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
        let listener = listener.try_clone()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || runtime.block_on(worker.run(listener)))?);
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

struct Worker {
    webhooks: Arc<Webhooks>,
    peers: Arc<Peers>,
    phase: watch::Receiver<Phase>,
    header_timeout: Duration,
    drain_timeout: Duration,
}

impl Worker {
    async fn run(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "register the listener"),
        };
        let mut connections = tokio::task::JoinSet::new();
        let mut phase = self.phase.clone();
        loop {
            tokio::select! {
                biased;
                () = draining(&mut phase) => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer, &mut connections),
                    Err(error) => {
                        self.webhooks.metrics.refused(Refused::System);
                        tracing::warn!(%error, "accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        // What already waits in the socket's queue would be reset when it closes: those callers are served, too.
        while let Some(Ok((stream, peer))) = ready(listener.accept()).await {
            self.begin(stream, peer, &mut connections);
        }
        drop(listener);
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain_timeout, finish).await.is_err() {
            tracing::warn!(open = connections.len(), "drain timeout: closing what is still open");
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr, connections: &mut tokio::task::JoinSet<()>) {
        // Here as well: while connections come without a pause, nothing else is asked, and what has ended would be kept.
        while connections.try_join_next().is_some() {}
        let trusted = self.webhooks.origins.trusts(peer.ip());
        match self.peers.admit(peer.ip(), trusted) {
            Ok(admission) => {
                // Without it an answer in two packets would wait for the first one's acknowledgement.
                let _ = stream.set_nodelay(true);
                let webhooks = Arc::clone(&self.webhooks);
                let served =
                    serve(stream, peer, admission, webhooks, self.header_timeout, self.phase.clone());
                connections.spawn(served);
            }
            Err(reason) => self.webhooks.metrics.refused(reason),
        }
    }
}

/// Waits for the end of serving.
async fn draining(phase: &mut watch::Receiver<Phase>) {
    // An error means that the other end is gone: the process ends all the same.
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
}

/// What a future gives at once; `None` when it would wait.
async fn ready<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
    webhooks: Arc<Webhooks>,
    header_timeout: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    webhooks.metrics.connections.inc();
    let service = service_fn(|request| {
        let webhooks = &webhooks;
        async move { Ok::<_, Infallible>(webhooks.handle(request, peer.ip()).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = draining(&mut phase) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    webhooks.metrics.connections.dec();
    drop(admission);
}
