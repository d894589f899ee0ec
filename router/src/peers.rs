//! How many connections are open, in all and from each address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use crate::config::Limits;
use crate::metrics::Refused;

/// Counts open connections.
#[derive(Debug)]
pub struct Peers {
    limits: Limits,
    open: AtomicUsize,
    by_address: DashMap<IpAddr, usize>,
}

/// One open connection. Dropping it counts it out.
#[derive(Debug)]
pub struct Admission {
    peers: Arc<Peers>,
    /// Absent for a trusted proxy, which speaks for many.
    address: Option<IpAddr>,
}

impl Peers {
    /// With nothing open.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, open: AtomicUsize::new(0), by_address: DashMap::new() }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a connection in, unless a limit is reached. `trusted` peers have no limit of their own.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr, trusted: bool) -> Result<Admission, Refused> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.limits.connections_max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused::Full);
        }
        let address = (!trusted).then_some(address);
        if let Some(address) = address {
            let mut count = self.by_address.entry(address).or_insert(0);
            if *count >= self.limits.connections_per_peer_max {
                drop(count);
                self.open.fetch_sub(1, Ordering::Relaxed);
                return Err(Refused::Peer);
            }
            *count += 1;
        }
        Ok(Admission { peers: Arc::clone(self), address })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.peers.open.fetch_sub(1, Ordering::Relaxed);
        let Some(address) = self.address else { return };
        if let Some(mut count) = self.peers.by_address.get_mut(&address) {
            *count -= 1;
        }
        // An address with nothing open is forgotten, so that the map is never larger than what is open.
        self.peers.by_address.remove_if(&address, |_, count| *count == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn peers(connections_max: usize, connections_per_peer_max: usize) -> Arc<Peers> {
        let timeout = Duration::from_secs(1);
        Arc::new(Peers::new(Limits {
            connections_max,
            connections_per_peer_max,
            lag_max: timeout,
            header_timeout: timeout,
            body_timeout: timeout,
            call_max: timeout,
        }))
    }

    #[test]
    fn limits_hold_in_all_and_by_address() {
        let peers = peers(3, 2);
        let [a, b]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let first = peers.admit(a, false).unwrap();
        let _second = peers.admit(a, false).unwrap();
        assert!(matches!(peers.admit(a, false), Err(Refused::Peer)));
        let _third = peers.admit(b, false).unwrap();
        assert!(matches!(peers.admit(b, false), Err(Refused::Full)));
        drop(first);
        assert!(peers.admit(a, false).is_ok());
    }

    #[test]
    fn trusted_proxies_have_the_total_limit_only_and_nothing_is_left_behind() {
        let peers = peers(3, 1);
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let open: Vec<_> = (0..3).map(|_| peers.admit(proxy, true).unwrap()).collect();
        assert!(matches!(peers.admit(proxy, true), Err(Refused::Full)));
        drop(open);
        drop(peers.admit(proxy, false).unwrap());
        assert_eq!((peers.open(), peers.by_address.len()), (0, 0));
    }
}
