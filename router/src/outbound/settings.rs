//! What an operator says about the requests that this program makes.

use dialplane_common::provider::Api;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::target::Target;
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

/// Where a provider's API is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// The setting that says so: [`Api::base_setting`].
    pub setting: &'static str,
    /// Its base URL, without a slash at the end.
    pub url: String,
}

/// The certificates of a PEM file's text; `None` when there are none, or one can't be read.
#[must_use]
pub fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    if certificates.is_empty() { None } else { Some(certificates) }
}

/// The bases that the environment names for these APIs.
///
/// # Errors
/// The setting that isn't a base URL, and its value.
pub fn bases(
    apis: impl IntoIterator<Item = Api>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Base>, (&'static str, String)> {
    let mut bases: Vec<Base> = Vec::new();
    for Api { base_setting: setting, .. } in apis {
        let Some(text) = environment(setting).filter(|text| !text.is_empty()) else { continue };
        let url = text.trim_end_matches('/');
        if url.contains(['?', '#']) || Target::parse(url).is_none() {
            return Err((setting, text));
        }
        if bases.iter().all(|base| base.setting != setting) {
            bases.push(Base { setting, url: url.to_owned() });
        }
    }
    Ok(bases)
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api { base_setting: "X_API_BASE", base: "https://api.x.example" };

    #[test]
    fn bases_are_urls_that_a_path_can_follow() {
        let check = |value: Option<&str>, expected: Result<Option<&str>, ()>| {
            let found = bases([API, API], |setting| {
                assert_eq!(setting, "X_API_BASE");
                value.map(str::to_owned)
            });
            let url = |bases: Vec<Base>| bases.first().map(|base| base.url.clone());
            assert_eq!(found.map(url).map_err(drop), expected.map(|url| url.map(str::to_owned)), "{value:?}");
        };
        check(None, Ok(None));
        check(Some(""), Ok(None));
        check(Some("http://127.0.0.1:9000/"), Ok(Some("http://127.0.0.1:9000")));
        check(Some("https://a.example/v2"), Ok(Some("https://a.example/v2")));
        for wrong in ["a.example", "https://a.example/?x", "https://a.example/#x", "ftp://a.example"] {
            check(Some(wrong), Err(()));
        }
    }

    #[test]
    fn a_file_without_certificates_is_a_mistake() {
        assert_eq!(certificates(b""), None);
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), None);
    }
}
