//! Connections: to an address that was checked, with TLS where it is wanted.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::failure::Failure;
use super::target::Target;

/// The largest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How long the first of several addresses may take before another is tried.
const FIRST_ADDRESS_PATIENCE: Duration = Duration::from_secs(1);

/// What connections can stand for each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    address: SocketAddr,
    tls: bool,
    host: Box<str>,
}

impl Key {
    /// Connections to this target at this address.
    #[must_use]
    pub fn new(target: &Target, address: IpAddr) -> Self {
        Self { address: SocketAddr::new(address, target.port), tls: target.tls, host: target.host.clone() }
    }
}

/// An open connection. It closes when it is dropped, whatever is under way.
pub struct Connection {
    /// To where.
    pub key: Key,
    sender: SendRequest<Full<Bytes>>,
    /// The socket once more, to see whether the other end has closed it although nobody has read that yet.
    witness: std::net::TcpStream,
    driver: AbortHandle,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Sends a request and waits for the answer's head.
    ///
    /// # Errors
    /// With the request when nothing of it was sent.
    pub async fn ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Option<Request<Full<Bytes>>>> {
        self.sender.try_send_request(request).await.map_err(|mut error| error.take_message())
    }

    /// Waits until another request can be sent; `false`: none can.
    pub async fn ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Whether another request can be sent, as far as this machine knows. On a connection where nothing is asked
    /// nothing can be read either: something is, when it was closed or what was answered before isn't to be trusted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let nothing_to_read = || {
            let peeked = self.witness.peek(&mut [0]);
            matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        };
        self.sender.is_ready() && nothing_to_read()
    }
}

/// Opens connections.
pub struct Connector {
    tls: TlsConnector,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector that trusts the public certificate authorities and these.
    ///
    /// # Errors
    /// When one of these isn't a certificate.
    pub fn new(extra_roots: &[CertificateDer<'static>]) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra_roots {
            roots.add(root.clone())?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection to one of the addresses: the first, or another when that one takes none.
    ///
    /// # Errors
    /// [`Failure::Connect`], [`Failure::Tls`].
    pub async fn open(
        &self,
        target: &Target,
        addresses: &[IpAddr],
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        let stream = reach(target, addresses, deadline).await.ok_or(Failure::Connect)?;
        let (key, stream, witness) = prepare(target, stream).map_err(|_| Failure::Connect)?;
        if !target.tls {
            return start(key, witness, stream).await;
        }
        let name = ServerName::try_from(target.host.to_string()).map_err(|_| Failure::Url)?;
        let stream = self.tls.connect(name, stream).await.map_err(|_| Failure::Tls)?;
        start(key, witness, stream).await
    }
}

/// Nothing has been sent when an address takes no connection, so that another can be tried.
async fn reach(target: &Target, addresses: &[IpAddr], deadline: Instant) -> Option<TcpStream> {
    let connect = |address| TcpStream::connect(SocketAddr::new(address, target.port));
    let (first, others) = addresses.split_first()?;
    // A machine without IPv6 fails at all of those addresses.
    let of_other_kind = others.iter().find(|other| other.is_ipv4() != first.is_ipv4());
    let Some(other) = of_other_kind.or(others.first()) else { return connect(*first).await.ok() };
    let patience = FIRST_ADDRESS_PATIENCE.min(deadline.saturating_duration_since(Instant::now()) / 2);
    match tokio::time::timeout(patience, connect(*first)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(_)) | Err(_) => connect(*other).await.ok(),
    }
}

fn prepare(target: &Target, stream: TcpStream) -> io::Result<(Key, TcpStream, std::net::TcpStream)> {
    stream.set_nodelay(true)?;
    let key = Key::new(target, stream.peer_addr()?.ip());
    let stream = stream.into_std()?;
    let witness = stream.try_clone()?;
    Ok((key, TcpStream::from_std(stream)?, witness))
}

async fn start<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    key: Key,
    witness: std::net::TcpStream,
    stream: S,
) -> Result<Connection, Failure> {
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(|_| Failure::Lost)?;
    // How it ends is told to whoever asked on it.
    let driver = tokio::spawn(async move { drop(connection.await) }).abort_handle();
    Ok(Connection { key, sender, witness, driver })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::server::{Server, reply};

    async fn connection(server: &Server, deadline: Instant) -> Connection {
        let target = Target::parse(&format!("http://{}/", server.address)).unwrap();
        let connector = Connector::new(&[]).unwrap();
        connector.open(&target, &[server.address.ip()], deadline).await.unwrap()
    }

    #[tokio::test]
    async fn a_request_that_a_closed_connection_never_took_comes_back() {
        let server = Server::start(async |_| reply(200, "ok")).await;
        let mut connection = connection(&server, Instant::now() + Duration::from_secs(20)).await;
        connection.driver.abort();
        while !connection.sender.is_closed() {
            tokio::task::yield_now().await;
        }
        assert!(!connection.is_open());
        let request = Request::new(Full::new(Bytes::from_static(b"body")));
        assert!(connection.ask(request).await.unwrap_err().is_some());
        assert!(server.seen().is_empty());
    }
}
