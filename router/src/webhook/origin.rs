//! By which URL the provider called. Signatures cover it, and only its caller knows it: a proxy in between may have
//! taken TLS off and changed the host.

use std::borrow::Cow;
use std::net::IpAddr;

use dialplane_common::provider::headers::{self, Headers};
use dialplane_common::provider::public_url::PublicUrl;
use hyper::header::{HOST, HeaderName};

use crate::network::Network;

static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Whether TLS lies between.
    pub tls: bool,
}

/// How the public URL is found.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// As configured; when there are any, nothing in a request changes them.
    pub public_urls: Vec<PublicUrl>,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<Network>,
}

impl Origins {
    /// The URLs by which a request may have been made, the likeliest first; empty when it names no host. HTTP/2 names it
    /// in the request's own URL, and so may HTTP/1.1, whose `Host` counts otherwise (RFC 9112, section 3.2.2).
    #[must_use]
    pub fn of(&self, headers: Headers<'_>, authority: Option<&str>, peer: Peer) -> Cow<'_, [PublicUrl]> {
        if !self.public_urls.is_empty() {
            return Cow::Borrowed(&self.public_urls);
        }
        let value = |name| headers.first(name).and_then(headers::text);
        let first = |name| value(name)?.split(',').next().map(str::trim);
        let forwarded = |name| if self.trusts(peer.address) { first(name) } else { None };
        let scheme = forwarded(&FORWARDED_PROTO).unwrap_or(if peer.tls { "https" } else { "http" });
        let own = || authority.or_else(|| value(&HOST));
        let host = forwarded(&FORWARDED_HOST).or_else(own);
        Cow::Owned(host.and_then(|host| PublicUrl::from_request(scheme, host)).into_iter().collect())
    }

    /// Whether the peer is one of the proxies whose headers count.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;

    #[test]
    fn forwarded_headers_count_from_trusted_proxies_only() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "inner:8080".parse().unwrap());
        headers.insert("x-forwarded-proto", "https, http".parse().unwrap());
        headers.insert("x-forwarded-host", "calls.example".parse().unwrap());
        let proxied = Origins { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Origins::default() };
        let url = |origins: &Origins, address: &str| {
            let peer = Peer { address: address.parse().unwrap(), tls: false };
            origins.of(Headers::from(&headers), None, peer)[0].to_string()
        };
        assert_eq!(url(&proxied, "10.1.1.1"), "https://calls.example");
        assert_eq!(url(&proxied, "192.0.2.1"), "http://inner:8080");
        let fixed = Origins { public_urls: vec!["https://a.example".parse().unwrap()], ..proxied };
        assert_eq!(url(&fixed, "10.1.1.1"), "https://a.example");
    }

    #[test]
    fn without_a_proxy_the_connection_and_the_request_tell() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "header.example".parse().unwrap());
        let check = |authority, tls, expected: &str| {
            let peer = Peer { address: [192, 0, 2, 1].into(), tls };
            let urls = Origins::default().of(Headers::from(&headers), authority, peer).into_owned();
            assert_eq!(urls.iter().map(PublicUrl::as_str).collect::<Vec<_>>(), [expected]);
        };
        check(None, true, "https://header.example");
        check(Some("url.example:8443"), true, "https://url.example:8443");
        check(None, false, "http://header.example");
    }
}
