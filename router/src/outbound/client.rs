//! One request and its answer: resolve, check, connect or take a kept connection, send, read.

use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::address::Addresses;
use super::connect::{Connection, Connector, Key};
use super::failure::Failure;
use super::pool::Pool;
use super::target::Target;

/// The largest body of an answer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Makes requests.
#[derive(Debug)]
pub struct Client {
    addresses: Addresses,
    connector: Connector,
    /// Connections for the next requests.
    pub pool: Pool,
}

/// A `POST` of JSON.
#[derive(Debug)]
pub struct Post {
    /// Where to.
    pub target: Target,
    /// Whether an operator chose where to, so that any address is right.
    pub trusted: bool,
    /// Headers beside the usual ones.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer with a status 2xx.
#[derive(Debug)]
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// A client that may ask these addresses.
    ///
    /// # Errors
    /// When one of the roots isn't a certificate.
    pub fn new(addresses: Addresses, extra_roots: &[CertificateDer<'static>]) -> Result<Self, rustls::Error> {
        Ok(Self { addresses, connector: Connector::new(extra_roots)?, pool: Pool::default() })
    }

    /// Makes a request, once. It is sent a second time only where nothing of it was sent the first time: on a kept
    /// connection that turns out closed. Redirects aren't followed.
    ///
    /// # Errors
    /// Why there is no answer with a status 2xx by the deadline.
    pub async fn post(&self, post: &Post, deadline: Instant) -> Result<Answer, Failure> {
        timeout_at(deadline, self.exchange(post, deadline)).await.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, post: &Post, deadline: Instant) -> Result<Answer, Failure> {
        let target = &post.target;
        let addresses = self.resolve(target, post.trusted).await?;
        let mut request = request(post);
        let kept = addresses.iter().find_map(|address| self.pool.take(&Key::new(target, *address)));
        if let Some(mut connection) = kept {
            match connection.ask(request).await {
                Ok(response) => return self.read(connection, response).await,
                Err(unsent) => request = unsent.ok_or(Failure::Lost)?,
            }
        }
        let mut connection = self.connector.open(target, &addresses, deadline).await?;
        let response = connection.ask(request).await.map_err(|_| Failure::Lost)?;
        self.read(connection, response).await
    }

    /// The addresses that the host has and that may be asked. From here on only they count, not the name: a second
    /// look could find others.
    async fn resolve(&self, target: &Target, trusted: bool) -> Result<Vec<IpAddr>, Failure> {
        let found = lookup_host((&*target.host, target.port)).await.map_err(|_| Failure::Resolve)?;
        let found: Vec<IpAddr> = found.map(|address| address.ip().to_canonical()).collect();
        if found.is_empty() {
            return Err(Failure::Resolve);
        }
        let mut allowed = found;
        allowed.retain(|address| trusted || self.addresses.allow(*address, target.tls));
        if allowed.is_empty() { Err(Failure::Address) } else { Ok(allowed) }
    }

    async fn read(&self, connection: Connection, response: Response<Incoming>) -> Result<Answer, Failure> {
        let (parts, body) = response.into_parts();
        judge(parts.status)?;
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Lost }
        })?;
        self.pool.keep(connection).await;
        Ok(Answer { headers: parts.headers, body: body.to_bytes() })
    }
}

fn request(post: &Post) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(post.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = post.target.path.clone();
    let mut headers = post.headers.clone();
    headers.insert(HOST, post.target.authority.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain"));
    let agent = HeaderValue::from_static(concat!("dialplane-router/", env!("CARGO_PKG_VERSION")));
    headers.insert(USER_AGENT, agent);
    *request.headers_mut() = headers;
    request
}

fn judge(status: StatusCode) -> Result<(), Failure> {
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::Redirect),
        429 => Err(Failure::Throttled),
        400..=499 => Err(Failure::Refused),
        500..=599 => Err(Failure::Server),
        _ => Err(Failure::Unreadable),
    }
}
