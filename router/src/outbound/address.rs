//! Which addresses may be asked: those of the public internet, and those of networks that an operator allows.

use std::net::IpAddr;

use dialplane_common::public_address::is_public;

use crate::network::Network;

/// Which addresses may be asked, and how.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// Addresses that may be asked though they aren't public, and without TLS.
    pub private_networks: Vec<Network>,
}

impl Addresses {
    /// Whether the address may be asked: over TLS when it is public, either way when it is in a network that is allowed.
    #[must_use]
    pub fn allow(&self, address: IpAddr, tls: bool) -> bool {
        self.private_networks.iter().any(|network| network.contains(address)) || (tls && is_public(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_allowed_by_name_and_only_they_without_tls() {
        let addresses = Addresses { private_networks: vec!["10.1.0.0/16".parse().unwrap()] };
        let check = |address: &str, over_tls: bool, plain: bool| {
            let address = address.parse().unwrap();
            let allowed = [true, false].map(|tls| addresses.allow(address, tls));
            assert_eq!(allowed, [over_tls, plain], "{address}");
        };
        check("10.1.2.3", true, true);
        check("::ffff:10.1.2.3", true, true);
        check("10.2.0.1", false, false);
        check("8.8.8.8", true, false);
        check("::1", false, false);
    }
}
