//! Which addresses are the public internet's. A tenant names servers that we ask, so a name of its could lead inside:
//! to a metadata service, a database, another tenant. What isn't an address of the public internet is refused, as the
//! registries list them: <https://www.iana.org/assignments/iana-ipv4-special-registry>,
//! <https://www.iana.org/assignments/iana-ipv6-special-registry>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 addresses that are nobody's on the public internet: first address and length of the prefix.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by a carrier's customers
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, where clouds keep their metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, broadcast
];

/// The public IPv6 internet, 2000::/3, without these. Tunnels lead to an IPv4 address that the other end chooses.
const SPECIAL_V6: [([u16; 2], u32); 4] = [
    ([0x2001, 0], 23),     // protocol assignments, Teredo tunnels among them
    ([0x2001, 0xdb8], 32), // documentation
    ([0x2002, 0], 16),     // 6to4 tunnels
    ([0x3fff, 0], 20),     // documentation
];

/// An IPv6 network's way to the IPv4 address in the last four bytes (RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Whether it is an address of the public internet, and leads to one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = |(first, length): ([u8; 4], u32)| {
        (address.to_bits() ^ u32::from_be_bytes(first)) >> (32 - length) == 0
    };
    !SPECIAL_V4.into_iter().any(special)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [.., high, low] = address.segments();
    if address.segments().starts_with(&NAT64) {
        return is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    }
    let first_half = (address.to_bits() >> 96) as u32;
    let special = |([first, second], length): ([u16; 2], u32)| {
        (first_half ^ (u32::from(first) << 16 | u32::from(second))) >> (32 - length) == 0
    };
    first_half >> 29 == 1 && !SPECIAL_V6.into_iter().any(special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        let check = |addresses: &str, expected: bool| {
            for address in addresses.split_whitespace() {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        };
        check("1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255", true);
        check(
            "169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.0 198.17.255.255 198.20.0.0 223.255.255.255",
            true,
        );
        check(
            "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.254",
            false,
        );
        check("169.254.169.254 169.254.0.0 172.16.0.0 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1", false);
        check("192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9", false);
        check("224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255", false);
        check("2606:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 2001:200::1 2003::1 3ffe::1", true);
        check(
            ":: ::1 fe80::1 febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 ff0e::1 100::1 4000::1 5f00::1",
            false,
        );
        check("2001:db8::1 3fff::1 3fff:fff::1 2001::1 2001:0:1::1 2001:2::1 2001:10::1 2001:1ff::1", false);
        // Forms of IPv4 addresses: mapped, compatible, NAT64, 6to4.
        check("::ffff:8.8.8.8 64:ff9b::8.8.8.8", true);
        check(
            "::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::127.0.0.1 ::8.8.8.8 ::ffff:0:8.8.8.8",
            false,
        );
        check("64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8", false);
        check("2002:7f00:1::1 2002:a9fe:a9fe::1 2002:808:808::1", false);
    }
}
