//! One worker: accepts, asks whether a connection may be, begins to serve it, and sees to the end of all at last.

use std::net::{self, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{self, Connection};
use super::{Phase, draining};
use crate::metrics::Refused;
use crate::peers::Peers;
use crate::webhook::Webhooks;

/// How long to wait before accepting again when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a worker's thread holds.
pub(super) struct Worker {
    pub webhooks: Arc<Webhooks>,
    pub peers: Arc<Peers>,
    pub phase: watch::Receiver<Phase>,
    pub header_timeout: Duration,
    pub drain_timeout: Duration,
}

impl Worker {
    /// Serves until the router drains.
    pub async fn run(self, listener: net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "register the listener"),
        };
        let mut connections = JoinSet::new();
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

    fn begin(&self, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        // Here as well: while connections come without a pause, nothing else is asked, and what has ended would be kept.
        while connections.try_join_next().is_some() {}
        let trusted = self.webhooks.origins.trusts(peer.ip());
        match self.peers.admit(peer.ip(), trusted) {
            Ok(admission) => {
                // Without it an answer in two packets would wait for the first one's acknowledgement.
                let _ = stream.set_nodelay(true);
                let connection = Connection {
                    peer: peer.ip(),
                    admission,
                    webhooks: Arc::clone(&self.webhooks),
                    header_timeout: self.header_timeout,
                    phase: self.phase.clone(),
                };
                connections.spawn(connection::serve(stream, connection));
            }
            Err(reason) => self.webhooks.metrics.refused(reason),
        }
    }
}

/// What a future gives at once; `None` when it would wait.
async fn ready<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
