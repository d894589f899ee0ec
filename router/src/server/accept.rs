//! One worker: accepts, asks whether a connection may be, begins to serve it, and sees to the end of all at last.

use std::future::pending;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::http1::{self, Shared};
use super::spread::{Begun, Passed, Spread};
use super::{Listeners, Phase, draining, http2};
use crate::config::Drain;
use crate::metrics::Refused;
use crate::peers::{Admission, Peers};
use crate::tls::{Acceptor, Protocol};
use crate::webhook::Peer;

/// How long to wait before accepting again when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long refusing may take at a time while the worker is overloaded: little beside the time for which it answers
/// meanwhile. Who isn't come to waits in the listener's queue.
const REFUSING_MAX: Duration = Duration::from_millis(10);

/// What a worker's thread holds.
pub(super) struct Worker {
    /// Its place among the workers.
    pub index: usize,
    pub spread: Spread,
    pub shared: Arc<Shared>,
    pub peers: Arc<Peers>,
    pub phase: watch::Receiver<Phase>,
    pub drain: Drain,
}

impl Worker {
    /// Serves until the router drains.
    pub async fn run(self, listeners: Listeners, mut inbox: UnboundedReceiver<Passed>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { shared.lag.watch(&shared.webhooks.metrics.lag).await });
        let webhooks = Arc::clone(&self.shared.webhooks);
        tokio::spawn(async move { http1::give_turns(&webhooks.metrics.requests_waiting).await });
        let (plain, secure) = match Entrance::of(listeners) {
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
                Some(passed) = inbox.recv() => {
                    self.receive(passed, &mut connections);
                    continue;
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            match accepted {
                Ok(accepted) if self.shared.lag.excessive() => self.refuse(accepted, entrance).await,
                Ok((stream, peer)) => self.admit(entrance, stream, peer, &mut connections),
                Err(error) => {
                    self.shared.webhooks.metrics.refused(Refused::System);
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // What already waits in the sockets' queues would be reset when they close: those callers are served, too.
        for entrance in [Some(plain), secure].into_iter().flatten() {
            while let Some(Ok((stream, peer))) = ready(entrance.listener.accept()).await {
                self.admit(&entrance, stream, peer, &mut connections);
            }
        }
        // From now on whoever would pass one on serves it.
        inbox.close();
        while let Some(passed) = inbox.recv().await {
            self.receive(passed, &mut connections);
        }
        self.finish(connections).await;
    }

    /// Ends the connections: those in use with their next answer, idle ones after a grace, any at the timeout.
    async fn finish(&self, mut connections: JoinSet<()>) {
        let closing = &self.shared.closing;
        closing.announce();
        let mut all = pin!(async { while connections.join_next().await.is_some() {} });
        let grace = self.drain.grace.min(self.drain.timeout);
        if tokio::time::timeout(grace, all.as_mut()).await.is_ok() {
            return;
        }
        closing.close_idle();
        if tokio::time::timeout(self.drain.timeout - grace, all).await.is_err() {
            tracing::warn!("drain timeout: closing what is still open");
        }
    }

    /// Begins a connection here or with the worker that has the fewest, unless a limit is reached.
    fn admit(&self, entrance: &Entrance, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let webhooks = &self.shared.webhooks;
        let admission = match self.peers.admit(peer.ip(), webhooks.origins.trusts(peer.ip())) {
            Ok(admission) => admission,
            Err(reason) => return webhooks.metrics.refused(reason),
        };
        // Without it an answer in two packets would wait for the first one's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (place, tls) = (self.spread.place(self.index), entrance.tls.clone());
        let peer = Peer { address: peer.ip(), tls: tls.is_some() };
        if place.worker() == self.index {
            return self.begin(stream, Begun { tls, peer, admission, place }, connections);
        }
        // Only a socket that the runtime can't let go of is lost here.
        let Ok(stream) = stream.into_std() else { return };
        let passed = Passed { stream, begun: Begun { tls, peer, admission, place } };
        if let Err(refused) = self.spread.pass(passed) {
            self.receive(*refused, connections);
        }
    }

    fn receive(&self, passed: Passed, connections: &mut JoinSet<()>) {
        match TcpStream::from_std(passed.stream) {
            Ok(stream) => self.begin(stream, passed.begun, connections),
            Err(error) => tracing::warn!(%error, "register a connection"),
        }
    }

    fn begin(&self, stream: TcpStream, begun: Begun, connections: &mut JoinSet<()>) {
        // Here as well: while connections come without a pause, nothing else is asked, and what has ended would be kept.
        while connections.try_join_next().is_some() {}
        let Begun { tls, peer, admission, place } = begun;
        let shared = Arc::clone(&self.shared);
        // Two tasks of their own kinds, as that of a plain connection is much the smaller.
        match tls {
            None => connections.spawn(async move {
                http1::serve(stream, peer, admission, shared).await;
                drop(place);
            }),
            Some(tls) => connections.spawn(async move {
                shake_hands_and_serve(tls, stream, peer, admission, shared).await;
                drop(place);
            }),
        };
    }

    /// Tells this one and others that wait that there is no place for them.
    /// Over TLS nothing can be said without a handshake, which costs more than an answer: these are closed.
    async fn refuse(&self, accepted: (TcpStream, SocketAddr), entrance: &Entrance) {
        let started = Instant::now();
        let mut next = Some(Ok(accepted));
        while let Some(Ok((stream, _))) = next {
            self.shared.webhooks.metrics.refused(Refused::Overloaded);
            if entrance.tls.is_none() {
                say_overloaded(stream);
            }
            if started.elapsed() > REFUSING_MAX {
                break;
            }
            next = ready(tokio::task::unconstrained(entrance.listener.accept())).await;
        }
        // The others' turn, however many still wait.
        tokio::task::yield_now().await;
    }
}

/// A socket, and what makes its connections secure.
struct Entrance {
    listener: TcpListener,
    tls: Option<Acceptor>,
}

impl Entrance {
    /// The plain one, and that for TLS.
    fn of(listeners: Listeners) -> io::Result<(Self, Option<Self>)> {
        let register =
            |listener, tls| Ok::<_, io::Error>(Self { listener: TcpListener::from_std(listener)?, tls });
        let secure = listeners.secure.map(|(listener, tls)| register(listener, Some(tls)));
        Ok((register(listeners.plain, None)?, secure.transpose()?))
    }
}

/// The next connection at an entrance; never one where there is none.
async fn accept(entrance: Option<&Entrance>) -> (&Entrance, io::Result<(TcpStream, SocketAddr)>) {
    match entrance {
        Some(entrance) => (entrance, entrance.listener.accept().await),
        None => pending().await,
    }
}

/// A handshake that fails ends the connection, and gives its place back.
async fn shake_hands_and_serve(
    tls: Acceptor,
    stream: TcpStream,
    peer: Peer,
    admission: Admission,
    shared: Arc<Shared>,
) {
    match tls.accept(stream).await {
        Some((stream, Protocol::Http1)) => http1::serve(stream, peer, admission, shared).await,
        Some((stream, Protocol::Http2)) => http2::serve(stream, peer, admission, shared).await,
        None => {}
    }
}

/// Answers without reading on, and closes. The request's first bytes, if they are there, are taken first: closing with
/// something unread would reset the connection, and the client might never see the answer.
fn say_overloaded(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.read(&mut [0; 4 << 10]);
        let _ = stream.write(http1::OVERLOADED);
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
