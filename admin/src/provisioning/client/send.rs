//! One request over HTTP, and its reply whole.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use dialplane_common::public_address::is_public;
use dialplane_common::rest::{Effect, Fault, Reply, Request};
use http::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use super::asked_wait::asked_wait;
use super::bases::{Bases, Place};
use crate::outbound::NotPublic;

/// The largest page of numbers that a provider gives has less than one.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Longer ids are cut off in logs.
const REQUEST_ID_CHARS_MAX: usize = 100;
/// Where providers put their id of a request, which their support asks for.
const REQUEST_IDS: [&str; 4] = ["twilio-request-id", "x-request-id", "request-id", "x-livekit-request-id"];
/// The code of a fault for a host that may not be asked.
const HOST_REFUSED: &str = "host_refused";
const OURS: HeaderValue = HeaderValue::from_static(concat!("dialplane/", env!("CARGO_PKG_VERSION")));

/// Sends requests.
pub struct Sender {
    /// For servers that providers and operators name.
    pub http: reqwest::Client,
    /// For those that tenants may have named.
    pub public_http: reqwest::Client,
    /// Where APIs are.
    pub bases: Bases,
}

/// A reply, and the provider's id of the request.
#[derive(Debug)]
pub struct Answer {
    /// The reply.
    pub reply: Reply,
    /// The id.
    pub request_id: Option<String>,
}

/// Why there is no reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Broken {
    /// Nothing was sent: no address, no connection, no TLS.
    Unsent(String),
    /// Nothing was sent, as the account's host isn't one of the public internet.
    Inside,
    /// It was, or may have been, and no reply came, or not all of it.
    Lost(String),
    /// The reply is larger than [`BODY_BYTES_MAX`].
    TooLarge,
}

impl Broken {
    /// What that means for who wanted something.
    #[must_use]
    pub fn fault(&self, effect: Effect) -> Fault {
        match (self, effect) {
            (Self::Inside, _) => Fault::stop(HOST_REFUSED, self.to_string()),
            (Self::Unsent(_), _) | (Self::Lost(_), Effect::Repeatable) => Fault::retry(self.to_string()),
            (Self::Lost(_), Effect::Once) | (Self::TooLarge, _) => Fault::unclear(self.to_string()),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsent(why) => write!(f, "the provider can't be reached, nothing was sent: {why}"),
            Self::Inside => write!(f, "the account's credentials name a host that isn't asked: {NotPublic}"),
            Self::Lost(why) => write!(f, "the provider's answer didn't come, or not whole: {why}"),
            Self::TooLarge => write!(f, "the provider's answer has more than {} MiB", BODY_BYTES_MAX >> 20),
        }
    }
}

impl Sender {
    /// Makes a request ready.
    ///
    /// # Errors
    /// [`Fault::Stop`]: an account's host that may not be asked, credentials that no header can carry, an id that would
    /// lead to another path.
    pub fn ready(&self, request: &Request) -> Result<Ready<'_>, Fault> {
        let (http, base) = match self.bases.place(request) {
            Place::Known(base) => (&self.http, base),
            Place::Own(base) => (&self.public_http, own(base)?),
        };
        let mut ready = reqwest::Request::new(request.method.clone(), url(base, &request.target)?);
        let headers = ready.headers_mut();
        headers.insert(USER_AGENT, OURS);
        for (name, value) in &request.headers {
            let value = HeaderValue::from_bytes(value.expose());
            let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), value) else {
                let reason = "one of the account's credentials has characters that no header can carry";
                return Err(Fault::stop("credentials_malformed", reason));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        if let Some((media_type, body)) = &request.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
            *ready.body_mut() = Some(body.clone().into());
        }
        Ok(Ready { http, request: ready })
    }
}

/// A request that is ready to be sent.
pub struct Ready<'a> {
    http: &'a reqwest::Client,
    request: reqwest::Request,
}

impl Ready<'_> {
    /// Sends it and reads the reply within this time.
    ///
    /// # Errors
    /// [`Broken`].
    pub async fn send(self, within: Duration) -> Result<Answer, Broken> {
        let asking = async {
            let response = self.http.execute(self.request).await.map_err(broken)?;
            read(response).await
        };
        let late = |_| Err(Broken::Lost(format!("none within {:.1} s", within.as_secs_f64())));
        tokio::time::timeout(within, asking).await.unwrap_or_else(late)
    }
}

/// The base URL of an account's own host, unless that isn't a host of the public internet.
fn own(base: &str) -> Result<&str, Fault> {
    let is_good = Url::parse(base).is_ok_and(|url| {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_plain = url.username().is_empty() && !base.contains(['@', '?', '#']);
        url.scheme() == "https" && is_plain && host.parse::<IpAddr>().map_or(!host.is_empty(), is_public)
    });
    let reason = "the account's credentials name a host that isn't asked: wanted https and a public address";
    if is_good { Ok(base) } else { Err(Fault::stop(HOST_REFUSED, reason)) }
}

/// The URL of what is below a base. A parser of URLs takes `..` in a path for a way up: ids that people wrote lead
/// nowhere else.
fn url(base: &str, target: &str) -> Result<Url, Fault> {
    let url = Url::parse(&format!("{base}{target}")).ok();
    let url = url.filter(|url| target.starts_with('/') && url.as_str().ends_with(target));
    let reason = "an id, or the account's host, has characters that no URL can carry";
    url.ok_or_else(|| Fault::stop("request_malformed", reason))
}

fn broken(error: reqwest::Error) -> Broken {
    let is_unsent = error.is_connect();
    // Its own words name the URL, which has ids; what is below them tells why.
    let mut cause: &dyn Error = &error.without_url();
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if cause.is::<NotPublic>() {
        return Broken::Inside;
    }
    if is_unsent { Broken::Unsent(cause.to_string()) } else { Broken::Lost(cause.to_string()) }
}

async fn read(mut response: reqwest::Response) -> Result<Answer, Broken> {
    let (status, headers) = (response.status(), response.headers());
    let retry_after = asked_wait(status, headers, SystemTime::now());
    let location = text(headers, LOCATION.as_str());
    let request_id = REQUEST_IDS.iter().find_map(|name| text(headers, name));
    let request_id = request_id.map(|id| id.chars().take(REQUEST_ID_CHARS_MAX).collect());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Broken::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { reply: Reply { status: status.as_u16(), retry_after, location, body }, request_id })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_s_host_is_asked_over_tls_and_only_outside() {
        for good in ["https://acme.signalwire.com", "https://8.8.8.8:8443/x", "https://[2606:4700::1111]"] {
            assert_eq!(own(good), Ok(good));
        }
        for bad in [
            "",
            "acme",
            "http://acme.signalwire.com",
            "https://",
            "https://user@acme.signalwire.com",
            "https://acme.signalwire.com?x",
            "https://127.0.0.1",
            "https://127.1",
            "https://2130706433",
            "https://0x7f.1/x",
            "https://[::1]:443",
            "https://[::ffff:169.254.169.254]",
            "https://10.0.0.1",
        ] {
            assert_eq!(own(bad).unwrap_err().label(), "stop", "{bad}");
        }
    }

    #[test]
    fn a_target_leads_where_it_says() {
        let check = |target: &str, expected: Option<&str>| {
            let url = url("https://a.example/v2", target).ok().map(String::from);
            assert_eq!(url.as_deref(), expected, "{target}");
        };
        check("/numbers/%2B1?page%5Bsize%5D=2", Some("https://a.example/v2/numbers/%2B1?page%5Bsize%5D=2"));
        check("/numbers/..", None);
        check("/numbers/%2e%2E/keys", None);
        check("/numbers/./x", None);
        check("/numbers/a b", None);
        check("/numbers/\n", None);
        check("@other.example/", None);
    }
}
