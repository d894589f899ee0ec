//! One connection that speaks HTTP/2: many requests at a time, each a task of its own on the same worker.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::aside::Aside;
use super::http1::{HEAD_BYTES_MAX, Open, Shared};
use crate::peers::Admission;
use crate::webhook::Peer;

/// Requests under way at a time on one connection. As many as RFC 9113, section 6.5.2, wants at least: each holds at
/// most a body of 64 KiB, for the few seconds that a body may take.
const STREAMS_MAX: u32 = 100;

/// How much of one body, and of all bodies of a connection, may be under way before it is read: with 50 ms there and
/// back, a conversation of 8 MiB takes half a second, and a connection holds no more than this unread.
const WINDOW_BYTES: u32 = 1 << 20;

/// How many requests a peer may take back before they are begun; one more ends the connection (CVE-2023-44487).
const RESETS_MAX: usize = 20;

/// Serves requests on a stream, as [`super::http1::serve`] does.
pub async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    admission: Admission,
    shared: Arc<Shared>,
) {
    let _open = Open::new(&shared.webhooks.metrics, admission);
    let begun = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request| {
        begun.fetch_add(1, Ordering::Relaxed);
        let (shared, under_way) = (Arc::clone(&shared), Arc::clone(&begun));
        async move {
            let response = shared.answer(request, peer).await;
            drop(under_way);
            Ok::<_, Infallible>(response)
        }
    });
    let http = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let mut idle = pin!(idle(&begun, shared.silence_max));
    let mut idle_closes = pin!(shared.closing.idle_closes());
    // Told to end, a client sends nothing new; what is under way is answered.
    let told = tokio::select! {
        biased;
        ended = http.as_mut() => Some(ended),
        () = Aside::new(idle.as_mut()) => None,
        () = Aside::new(idle_closes.as_mut()) => None,
    };
    let ended = match told {
        Some(ended) => ended,
        None => {
            http.as_mut().graceful_shutdown();
            idle.set(self::idle(&begun, shared.silence_max));
            tokio::select! {
                biased;
                ended = http.as_mut() => ended,
                () = Aside::new(idle) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Waits until no request began within a time and none is under way. Asking an idle client whether it still lives has no
/// use then.
async fn idle(begun: &Arc<AtomicU64>, within: Duration) {
    loop {
        let before = begun.load(Ordering::Relaxed);
        tokio::time::sleep(within).await;
        // Each request that is under way holds it once more.
        if begun.load(Ordering::Relaxed) == before && Arc::strong_count(begun) == 1 {
            return;
        }
    }
}
