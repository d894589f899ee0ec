//! Those who don't speak TLS, or too slowly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use dialplane_bench::system::wait_for;

use super::{HOST, Secure};
use crate::ops;

/// Sends bytes, and reads to the end of the connection.
fn send(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("the router accepts");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(bytes).expect("sent");
    let ended = stream.read_to_end(&mut Vec::new());
    assert!(ended.map_or_else(|error| error.kind() == std::io::ErrorKind::ConnectionReset, |_| true));
}

#[test]
fn what_is_no_tls_is_closed_and_counted_and_harms_nobody() {
    let secure = Secure::start_with(&[("ROUTER_CONNECTIONS_MAX", "4")]);
    let mut other = secure.client().connect(secure.address, HOST).expect("a handshake");
    // A record of the right kind whose content is wrong, and one that is longer than any may be.
    let strangers: [&[u8]; 5] = [
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 100],
        &[0x16, 3, 1, 0, 4, 1, 0, 0, 0],
        &[0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0],
    ];
    for (index, bytes) in strangers.into_iter().enumerate() {
        send(secure.address, bytes);
        wait_for("it to be counted", || secure.handshakes("failed") == (index + 1) as f64);
    }
    assert_eq!(other.ring(&secure.alone.salon).body, secure.document());
    drop(other);
    wait_for("places to be given back", || ops::metric(secure.alone.router.ops, "router_connections") == 0.0);
    for _ in 0..3 {
        assert_eq!(
            secure
                .client()
                .connect(secure.address, HOST)
                .expect("a handshake")
                .ring(&secure.alone.salon)
                .status,
            200
        );
    }
}

#[test]
fn a_client_that_offers_no_protocol_of_ours_is_refused() {
    let secure = Secure::start();
    assert!(secure.client().speaking("spdy/1").connect(secure.address, HOST).is_err());
    wait_for("it to be counted", || secure.handshakes("failed") == 1.0);
}

#[test]
fn a_handshake_that_is_too_slow_is_closed_and_counted() {
    let secure = Secure::start_with(&[("ROUTER_HEADER_TIMEOUT_MS", "200")]);
    let mut silent = TcpStream::connect(secure.address).expect("the router accepts");
    silent.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    silent.write_all(&[0x16, 3, 1]).expect("sent");
    assert_eq!(silent.read(&mut [0]).ok(), Some(0), "closed");
    wait_for("it to be counted", || secure.handshakes("too_slow") == 1.0);
    assert_eq!(secure.handshakes("failed"), 0.0);
}
