//! Where a request goes.

use dialplane_common::rest::base::http_url;
use hyper::Uri;
use hyper::header::HeaderValue;

/// Where a request goes: an absolute `https` or `http` URL, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Whether over TLS.
    pub tls: bool,
    /// A name or an address, the latter without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
    /// The `Host` header's value.
    pub authority: HeaderValue,
    /// Path and query.
    pub path: Uri,
}

impl Target {
    /// Reads a URL; `None` when it is none that can be asked, as [`http_url`] says.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri = http_url(url)?;
        let tls = uri.scheme_str()? == "https";
        let (authority, host) = (uri.authority()?.as_str(), uri.host()?);
        let path = match uri.query() {
            Some(query) => format!("{}?{query}", uri.path()),
            None => uri.path().to_owned(),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some(Self {
            tls,
            host: bare.to_ascii_lowercase().into(),
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority).ok()?,
            path: path.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, tls: bool, host: &str, port: u16, authority: &str, path: &str| {
            let expected = Target {
                tls,
                host: host.into(),
                port,
                authority: authority.parse().unwrap(),
                path: path.parse().unwrap(),
            };
            assert_eq!(Target::parse(url), Some(expected), "{url}");
        };
        check("https://Tools.example", true, "tools.example", 443, "Tools.example", "/");
        check("https://a.example:8443/x?y=1#z", true, "a.example", 8443, "a.example:8443", "/x?y=1");
        check("http://[::1]:80/", false, "::1", 80, "[::1]:80", "/");
        check("http://127.0.0.1", false, "127.0.0.1", 80, "127.0.0.1", "/");
        check("https://a.example?q", true, "a.example", 443, "a.example", "/?q");
    }

    #[test]
    fn what_cant_be_asked_is_none() {
        for url in [
            "",
            "a.example",
            "/path",
            "ftp://a.example",
            "https://",
            "https://user@a.example",
            "https://user:pass@a.example/",
            "https://a.example:",
            "https://a.example:99999",
            "https://a.example:-1/",
            "https://a b.example",
            "https://:443/",
        ] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }
}
