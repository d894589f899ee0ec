//! A certificate with its key, from the text of two files.

use std::fmt;
use std::sync::Arc;

use dialplane_common::secret::Secret;
use dialplane_common::time::UnixSeconds;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// The text of both files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairText {
    /// The certificate, then those that lead from it to an authority.
    pub certificates: Vec<u8>,
    /// The private key.
    pub key: Secret,
}

/// A certificate that can be shown.
pub struct Pair {
    /// What rustls shows and signs with.
    pub key: Arc<CertifiedKey>,
    /// For which hosts, in lower case: `calls.example.com` or `*.example.com`.
    pub hosts: Vec<String>,
    /// Until when.
    pub not_after: UnixSeconds,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// Why two files are no certificate with its key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PairError {
    /// The certificates.
    #[error("wanted certificates in PEM, the server's own first ({0})")]
    Certificates(String),
    /// The key.
    #[error(
        "wanted a private key in PEM, not encrypted: ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits ({0})"
    )]
    Key(String),
    /// Each is right, and they don't belong together.
    #[error("wanted the key of the first certificate in the file beside it; this is another's")]
    Mismatch,
}

impl Pair {
    /// Reads a pair.
    ///
    /// # Errors
    /// See [`PairError`].
    pub fn read(text: &PairText) -> Result<Self, PairError> {
        let wrong = |reason: String| PairError::Certificates(reason);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&text.certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| wrong(error.to_string()))?;
        let own = chain.first().ok_or_else(|| wrong("it holds none".into()))?;
        let (hosts, not_after) = hosts_and_end(own).map_err(wrong)?;
        let wrong_key = |reason: String| PairError::Key(reason);
        let key =
            PrivateKeyDer::from_pem_slice(text.key.expose()).map_err(|error| wrong_key(error.to_string()))?;
        let key = ring::default_provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| wrong_key(error.to_string()))?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PairError::Mismatch,
            other => wrong(other.to_string()),
        })?;
        Ok(Self { key: Arc::new(key), hosts, not_after })
    }
}

/// Clients look at the alternative names only, not at the subject, and so do we. Source: RFC 9525, section 6.
fn hosts_and_end(certificate: &[u8]) -> Result<(Vec<String>, UnixSeconds), String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let names = parsed.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let hosts = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(host) => Some(host.to_ascii_lowercase()),
        _ => None,
    });
    Ok((hosts.collect(), UnixSeconds(parsed.validity().not_after.timestamp())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn issue(hosts: &[&str]) -> PairText {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_after = date_time_ymd(2027, 1, 2);
        let certificates = params.self_signed(&key).unwrap().pem().into_bytes();
        PairText { certificates, key: Secret::new(key.serialize_pem()) }
    }

    #[test]
    fn hosts_and_end_are_the_certificates_own() {
        let pair = Pair::read(&issue(&["Calls.Example.com", "*.example.org", "192.0.2.1"])).unwrap();
        assert_eq!(pair.hosts, ["calls.example.com", "*.example.org"]);
        assert_eq!(pair.not_after, UnixSeconds(1_798_848_000));
        let chain = PairText { certificates: issue(&["a.example"]).certificates.repeat(2), ..issue(&[]) };
        assert_eq!(Pair::read(&chain).unwrap_err(), PairError::Mismatch);
        assert!(Pair::read(&issue(&["192.0.2.1"])).unwrap().hosts.is_empty());
    }

    #[test]
    fn the_file_that_is_wrong_is_told() {
        let good = issue(&["a.example"]);
        let certificates = |text: &[u8]| {
            let text = PairText { certificates: text.to_vec(), ..good.clone() };
            matches!(Pair::read(&text), Err(PairError::Certificates(_)))
        };
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(certificates(b"") && certificates(broken) && certificates(good.key.expose()));
        let half = &good.certificates[..good.certificates.len() / 2];
        assert!(certificates(half));
        let key = |text: &[u8]| {
            let text = PairText { key: Secret::new(text), ..good.clone() };
            matches!(Pair::read(&text), Err(PairError::Key(_)))
        };
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(key(b"") && key(encrypted) && key(&good.certificates));
        let others = PairText { key: issue(&["a.example"]).key, ..good.clone() };
        assert_eq!(Pair::read(&others).unwrap_err(), PairError::Mismatch);
    }
}
