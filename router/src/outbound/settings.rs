//! What an operator says about the requests that this program makes.

use dialplane_common::rest::base::Base;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::network::Network;

/// What an operator says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Addresses that tool servers may have though they aren't public, and that may be asked without TLS.
    pub private_networks: Vec<Network>,
    /// Certificate authorities beside the public ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Where providers' APIs are, when not at their usual place.
    pub bases: Vec<Base>,
}

/// The certificates of a PEM file's text; `None` when there are none, or one can't be read.
#[must_use]
pub fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    if certificates.is_empty() { None } else { Some(certificates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_a_mistake() {
        assert_eq!(certificates(b""), None);
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), None);
    }
}
