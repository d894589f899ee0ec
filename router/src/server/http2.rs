//! One connection that speaks HTTP/2: many requests at a time, each a task of its own on the same worker.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Connection, HEAD_BYTES_MAX};
use super::draining;

/// Requests under way at a time on one connection. As many as RFC 9113, section 6.5.2, wants at least: each holds at
/// most a body of 64 KiB, for the few seconds that a body may take.
const STREAMS_MAX: u32 = 100;

/// How much of a body may be under way before it is read: more only fills memory. A usual one is below 2 KiB.
const STREAM_WINDOW_BYTES: u32 = 64 << 10;

/// The same of all bodies of one connection: with 50 ms there and back, a conversation of 8 MiB takes half a second.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// How many requests a peer may take back before they are begun; one more ends the connection (CVE-2023-44487).
const RESETS_MAX: usize = 20;

/// Serves requests on a stream, as [`super::connection::serve`] does.
pub async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, connection: Connection) {
    let Connection { peer, admission, webhooks, header_timeout, mut phase } = connection;
    webhooks.metrics.connections.inc();
    let begun = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request| {
        begun.fetch_add(1, Ordering::Relaxed);
        let webhooks = Arc::clone(&webhooks);
        let under_way = Arc::clone(&begun);
        async move {
            let response = webhooks.handle(request, peer).await;
            drop(under_way);
            Ok::<_, Infallible>(response)
        }
    });
    let http = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    // A connection is idle when no request began in the time that a head may take, and none is under way. It is told
    // to end; another such time later it is closed. Asking an idle peer whether it still lives has no use then.
    let mut ending = false;
    let mut seen = 0;
    let mut looks = tokio::time::interval(header_timeout);
    looks.reset();
    let ended = loop {
        tokio::select! {
            biased;
            ended = http.as_mut() => break ended,
            () = draining(&mut phase), if !ending => {
                http.as_mut().graceful_shutdown();
                ending = true;
            }
            _ = looks.tick() => {
                let now = begun.load(Ordering::Relaxed);
                let idle = now == seen && Arc::strong_count(&begun) == 1;
                seen = now;
                if idle && ending {
                    break Ok(());
                }
                if idle {
                    http.as_mut().graceful_shutdown();
                    ending = true;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    webhooks.metrics.connections.dec();
    drop(admission);
}
