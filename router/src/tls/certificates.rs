//! Which certificate a client is shown: one whose names cover the host that it asks for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::pair::Pair;

/// All certificates at one time. Never changes.
#[derive(Default)]
pub struct Certificates {
    pairs: BTreeMap<String, Arc<Pair>>,
    /// By host in lower case; `*.example.com` stands under `.example.com`. Several for one host in their files' order.
    by_host: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// In their files' order.
    all: Vec<Arc<CertifiedKey>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.pairs).finish()
    }
}

impl Certificates {
    /// These pairs, by their files' names.
    #[must_use]
    pub fn new(pairs: BTreeMap<String, Arc<Pair>>) -> Self {
        let mut by_host: HashMap<_, Vec<_>> = HashMap::new();
        for pair in pairs.values() {
            for host in &pair.hosts {
                let host = host.strip_prefix('*').unwrap_or(host);
                by_host.entry(host.to_owned()).or_default().push(Arc::clone(&pair.key));
            }
        }
        let all = pairs.values().map(|pair| Arc::clone(&pair.key)).collect();
        Self { pairs, by_host, all }
    }

    /// The pairs by their files' names.
    #[must_use]
    pub fn pairs(&self) -> &BTreeMap<String, Arc<Pair>> {
        &self.pairs
    }

    /// The certificate for a host in lower case: of those that cover it the first whose key the client can check. A
    /// client that names no host, or one that nobody has, is shown the first of all, so that it can say whose it is.
    fn choose(&self, host: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Arc<CertifiedKey>> {
        // A star stands for one label.
        let above = |host: &str| host.find('.').and_then(|dot| self.by_host.get(&host[dot..]));
        let named = host.and_then(|host| self.by_host.get(host).or_else(|| above(host)));
        let mut candidates = named.unwrap_or(&self.all).iter();
        candidates.find(|key| key.key.choose_scheme(schemes).is_some())
    }
}

/// The certificates of now.
#[derive(Debug)]
pub struct Current(ArcSwap<Certificates>);

impl Current {
    /// Begins with these.
    #[must_use]
    pub fn new(certificates: Certificates) -> Self {
        Self(ArcSwap::from_pointee(certificates))
    }

    /// Shows these from the next handshake on.
    pub fn store(&self, certificates: Certificates) {
        self.0.store(Arc::new(certificates));
    }

    /// What is shown.
    #[must_use]
    pub fn load(&self) -> Arc<Certificates> {
        self.0.load_full()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().choose(hello.server_name(), hello.signature_schemes()).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::pair::PairText;
    use dialplane_common::secret::Secret;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};

    fn pair(host: &str, algorithm: &'static SignatureAlgorithm) -> Arc<Pair> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new([host.to_owned()]).unwrap().self_signed(&key).unwrap();
        let certificates = certificate.pem().into_bytes();
        Arc::new(Pair::read(&PairText { certificates, key: Secret::new(key.serialize_pem()) }).unwrap())
    }

    #[test]
    fn the_most_exact_name_counts_then_what_the_client_can_check_then_the_file() {
        const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
        const ED25519: SignatureScheme = SignatureScheme::ED25519;
        let pairs = [
            ("1", pair("a.example.com", &PKCS_ED25519)),
            ("2", pair("a.example.com", &PKCS_ECDSA_P256_SHA256)),
            ("3", pair("*.example.com", &PKCS_ECDSA_P256_SHA256)),
        ];
        let certificates = Certificates::new(pairs.map(|(name, pair)| (name.to_owned(), pair)).into());
        let check = |host, schemes: &[SignatureScheme], expected: Option<&str>| {
            let chosen = certificates.choose(host, schemes);
            let name = |key| certificates.pairs.iter().find(|(_, pair)| Arc::ptr_eq(&pair.key, key));
            assert_eq!(chosen.and_then(name).map(|(name, _)| &**name), expected, "{host:?} {schemes:?}");
        };
        check(Some("a.example.com"), &[P256, ED25519], Some("1"));
        check(Some("a.example.com"), &[P256], Some("2"));
        check(Some("b.example.com"), &[P256, ED25519], Some("3"));
        check(Some("b.example.com"), &[ED25519], None);
        for unknown in [None, Some("example.com"), Some("b.a.example.com"), Some("com"), Some("")] {
            check(unknown, &[P256, ED25519], Some("1"));
            check(unknown, &[P256], Some("2"));
        }
    }
}
