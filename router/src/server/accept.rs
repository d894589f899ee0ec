//! One worker: accepts, asks whether a connection may be, begins to serve it, and sees to the end of all at last.

use std::io::{Read, Write};
use std::net::{self, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::connection::{self, Shared};
use super::spread::{Passed, Place, Spread};
use super::{Phase, draining};
use crate::config::Drain;
use crate::metrics::Refused;
use crate::peers::{Admission, Peers};

/// How long to wait before accepting again when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long refusing may take at a time while the worker is overloaded: little beside the time for which it answers
/// meanwhile. Who isn't come to waits in the listener's queue.
const REFUSING_MAX: Duration = Duration::from_millis(10);

/// All that somebody is told for whom there is no place.
static OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    dialplane-outcome: overloaded\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 11\r\n\r\noverloaded\n";

/// What a worker's thread holds.
pub(super) struct Worker {
    pub index: usize,
    pub spread: Spread,
    pub shared: Arc<Shared>,
    pub peers: Arc<Peers>,
    pub phase: watch::Receiver<Phase>,
    pub drain: Drain,
}

impl Worker {
    /// Serves until the router drains.
    pub async fn run(self, listener: net::TcpListener, mut inbox: UnboundedReceiver<Passed>) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { shared.lag.watch(&shared.webhooks.metrics.lag).await });
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
                    Ok(accepted) if self.shared.lag.excessive() => self.refuse(accepted, &listener).await,
                    Ok((stream, peer)) => self.admit(stream, peer, &mut connections),
                    Err(error) => {
                        self.shared.webhooks.metrics.refused(Refused::System);
                        tracing::warn!(%error, "accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(passed) = inbox.recv() => self.receive(passed, &mut connections),
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        // What already waits in the socket's queue would be reset when it closes: those callers are served, too.
        while let Some(Ok((stream, peer))) = ready(listener.accept()).await {
            self.admit(stream, peer, &mut connections);
        }
        drop(listener);
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
    fn admit(&self, stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let webhooks = &self.shared.webhooks;
        let admission = match self.peers.admit(peer.ip(), webhooks.origins.trusts(peer.ip())) {
            Ok(admission) => admission,
            Err(reason) => return webhooks.metrics.refused(reason),
        };
        // Without it an answer in two packets would wait for the first one's acknowledgement.
        let _ = stream.set_nodelay(true);
        let place = self.spread.place(self.index);
        if place.worker() == self.index {
            return self.begin(stream, peer, admission, place, connections);
        }
        // Only a socket that the runtime can't let go of is lost here.
        let Ok(stream) = stream.into_std() else { return };
        if let Err(refused) = self.spread.pass(Passed { stream, peer, admission, place }) {
            self.receive(*refused, connections);
        }
    }

    fn receive(&self, passed: Passed, connections: &mut JoinSet<()>) {
        let Passed { stream, peer, admission, place } = passed;
        match TcpStream::from_std(stream) {
            Ok(stream) => self.begin(stream, peer, admission, place, connections),
            Err(error) => tracing::warn!(%error, "register a connection"),
        }
    }

    fn begin(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        admission: Admission,
        place: Place,
        connections: &mut JoinSet<()>,
    ) {
        // Here as well: while connections come without a pause, nothing else is asked, and what has ended would be kept.
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&self.shared);
        connections.spawn(async move {
            connection::serve(stream, peer.ip(), admission, shared).await;
            drop(place);
        });
    }

    /// Tells this one and others that wait that there is no place for them.
    async fn refuse(&self, accepted: (TcpStream, SocketAddr), listener: &TcpListener) {
        let started = Instant::now();
        let mut next = Some(Ok(accepted));
        while let Some(Ok((stream, _))) = next {
            self.shared.webhooks.metrics.refused(Refused::Overloaded);
            say_overloaded(stream);
            if started.elapsed() > REFUSING_MAX {
                break;
            }
            next = ready(tokio::task::unconstrained(listener.accept())).await;
        }
        // The others' turn, however many still wait.
        tokio::task::yield_now().await;
    }
}

/// Answers without reading on, and closes. The request's first bytes, if they are there, are taken first: closing with
/// something unread would reset the connection, and the client might never see the answer.
fn say_overloaded(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.read(&mut [0; 4 << 10]);
        let _ = stream.write(OVERLOADED);
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
