//! The sockets on which the router listens, and how many it may have.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::net::sockopt::set_tcp_congestion;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::handover::Predecessor;

/// How fast a connection's answers may go. An answer is smaller than the first window, so that there is nothing to control:
/// of those that every system has and allows, this costs the least for each. What paces its segments (BBR, some systems'
/// default) sets a timer for one.
const CONGESTION_CONTROL: &str = "reno";

/// Takes an address: from the router that runs already, if it has it, else from the system.
///
/// # Errors
/// When it is taken, or not ours to take.
pub fn bind(
    setting: &str,
    address: SocketAddr,
    predecessor: Option<&mut Predecessor>,
) -> io::Result<TcpListener> {
    let listener = match predecessor.and_then(|predecessor| predecessor.take(setting, address)) {
        Some(listener) => listener,
        None => TcpListener::bind(address)?,
    };
    // Where it isn't allowed, the system's own choice is as good, and only dearer.
    let _ = set_tcp_congestion(&listener, CONGESTION_CONTROL);
    Ok(listener)
}

/// Lets the process have as many sockets as it may: the limit that is usual is one for programs that use select(2).
/// Returns how many that is.
#[must_use]
pub fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use rustix::net::sockopt::tcp_congestion;

    use super::*;

    #[test]
    fn connections_have_the_listeners_congestion_control() {
        let listener = bind("ROUTER_LISTEN", (Ipv4Addr::LOCALHOST, 0).into(), None).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        assert_eq!(tcp_congestion(&connection).unwrap(), CONGESTION_CONTROL);
    }
}
