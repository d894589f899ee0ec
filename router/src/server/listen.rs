//! The sockets on which the router listens.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// Takes an address.
///
/// # Errors
/// When it is taken, or not ours to take.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}
