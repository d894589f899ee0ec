//! One connection: HTTP/1.1 with limits on what a head may be and how long it may take.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::{Phase, draining};
use crate::peers::Admission;
use crate::webhook::{Peer, Webhooks};

/// The largest head of a request. Twilio's are below 2 KiB; proxies add cookies and traces.
pub const HEAD_BYTES_MAX: usize = 32 << 10;

/// The most headers of a request.
pub const HEADERS_MAX: usize = 100;

/// What is known of a connection beside its stream.
#[derive(Debug)]
pub struct Connection {
    /// The other end.
    pub peer: Peer,
    /// Its place among those that may be open; given back when it ends.
    pub admission: Admission,
    /// What answers.
    pub webhooks: Arc<Webhooks>,
    /// How long a head may take, and the connection may be idle.
    pub header_timeout: Duration,
    /// When to end.
    pub phase: watch::Receiver<Phase>,
}

/// Serves requests on a stream until either end has enough. While draining, what is under way is answered and then the
/// connection closed.
pub async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, connection: Connection) {
    let Connection { peer, admission, webhooks, header_timeout, mut phase } = connection;
    webhooks.metrics.connections.inc();
    let service = service_fn(|request| {
        let webhooks = &webhooks;
        async move { Ok::<_, Infallible>(webhooks.handle(request, peer).await) }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(io), service);
    let mut http = pin!(http);
    let ended = tokio::select! {
        biased;
        ended = http.as_mut() => ended,
        () = draining(&mut phase) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    webhooks.metrics.connections.dec();
    drop(admission);
}
