//! The clients for requests that the admin plane itself makes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dialplane_common::public_address::is_public;
use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Failure;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Servers close connections that rest for a minute or more. A request that is sent meanwhile may or may not have been
/// heard, which nobody wants to find out of a purchase.
const REST_MAX: Duration = Duration::from_secs(30);

/// A client that trusts the authorities that Mozilla trusts, and goes nowhere that it wasn't sent: a redirect is an
/// answer like any other.
///
/// # Errors
/// When the cryptography offers no protocol version: a mistake in building, which any start shows.
pub fn client() -> Result<reqwest::Client, Failure> {
    build(|builder| builder)
}

/// The same for servers that tenants name: over TLS alone, and to no name that leads elsewhere than to the public
/// internet. No proxy, which would look names up for itself. Addresses in the place of names are the caller's to check.
///
/// # Errors
/// As [`client`].
pub fn public_client() -> Result<reqwest::Client, Failure> {
    build(|builder| builder.https_only(true).no_proxy().dns_resolver(Arc::new(PublicNames)))
}

fn build(also: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<reqwest::Client, Failure> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new("set up TLS", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(REST_MAX);
    also(builder).build().map_err(|error| Failure::new("set up the HTTP client", &error))
}

/// A name leads to no address of the public internet.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("its name leads to no address of the public internet")]
pub struct NotPublic;

/// Names as the system knows them, without addresses that aren't the public internet's. What is connected to is what
/// was checked: a name that leads elsewhere the next time gains nothing.
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_inside_leads_nowhere() {
        let outcome = PublicNames.resolve("localhost".parse().unwrap()).await;
        assert!(outcome.err().is_some_and(|error| error.is::<NotPublic>()));
    }
}
