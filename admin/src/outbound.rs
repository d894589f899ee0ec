//! The client for requests that the admin plane itself makes.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A client that trusts the authorities that Mozilla trusts, and goes nowhere that it wasn't sent: a redirect is an
/// answer like any other.
///
/// # Errors
/// When the cryptography offers no protocol version: a mistake in building, which any start shows.
pub fn client() -> Result<reqwest::Client, Failure> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new("set up TLS", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
        .map_err(|error| Failure::new("set up the HTTP client", &error))
}
