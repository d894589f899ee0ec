//! The sockets on which the router listens, and how many it may have.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::handover::Predecessor;

/// Takes an address: from the router that runs already, if it has it, else from the system.
///
/// # Errors
/// When it is taken, or not ours to take.
pub fn bind(
    setting: &str,
    address: SocketAddr,
    predecessor: Option<&mut Predecessor>,
) -> io::Result<TcpListener> {
    match predecessor.and_then(|predecessor| predecessor.take(setting, address)) {
        Some(listener) => Ok(listener),
        None => TcpListener::bind(address),
    }
}

/// Lets the process have as many sockets as it may: the limit that is usual is one for programs that use select(2).
/// Returns how many that is.
#[must_use]
pub fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current }
}
