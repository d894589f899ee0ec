//! Calls over TLS and HTTP/1.1.

use std::net::TcpStream;

use dialplane_bench::system::{Router, TempDir, wait_for};
use tokio_rustls::rustls::version::TLS12;

use super::client::{Client, call};
use super::{HOST, Secure};
use crate::alone::snapshot_file;

#[test]
fn a_call_is_answered_whose_signature_covers_https() {
    let secure = Secure::start();
    let mut connection = secure.client().connect(secure.address, HOST).expect("a handshake");
    for _ in 0..2 {
        let answer = connection.ring(&secure.alone.salon);
        assert_eq!((answer.status, answer.body), (200, secure.document()));
    }
    assert_eq!((secure.handshakes("full"), secure.handshakes("failed")), (1.0, 0.0));
    // The plain port is what it was, and there the same signature is of another URL.
    assert_eq!(secure.alone.salon.ring(secure.alone.router.address).status, 200);
    let (head, body) = call(&secure.alone.salon, "");
    let plain = dialplane_bench::http::raw(secure.alone.router.address, format!("{head}{body}").as_bytes());
    assert_eq!(plain.expect("an answer").status, 403);
}

#[test]
fn a_session_is_resumed() {
    let secure = Secure::start();
    let client = secure.client();
    let mut first = client.connect(secure.address, HOST).expect("a handshake");
    let _ = first.ring(&secure.alone.salon);
    let mut second = client.connect(secure.address, HOST).expect("a handshake");
    assert!(!first.is_resumed() && second.is_resumed());
    assert_eq!(second.ring(&secure.alone.salon).status, 200);
    assert_eq!((secure.handshakes("full"), secure.handshakes("resumed")), (1.0, 1.0));
}

#[test]
fn tls_1_2_is_spoken_too() {
    let secure = Secure::start();
    let client = Client::with(&secure.authority, &[&TLS12]);
    let mut connection = client.connect(secure.address, HOST).expect("a handshake");
    assert_eq!(connection.ring(&secure.alone.salon).body, secure.document());
    assert!(client.connect(secure.address, HOST).expect("a handshake").is_resumed());
}

#[test]
fn told_to_end_the_router_answers_what_is_open() {
    let mut secure = Secure::start();
    let client = secure.client();
    let mut idle = client.connect(secure.address, HOST).expect("a handshake");
    assert_eq!(idle.ring(&secure.alone.salon).status, 200);
    let mut open = client.connect(secure.address, HOST).expect("a handshake");
    let (head, body) = call(&secure.alone.salon, "Expect: 100-continue\r\n");
    open.send(head.as_bytes());
    assert_eq!(open.read().map(|answer| answer.status).ok(), Some(100));

    secure.alone.router.process.signal("TERM");
    assert!(idle.read().is_err(), "an idle connection is closed");
    wait_for("new connections to be refused", || TcpStream::connect(secure.address).is_err());
    open.send(body.as_bytes());
    let answer = open.read().expect("an answer");
    assert_eq!((answer.status, answer.body), (200, secure.document()));
    assert_eq!(secure.alone.router.process.wait().code(), Some(0));
}

#[test]
fn another_router_takes_the_port_over_and_answers_the_next() {
    let dir = TempDir::new();
    let socket = dir.path("handover").display().to_string();
    let mut secure = Secure::start_with(&[("ROUTER_HANDOVER_SOCKET", &socket)]);
    let client = secure.client();
    let mut open = client.connect(secure.address, HOST).expect("a handshake");
    let (head, body) = call(&secure.alone.salon, "Expect: 100-continue\r\n");
    open.send(head.as_bytes());
    assert_eq!(open.read().map(|answer| answer.status).ok(), Some(100));

    let file = dir.path("snapshot").display().to_string();
    let _ = snapshot_file(&file);
    let old = &secure.alone.router;
    let next = Router::start(&[
        ("ROUTER_SNAPSHOT_FILE", &file),
        ("ROUTER_HANDOVER_SOCKET", &socket),
        ("ROUTER_LISTEN", &old.address.to_string()),
        ("ROUTER_OPS_LISTEN", &old.ops.to_string()),
        ("ROUTER_TLS_LISTEN", &secure.address.to_string()),
        ("ROUTER_TLS_CERTIFICATES", &secure.folder.display().to_string()),
    ]);
    assert_eq!(next.tls, Some(secure.address));
    open.send(body.as_bytes());
    assert_eq!(open.read().map(|answer| (answer.status, answer.body)).ok(), Some((200, secure.document())));
    drop(open);
    assert_eq!(secure.alone.router.process.wait().code(), Some(0));
    let mut new = client.connect(secure.address, HOST).expect("a handshake");
    assert_eq!(new.ring(&secure.alone.salon).body, secure.document());
    assert_eq!(secure.handshakes("full"), 1.0, "the new one's operations port tells");
}
