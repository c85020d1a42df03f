//! Whether an address may be called. A name that a request brings along may lead anywhere, so what it leads to is looked
//! at: neither this machine, nor its network, nor the cloud's metadata service is a sender.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the internet.
    Public,
    /// On this machine or in a private network (RFC 1918, RFC 6598, RFC 4193).
    Private,
    /// Nowhere a sender can be: link-local addresses and metadata services, multicast, documentation, reserved ones.
    Nobody,
}

/// Tells where an address lies. One of IPv4 that is written in IPv6 lies where the IPv4 address does.
pub(super) fn place(address: IpAddr) -> Place {
    match address.to_canonical() {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => place_v6(address),
    }
}

/// Answers as a metadata service in one big cloud, although the network is a private one.
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// The same of another cloud.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn place_v4(address: Ipv4Addr) -> Place {
    if address == METADATA_V4 {
        return Place::Nobody;
    }
    match address.octets() {
        [10 | 127, ..] | [192, 168, ..] => Place::Private,
        [172, second, ..] if second & 0xf0 == 16 => Place::Private,
        [100, second, ..] if second & 0xc0 == 64 => Place::Private,
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Place::Nobody,
        _ => Place::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> Place {
    if address.is_loopback() {
        return Place::Private;
    }
    if address == METADATA_V6 {
        return Place::Nobody;
    }
    match address.segments() {
        [first, ..] if first & 0xfe00 == 0xfc00 => Place::Private,
        // Translated to IPv4 by the network (RFC 6052), and 6to4 (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            place_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Teredo and the other protocol assignments, and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Place::Nobody,
        [0x3fff, second, ..] if second < 0x1000 => Place::Nobody,
        [first, ..] if first & 0xe000 == 0x2000 => Place::Public,
        _ => Place::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: Place, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(place(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn senders_are_in_the_internet() {
        check(
            Place::Public,
            &[
                "52.94.5.1",
                "172.15.0.1",
                "172.32.0.1",
                "100.63.255.255",
                "100.128.0.1",
                "192.167.0.1",
                "223.255.255.255",
                "2600:1f14::1",
                "::ffff:52.94.5.1",
                "64:ff9b::345e:501",
            ],
        );
    }

    #[test]
    fn own_networks_need_a_word() {
        check(
            Place::Private,
            &[
                "127.0.0.1",
                "127.8.8.8",
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.0.1",
                "100.64.0.1",
                "::1",
                "fd12:3456::1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "64:ff9b::7f00:1",
                "2002:7f00:1::1",
            ],
        );
    }

    #[test]
    fn metadata_services_and_the_like_are_never_called() {
        check(
            Place::Nobody,
            &[
                "169.254.169.254",
                "169.254.170.2",
                "100.100.100.200",
                "fd00:ec2::254",
                "fe80::1",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "2002:a9fe:a9fe::1",
                "0.0.0.0",
                "0.1.2.3",
                "::",
                "::7f00:1",
                "64:ff9b:1::1",
                "192.0.0.192",
                "198.18.0.1",
                "203.0.113.9",
                "224.0.0.1",
                "240.0.0.1",
                "255.255.255.255",
                "ff02::1",
                "2001::1",
                "2001:db8::1",
                "fec0::1",
            ],
        );
    }
}
