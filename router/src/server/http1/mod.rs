//! One connection that speaks HTTP/1.1, with limits on what a head may be and how long anything may take.
//!
//! `fast_path` answers the requests that webhooks usually are, which `request` reads and `response` writes: read, decided and
//! sent without hyper (`answering`), in room that a worker's connections share (`room`). Under load several are read before
//! the first is answered, and answered before the first answer is sent (`gathered`), and what can't be answered in time is
//! refused (`turns`). At the first request that is anything else (chunked, another version, another method, no webhook's
//! path, something asked of the connection) it hands the connection to hyper, with what was read of it (`rewound`).

mod answering;
mod fast_path;
mod gathered;
mod request;
mod response;
mod rewound;
mod room;
mod turns;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::aside::Aside;
use super::closing::Closing;
use super::lag::Lag;
use crate::metrics::Metrics;
use crate::outcome::{Answer, Outcome};
use crate::peers::Admission;
use crate::webhook::{Peer, Webhooks, endpoint};
use fast_path::{Ended, FastPath};
pub(super) use gathered::give_turns;
pub(super) use response::OVERLOADED;

/// The largest head of a request. Twilio's are below 2 KiB; proxies add cookies and traces.
pub const HEAD_BYTES_MAX: usize = 32 << 10;

/// The most headers of a request.
pub const HEADERS_MAX: usize = 100;

/// How often within its time a silent connection is looked at: it ends at most a quarter of the time too late.
const LOOKS: u32 = 4;

/// What all connections of a worker share.
#[derive(Debug)]
pub struct Shared {
    /// What answers.
    pub webhooks: Arc<Webhooks>,
    /// How long a head may take to come and an answer to go, and how long a connection may be idle.
    pub silence_max: Duration,
    /// Whether the worker is too slow for what comes.
    pub lag: Lag,
    /// When to end.
    pub closing: Closing,
}

/// How far a connection is: odd while a request is worked on.
#[derive(Debug, Default)]
struct Progress(AtomicU64);

impl Progress {
    /// A request begins, or ends. One task alone calls it, so that nothing is lost between reading and writing.
    fn step(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// What was begun was no request yet: it is as if nothing had come.
    fn step_back(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(1), Ordering::Relaxed);
    }

    /// Waits until nothing has begun or ended within a time, and nothing is worked on: the client is idle, sends its
    /// head too slowly, or doesn't take its answers. What is worked on has limits of its own.
    async fn stalled(&self, within: Duration) {
        let mut silence = Silence::default();
        while silence.looks < LOOKS {
            tokio::time::sleep(within / LOOKS).await;
            silence.look(self.0.load(Ordering::Relaxed));
        }
    }
}

/// How long a connection has been silent.
#[derive(Debug, Default)]
struct Silence {
    seen: u64,
    looks: u32,
}

impl Silence {
    fn look(&mut self, steps: u64) {
        let idle = steps == self.seen && steps.is_multiple_of(2);
        self.looks = if idle { self.looks + 1 } else { 0 };
        self.seen = steps;
    }
}

/// A connection that is counted as open and has its place among those that may be. Dropping it gives both back.
#[derive(Debug)]
pub(super) struct Open<'a> {
    metrics: &'a Metrics,
    _admission: Admission,
}

impl<'a> Open<'a> {
    /// Counts it in.
    pub fn new(metrics: &'a Metrics, admission: Admission) -> Self {
        metrics.connections.inc();
        Self { metrics, _admission: admission }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// Serves requests on a stream until either end has enough: usual webhooks at once, from the first unusual request on
/// by hyper.
pub async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    admission: Admission,
    shared: Arc<Shared>,
) {
    let _open = Open::new(&shared.webhooks.metrics, admission);
    let progress = Progress::default();
    let stalled = pin!(progress.stalled(shared.silence_max));
    let idle_closes = pin!(shared.closing.idle_closes());
    let (mut stalled, mut idle_closes) = (Aside::new(stalled), Aside::new(idle_closes));
    let mut usual = FastPath::new(io, peer, &shared, &progress);
    let ended = tokio::select! {
        biased;
        ended = usual.serve(&mut idle_closes) => ended,
        () = &mut stalled => return,
    };
    match ended {
        Ok(Ended::Closed) => {}
        // In a box: few connections need the room.
        Ok(Ended::Unusual) => Box::pin(serve_by_hyper(usual.into_rewound(), peer, &shared, &progress)).await,
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
}

async fn serve_by_hyper(
    io: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    shared: &Shared,
    progress: &Progress,
) {
    let service = service_fn(|request| async move {
        progress.step();
        let response = shared.answer(request, peer).await;
        progress.step();
        Ok::<_, Infallible>(response)
    });
    // No timers of hyper's: it would set one for each request.
    let http = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let stalled = pin!(progress.stalled(shared.silence_max));
    let idle_closes = pin!(shared.closing.idle_closes());
    let ended = tokio::select! {
        biased;
        ended = http.as_mut() => ended,
        () = Aside::new(stalled) => Ok(()),
        () = Aside::new(idle_closes) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

impl Shared {
    /// Answers a request in whatever version of HTTP.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: Peer) -> Response<Full<Bytes>> {
        if self.lag.excessive() {
            return self.overloaded(&request);
        }
        let mut response = self.webhooks.handle(request, peer).await;
        if self.closing.announced() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Refuses before anything is read or checked, and ends the connection: see [`Lag`].
    fn overloaded(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(endpoint) = endpoint(request.uri().path()) {
            self.webhooks.ended(&endpoint, Outcome::Overloaded);
        }
        let mut response = Answer::refusal(Outcome::Overloaded, "overloaded\n").into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

#[cfg(test)]
mod shared_by_tests {
    use std::net::{IpAddr, Ipv4Addr};

    use dialplane_common::feed::keyring::Keyring;

    use super::*;
    use crate::outbound::Outbound;
    use crate::webhook::Origins;

    pub const PEER: Peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: false };

    /// What the connections of a worker share that knows nothing.
    pub fn nobodys() -> Arc<Shared> {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let timeout = Duration::from_secs(5);
        let webhooks = Webhooks::new(keys, Origins::default(), timeout, Outbound::default()).unwrap();
        Arc::new(Shared {
            webhooks: Arc::new(webhooks),
            silence_max: timeout,
            lag: Lag::new(timeout),
            closing: Closing::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_on_which_nothing_happens_and_nothing_is_worked_on_is_silent() {
        let (mut silence, progress) = (Silence::default(), Progress::default());
        let mut look = || {
            silence.look(progress.0.load(Ordering::Relaxed));
            silence.looks
        };
        assert_eq!([look(), look()], [1, 2], "nothing has come");
        progress.step();
        assert_eq!([look(), look()], [0, 0], "worked on");
        progress.step();
        assert_eq!([look(), look()], [0, 1], "idle again");
        progress.step();
        progress.step();
        assert_eq!([look(), look()], [0, 1], "a whole request since the last look");
    }
}
