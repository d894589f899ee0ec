//! A client that keeps a server busy with handshakes or with requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::pki_types::ServerName;

use super::http2;
use super::session::{self, Tickets};
use crate::histogram::Histogram;
use crate::load::client::{Connection, Done};
use crate::load::traffic::Traffic;

/// The host that is asked for.
pub const HOST: &str = "calls.example.com";

/// What a connection begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// Nothing but TCP.
    Plain,
    /// A handshake in which the server signs.
    Full,
    /// A handshake with a ticket of an earlier one.
    Resumed,
    /// A full handshake in which both agree on HTTP/2.
    Http2,
}

/// How long a connection lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// One request.
    Short,
    /// The whole run.
    Long,
}

/// A client of one server, ready to begin.
pub struct Client {
    runtime: Runtime,
    work: Work,
}

/// What each of its connections does.
#[derive(Clone)]
struct Work {
    address: SocketAddr,
    opening: Opening,
    tls: TlsConnector,
    traffic: Traffic,
}

impl Client {
    /// With tickets in hand, where these are wanted.
    ///
    /// # Errors
    /// When the server isn't there.
    pub fn new(address: SocketAddr, opening: Opening, traffic: &Traffic) -> Result<Self, String> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let tickets = Arc::new(Tickets::default());
        let protocol = if opening == Opening::Http2 { "h2" } else { "http/1.1" };
        let config = session::config(protocol, (opening == Opening::Resumed).then_some(&tickets));
        let tls = TlsConnector::from(Arc::new(config.map_err(|error| error.to_string())?));
        let work = Work { address, opening, tls, traffic: traffic.clone() };
        if opening == Opening::Resumed {
            runtime.block_on(work.collect())?;
            tickets.give();
        }
        Ok(Self { runtime, work })
    }

    /// Sends the traffic's requests over its connections; counts requests.
    ///
    /// # Errors
    /// At the first answer that isn't 200, and the first handshake that isn't of the kind.
    pub fn keep_busy(&self, life: Life) -> Result<Done, String> {
        self.runtime.block_on(async {
            let started = Instant::now();
            let mut busy = JoinSet::new();
            for index in 0..self.work.traffic.connections {
                let work = self.work.clone();
                busy.spawn(async move {
                    let mut requests = work.requests(index);
                    let mut count = 0;
                    while started.elapsed() < work.traffic.duration {
                        let until = (life == Life::Long).then_some(started + work.traffic.duration);
                        count += work.connection(&mut requests, until).await?;
                    }
                    Ok::<u64, String>(count)
                });
            }
            let mut count = 0;
            while let Some(done) = busy.join_next().await {
                count += done.map_err(|error| error.to_string())??;
            }
            let seconds = started.elapsed().as_secs_f64();
            Ok(Done { count, seconds, latencies_us: Histogram::default() })
        })
    }
}

impl Work {
    /// The requests again and again, each connection from another place.
    fn requests(&self, index: usize) -> impl Iterator<Item = &[u8]> {
        let first = self.traffic.requests.len() / self.traffic.connections * index;
        self.traffic.requests.iter().map(Vec::as_slice).cycle().skip(first)
    }

    /// One connection with one request, or as many as fit; how many.
    async fn connection<'r>(
        &self,
        requests: &mut impl Iterator<Item = &'r [u8]>,
        until: Option<Instant>,
    ) -> Result<u64, String> {
        let tcp = TcpStream::connect(self.address).await.map_err(|error| format!("connect: {error}"))?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        // The end of a short one leaves nothing behind: else the ports of this machine would run out.
        tcp.set_zero_linger().map_err(|error| error.to_string())?;
        match self.opening {
            Opening::Plain => ask(tcp, requests, until).await,
            Opening::Full => ask(self.shake_hands(tcp, HandshakeKind::Full).await?, requests, until).await,
            Opening::Resumed => {
                ask(self.shake_hands(tcp, HandshakeKind::Resumed).await?, requests, until).await
            }
            Opening::Http2 => {
                http2::ask(self.shake_hands(tcp, HandshakeKind::Full).await?, requests, until).await
            }
        }
    }

    async fn shake_hands(
        &self,
        tcp: TcpStream,
        wanted: HandshakeKind,
    ) -> Result<TlsStream<TcpStream>, String> {
        let host = ServerName::try_from(HOST).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(host, tcp).await.map_err(|error| format!("handshake: {error}"))?;
        match stream.get_ref().1.handshake_kind() {
            Some(kind) if kind == wanted => Ok(stream),
            other => Err(format!("wanted a handshake of the kind {wanted:?}, got {other:?}")),
        }
    }

    /// Tickets: twice as many as there are connections. Each takes one, and is given at least one.
    async fn collect(&self) -> Result<(), String> {
        for _ in 0..2 * self.traffic.connections {
            let tcp = TcpStream::connect(self.address).await.map_err(|error| format!("connect: {error}"))?;
            let stream = self.shake_hands(tcp, HandshakeKind::Full).await?;
            ask(stream, &mut self.requests(0), None).await?;
        }
        Ok(())
    }
}

/// Requests until then; only one without. How many.
async fn ask<'r>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    requests: &mut impl Iterator<Item = &'r [u8]>,
    until: Option<Instant>,
) -> Result<u64, String> {
    let mut connection = Connection::new(stream);
    let mut count = 0;
    for request in requests {
        let answer = connection.ask(request).await?;
        if count == 0 {
            check(answer)?;
        }
        count += 1;
        if until.is_none_or(|until| Instant::now() >= until) {
            break;
        }
    }
    Ok(count)
}

/// Whether an answer is one.
///
/// # Errors
/// When it isn't.
pub fn check(answer: &str) -> Result<(), String> {
    if answer.contains("<Stream url=") {
        Ok(())
    } else {
        Err(format!("wanted an answer with a stream, got: {answer}"))
    }
}
