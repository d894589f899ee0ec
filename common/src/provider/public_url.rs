//! The URLs by which providers call us: their signatures cover them.

use std::fmt;
use std::str::FromStr;

/// An origin, perhaps with a path in front of ours: `https://calls.example.com` or `https://example.com/calls`.
///
/// Kept in every form in which a provider may have signed it: as given, without the port, with the default port.
/// Twilio drops the port for voice over HTTPS and keeps it otherwise; its own libraries accept either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicUrl {
    forms: Vec<String>,
}

/// Why a text isn't a public URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PublicUrlError {
    /// Neither HTTP nor HTTPS.
    #[error("wanted http:// or https:// in front")]
    Scheme,
    /// No host, a user, or bytes that no host has.
    #[error("wanted a host, perhaps a port, and no user or password")]
    Host,
    /// A query or a fragment.
    #[error("wanted no query and no fragment")]
    Query,
}

impl PublicUrl {
    /// The URL as given, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.forms[0]
    }

    /// The forms in which it may have been signed, the likeliest first.
    #[must_use]
    pub fn signed_forms(&self) -> &[String] {
        &self.forms
    }

    /// The origin that a request names itself, by its scheme and `Host` header; `None` when that is no host.
    #[must_use]
    pub fn from_request(scheme: &str, host: &str) -> Option<Self> {
        format!("{scheme}://{host}").parse().ok()
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let text = text.trim_end_matches('/');
        let (scheme, rest) = text.split_once("://").ok_or(PublicUrlError::Scheme)?;
        let default_port = match scheme {
            "https" => "443",
            "http" => "80",
            _ => return Err(PublicUrlError::Scheme),
        };
        if rest.contains(['?', '#']) {
            return Err(PublicUrlError::Query);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host_bytes = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        let (host, port) = split_port(authority);
        let port_is_number = port.is_none_or(|port| port.parse::<u16>().is_ok());
        if host.is_empty() || !authority.bytes().all(host_bytes) || !port_is_number {
            return Err(PublicUrlError::Host);
        }
        let given = text.to_owned();
        let other = match port {
            Some(_) => format!("{scheme}://{host}{path}"),
            None => format!("{scheme}://{host}:{default_port}{path}"),
        };
        Ok(Self { forms: vec![given, other] })
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_forms_that_providers_sign() {
        let check = |text: &str, expected: [&str; 2]| {
            assert_eq!(text.parse::<PublicUrl>().unwrap().signed_forms(), expected, "{text}");
        };
        check("https://a.example", ["https://a.example", "https://a.example:443"]);
        check("https://a.example:8443/", ["https://a.example:8443", "https://a.example"]);
        check("http://a.example/base/", ["http://a.example/base", "http://a.example:80/base"]);
        check("http://127.0.0.1:8080", ["http://127.0.0.1:8080", "http://127.0.0.1"]);
        check("http://[::1]:8080", ["http://[::1]:8080", "http://[::1]"]);
        check("http://[::1]", ["http://[::1]", "http://[::1]:80"]);
    }

    #[test]
    fn refuses_what_no_provider_can_call() {
        let check = |text: &str, expected: PublicUrlError| {
            assert_eq!(text.parse::<PublicUrl>(), Err(expected), "{text}");
        };
        check("a.example", PublicUrlError::Scheme);
        check("ftp://a.example", PublicUrlError::Scheme);
        check("https://", PublicUrlError::Scheme);
        check("https://user@a.example", PublicUrlError::Host);
        check("https://a.example:port", PublicUrlError::Host);
        check("https://a b", PublicUrlError::Host);
        check("https://a.example?x=1", PublicUrlError::Query);
        check("https://a.example/#x", PublicUrlError::Query);
    }
}
