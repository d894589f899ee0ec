//! TLS on the webhooks' port of its own: 1.2 and 1.3, with certificates that are replaced while it runs.
//!
//! [`folder`] reads the files, [`pair`] makes a certificate with its key of two, [`certificates`] chooses one for a
//! handshake, [`watched`] replaces them. Give it certificates on ECDSA P-256: a full handshake
//! signs once, and with RSA that is much slower.

pub mod certificates;
pub mod folder;
pub mod pair;
pub mod watched;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::{self, Ticketer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{Error, HandshakeKind, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::metrics::{Handshake, TlsMetrics};
use certificates::Current;
use watched::Watched;

/// HTTP/2 as it is called in a handshake. Source: RFC 9113, section 3.2.
const H2: &[u8] = b"h2";

/// What an operator says.
#[derive(Debug)]
pub struct Settings {
    /// Address for webhooks over TLS.
    pub listen: SocketAddr,
    /// The certificates.
    pub certificates: Watched,
}

/// What is spoken over a connection, as both ends agreed in the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// HTTP/1.1, also with clients that say nothing.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Makes connections secure.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    /// How long a handshake may take.
    within: Duration,
    metrics: TlsMetrics,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").field("within", &self.within).finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Shows the certificates of the moment.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(certificates: &Arc<Current>, within: Duration, metrics: TlsMetrics) -> Result<Self, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(certificates) as _);
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        // Sessions are kept by the clients, in tickets whose key changes every six hours: nothing grows here, and
        // workers share no lock but the key's.
        config.ticketer = Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { tls: TlsAcceptor::from(Arc::new(config)), within, metrics })
    }

    /// Shakes hands; `None`, and counted, when that fails or takes too long. Dropping the stream closes it.
    pub async fn accept(&self, stream: TcpStream) -> Option<(TlsStream<TcpStream>, Protocol)> {
        let stream = match tokio::time::timeout(self.within, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.metrics.handshake(Handshake::Failed);
                tracing::debug!(%error, "handshake");
                return None;
            }
            Err(_) => {
                self.metrics.handshake(Handshake::TooSlow);
                return None;
            }
        };
        let session = stream.get_ref().1;
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        self.metrics.handshake(if resumed { Handshake::Resumed } else { Handshake::Full });
        let protocol = if session.alpn_protocol() == Some(H2) { Protocol::Http2 } else { Protocol::Http1 };
        Some((stream, protocol))
    }
}
