//! The same requests over HTTP/2: one at a time on each connection.

use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::client::{HOST, check};

/// Requests until then; only one without. How many.
///
/// # Errors
/// At the first answer that isn't 200.
pub async fn ask<'r>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    requests: &mut impl Iterator<Item = &'r [u8]>,
    until: Option<Instant>,
) -> Result<u64, String> {
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let mut count = 0;
    for request in requests {
        let request = request_of(request).ok_or("a request that is none")?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("wanted status 200, got {}", answer.status()));
        }
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        if count == 0 {
            check(&String::from_utf8_lossy(&body))?;
        }
        count += 1;
        if until.is_none_or(|until| Instant::now() >= until) {
            break;
        }
    }
    driver.abort();
    Ok(count)
}

/// A request of HTTP/1.1 as bytes, made one of HTTP/2.
fn request_of(bytes: &[u8]) -> Option<Request<Full<Bytes>>> {
    let (head, body) = std::str::from_utf8(bytes).ok()?.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?;
    let mut request = Request::post(format!("https://{HOST}{target}"));
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if !name.eq_ignore_ascii_case("host") {
            request = request.header(name, value);
        }
    }
    request.body(Full::new(Bytes::from(body.to_owned()))).ok()
}
