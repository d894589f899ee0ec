//! A client that trusts one authority.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use dialplane_bench::http::{self, Response};
use dialplane_bench::operator::Salon;
use dialplane_bench::signing::twilio;
use dialplane_bench::tls::authority::Authority;
use dialplane_bench::workload::form;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use super::HOST;
use crate::call::CALL;

/// A client. Its connections share what is needed to resume a session.
pub struct Client(pub Arc<ClientConfig>);

/// A connection after its handshake.
pub struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    pub fn trusting(authority: &Authority) -> Self {
        Self::with(authority, ALL_VERSIONS)
    }

    pub fn with(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// The same that speaks one protocol.
    pub fn speaking(mut self, protocol: &str) -> Self {
        Arc::make_mut(&mut self.0).alpn_protocols = vec![protocol.into()];
        self
    }

    /// Connects for a host, and shakes hands.
    pub fn connect(&self, address: SocketAddr, host: &str) -> io::Result<Connection> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
        let host = ServerName::try_from(host.to_owned()).expect("a host");
        let mut tls = ClientConnection::new(Arc::clone(&self.0), host).expect("a client");
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(Connection(StreamOwned::new(tls, tcp)))
    }
}

impl Connection {
    /// The certificate that it was shown.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().expect("a certificate")[0].clone().into_owned()
    }

    pub fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("sent");
        self.0.flush().expect("sent");
    }

    pub fn read(&mut self) -> io::Result<Response> {
        http::read(&mut self.0)
    }

    /// Reads until the other end closes.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // One that closes without a farewell has closed.
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Calls the salon: the router's answer.
    pub fn ring(&mut self, salon: &Salon) -> Response {
        let (head, body) = call(salon, "");
        self.send(format!("{head}{body}").as_bytes());
        self.read().expect("the router answers")
    }
}

/// Head and body of a call to [`HOST`], with one more header.
pub fn call(salon: &Salon, header: &str) -> (String, String) {
    let (target, signature, body) = signed(salon);
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         X-Twilio-Signature: {signature}\r\nContent-Length: {}\r\n{header}\r\n",
        body.len()
    );
    (head, body)
}

/// The path, signature and body of a call to [`HOST`]. The signature covers that it was called by `https`.
pub fn signed(salon: &Salon) -> (String, String, String) {
    let (target, parameters) = (salon.webhook_path("voice"), salon.call(CALL));
    let signature = twilio::signature(&salon.auth_token, &format!("https://{HOST}{target}"), &parameters);
    (target, signature, form(&parameters))
}
