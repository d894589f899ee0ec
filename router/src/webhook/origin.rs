//! By which URL the provider called. Signatures cover it, and only its caller knows it: a proxy in between may have
//! taken TLS off and changed the host.

use std::borrow::Cow;
use std::net::IpAddr;
use std::str::FromStr;

use dialplane_common::provider::public_url::PublicUrl;
use hyper::HeaderMap;
use hyper::header::HOST;

/// How the public URL is found.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// As configured; when there are any, nothing in a request changes them.
    pub public_urls: Vec<PublicUrl>,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<Network>,
}

impl Origins {
    /// The URLs by which a request may have been made, the likeliest first; empty when its `Host` is none.
    #[must_use]
    pub fn of(&self, headers: &HeaderMap, peer: IpAddr) -> Cow<'_, [PublicUrl]> {
        if !self.public_urls.is_empty() {
            return Cow::Borrowed(&self.public_urls);
        }
        let first = |name: &str| headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim);
        let forwarded = |name: &str| if self.trusts(peer) { first(name) } else { None };
        let scheme = forwarded("x-forwarded-proto").unwrap_or("http");
        let host = forwarded("x-forwarded-host").or_else(|| headers.get(HOST)?.to_str().ok());
        Cow::Owned(host.and_then(|host| PublicUrl::from_request(scheme, host)).into_iter().collect())
    }

    /// Whether the peer is one of the proxies whose headers count.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

/// A range of addresses, `10.0.0.0/8`; a single address is one, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: u128,
    bits: u32,
}

/// The text isn't an address, or its prefix length is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("wanted an IP address or a range like 10.0.0.0/8")]
pub struct NetworkError;

impl Network {
    /// Whether the address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let differing = self.address ^ as_v6(address);
        self.bits == 0 || differing >> (128 - self.bits) == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| NetworkError)?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = bits.map_or(Ok(width), str::parse).map_err(|_| NetworkError)?;
        if bits > width {
            Err(NetworkError)
        } else {
            Ok(Self { address: as_v6(address), bits: bits + offset })
        }
    }
}

fn as_v6(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let check = |network: &str, address: &str, expected: bool| {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), expected, "{network:?} {address}");
        };
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("127.0.0.1", "127.0.0.1", true);
        check("127.0.0.1", "127.0.0.2", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("2001:db8::/32", "2001:db8:1::1", true);
        check("::/0", "8.8.8.8", true);
        check("10.0.0.0/8", "::ffff:10.1.2.3", true);
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "host"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }

    #[test]
    fn forwarded_headers_count_from_trusted_proxies_only() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "inner:8080".parse().unwrap());
        headers.insert("x-forwarded-proto", "https, http".parse().unwrap());
        headers.insert("x-forwarded-host", "calls.example".parse().unwrap());
        let proxied = Origins { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Origins::default() };
        let url = |origins: &Origins, peer: &str| origins.of(&headers, peer.parse().unwrap())[0].to_string();
        assert_eq!(url(&proxied, "10.1.1.1"), "https://calls.example");
        assert_eq!(url(&proxied, "192.0.2.1"), "http://inner:8080");
        let fixed = Origins { public_urls: vec!["https://a.example".parse().unwrap()], ..proxied };
        assert_eq!(url(&fixed, "10.1.1.1"), "https://a.example");
    }
}
