//! HTTP/2, which is spoken where both ends say so in the handshake.

use std::convert::Infallible;
use std::net::TcpStream as StdStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use dialplane_bench::operator::Salon;
use dialplane_bench::system::wait_for;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::client::signed;
use super::{HOST, Secure};
use crate::ops;

/// A body that comes in pieces.
struct Pieces(mpsc::UnboundedReceiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| Some(Ok(Frame::data(piece?))))
    }
}

type Body = BoxBody<Bytes, Infallible>;

/// A connection, and the task that drives it.
async fn connect(secure: &Secure) -> (SendRequest<Body>, tokio::task::JoinHandle<hyper::Result<()>>) {
    let tcp = tokio::net::TcpStream::connect(secure.address).await.expect("the router accepts");
    let client = secure.client().speaking("h2");
    let host = ServerName::try_from(HOST).expect("a host");
    let tls = TlsConnector::from(Arc::clone(&client.0)).connect(host, tcp).await.expect("a handshake");
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.expect("HTTP/2");
    (sender, tokio::spawn(connection))
}

fn request(salon: &Salon, body: Body) -> Request<Body> {
    let (target, signature, _) = signed(salon);
    Request::post(format!("https://{HOST}{target}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(body)
        .expect("a request")
}

fn whole(salon: &Salon) -> Request<Body> {
    request(salon, Full::new(Bytes::from(signed(salon).2)).boxed())
}

async fn text(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn calls_are_answered_many_at_a_time() {
    let secure = Secure::start();
    let (sender, _driver) = connect(&secure).await;
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (mut sender, request) = (sender.clone(), whole(&secure.alone.salon));
            tokio::spawn(async move { text(sender.send_request(request).await.expect("an answer")).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("done"), (200, secure.document()));
    }
    assert_eq!(secure.handshakes("full"), 1.0);
}

#[tokio::test]
async fn told_to_end_the_router_answers_what_is_open() {
    let mut secure = Secure::start();
    let (mut sender, driver) = connect(&secure).await;
    let (piece, pieces) = mpsc::unbounded_channel();
    let open = sender.send_request(request(&secure.alone.salon, Pieces(pieces).boxed()));
    let open = tokio::spawn(open);
    // Frames keep their order: once this is answered, the router has the head of the one before.
    let mut second = sender.clone();
    second.ready().await.expect("open");
    let answer = second.send_request(whole(&secure.alone.salon)).await.expect("an answer");
    assert_eq!(text(answer).await.0, 200);

    secure.alone.router.process.signal("TERM");
    wait_for("new connections to be refused", || StdStream::connect(secure.address).is_err());
    piece.send(Bytes::from(signed(&secure.alone.salon).2)).expect("sent");
    drop(piece);
    let answer = open.await.expect("done").expect("an answer");
    assert_eq!(text(answer).await, (200, secure.document()));
    driver.await.expect("done").expect("the connection ends in peace");
    assert_eq!(secure.alone.router.process.wait().code(), Some(0));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let secure = Secure::start_with(&[("ROUTER_HEADER_TIMEOUT_MS", "200")]);
    let (mut sender, driver) = connect(&secure).await;
    let answer = sender.send_request(whole(&secure.alone.salon)).await.expect("an answer");
    assert_eq!(text(answer).await.0, 200);
    driver.await.expect("done").expect("the connection ends in peace");
}

#[tokio::test]
async fn a_body_that_is_too_large_leaves_the_connection_to_others() {
    let secure = Secure::start();
    let (mut sender, _driver) = connect(&secure).await;
    let large = Full::new(Bytes::from(vec![b'a'; 200 << 10])).boxed();
    let answer = sender.send_request(request(&secure.alone.salon, large)).await.expect("an answer");
    assert_eq!(answer.status(), 413);
    sender.ready().await.expect("open");
    let answer = sender.send_request(whole(&secure.alone.salon)).await.expect("an answer");
    assert_eq!(text(answer).await.0, 200);
}

/// A frame's head: length, type, flags, stream. Source: RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[test]
fn requests_that_are_taken_back_without_end_end_the_connection() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    let secure = Secure::start();
    let mut other = secure.client().connect(secure.address, HOST).expect("a handshake");
    let mut flood = secure.client().speaking("h2").connect(secure.address, HOST).expect("a handshake");
    let mut bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat();
    for stream in (1..2000).step_by(2) {
        // POST, https, / and a host, by their places in HPACK's table; the head is whole, the body not.
        bytes.extend(frame(HEADERS, 4, stream, &[0x83, 0x87, 0x84, 0x41, 1, b'x']));
        bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    flood.send(&bytes);
    let said = flood.read_to_end();
    // GOAWAY with ENHANCE_YOUR_CALM.
    assert!(said.windows(4).any(|bytes| bytes == [0, 0, 0, 0xb]), "{said:?}");
    assert_eq!(other.ring(&secure.alone.salon).status, 200);
    wait_for("its place to be given back", || {
        ops::metric(secure.alone.router.ops, "router_connections") == 1.0
    });
}
