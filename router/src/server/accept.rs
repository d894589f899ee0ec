//! One worker: accepts, asks whether a connection may be, begins to serve it, and sees to the end of all at last.

use std::future::pending;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{self, Connection};
use super::{Phase, draining, http2};
use crate::metrics::Refused;
use crate::peers::Peers;
use crate::tls::{Acceptor, Protocol};
use crate::webhook::{Peer, Webhooks};

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
    pub async fn run(self, plain: net::TcpListener, secure: Option<(net::TcpListener, Acceptor)>) {
        let register =
            |listener, tls| Ok::<_, io::Error>(Entrance { listener: TcpListener::from_std(listener)?, tls });
        let plain = register(plain, None);
        let secure = secure.map(|(listener, tls)| register(listener, Some(tls))).transpose();
        let (plain, secure) = match plain.and_then(|plain| Ok((plain, secure?))) {
            Ok(entrances) => entrances,
            Err(error) => return tracing::error!(%error, "register the listeners"),
        };
        let mut connections = JoinSet::new();
        let mut phase = self.phase.clone();
        loop {
            // In no fixed order: connections that come without a pause at one entrance must not keep the other waiting.
            let (entrance, accepted) = tokio::select! {
                () = draining(&mut phase) => break,
                accepted = plain.listener.accept() => (&plain, accepted),
                accepted = accept(secure.as_ref()) => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            match accepted {
                Ok((stream, peer)) => self.begin(entrance, stream, peer, &mut connections),
                Err(error) => {
                    self.webhooks.metrics.refused(Refused::System);
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // What already waits in the sockets' queues would be reset when they close: those callers are served, too.
        for entrance in [Some(plain), secure].into_iter().flatten() {
            while let Some(Ok((stream, peer))) = ready(entrance.listener.accept()).await {
                self.begin(&entrance, stream, peer, &mut connections);
            }
        }
        let finish = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain_timeout, finish).await.is_err() {
            tracing::warn!(open = connections.len(), "drain timeout: closing what is still open");
        }
    }

    fn begin(&self, entrance: &Entrance, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        // Here as well: while connections come without a pause, nothing else is asked, and what has ended would be kept.
        while connections.try_join_next().is_some() {}
        let trusted = self.webhooks.origins.trusts(peer.ip());
        match self.peers.admit(peer.ip(), trusted) {
            Ok(admission) => {
                // Without it an answer in two packets would wait for the first one's acknowledgement.
                let _ = stream.set_nodelay(true);
                let connection = Connection {
                    peer: Peer { address: peer.ip(), tls: entrance.tls.is_some() },
                    admission,
                    webhooks: Arc::clone(&self.webhooks),
                    header_timeout: self.header_timeout,
                    phase: self.phase.clone(),
                };
                // Two tasks of their own kinds, as that of a plain connection is much the smaller.
                match entrance.tls.clone() {
                    None => connections.spawn(connection::serve(stream, connection)),
                    Some(tls) => connections.spawn(shake_hands_and_serve(tls, stream, connection)),
                };
            }
            Err(reason) => self.webhooks.metrics.refused(reason),
        }
    }
}

/// A socket, and what makes its connections secure.
struct Entrance {
    listener: TcpListener,
    tls: Option<Acceptor>,
}

/// The next connection at an entrance; never one where there is none.
async fn accept(entrance: Option<&Entrance>) -> (&Entrance, io::Result<(TcpStream, SocketAddr)>) {
    match entrance {
        Some(entrance) => (entrance, entrance.listener.accept().await),
        None => pending().await,
    }
}

/// A handshake that fails ends the connection, and gives its place back.
async fn shake_hands_and_serve(tls: Acceptor, stream: TcpStream, connection: Connection) {
    match tls.accept(stream).await {
        Some((stream, Protocol::Http1)) => connection::serve(stream, connection).await,
        Some((stream, Protocol::Http2)) => http2::serve(stream, connection).await,
        None => {}
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
