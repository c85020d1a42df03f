//! Proxies of one's own before the receiver: how far headers are believed. A request and the source's words in, the sender's
//! address out, or why it cannot be told. Addresses are counted from the right, where our own proxies write, so that
//! nothing a caller puts first counts.

use std::net::{IpAddr, SocketAddr};

use cidr::IpCidr;
use mef_crds::Webhook;

use crate::diagnostics::Problem;
use crate::received::Received;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies before one source.
#[derive(Clone, Debug, Default)]
pub struct Front {
    hops: usize,
    proxies: Vec<IpCidr>,
}

/// The sender's address cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownSender {
    /// A captured request does not tell it.
    #[error("the address that the connection came from is not known")]
    NoPeer,
    /// Somebody reached the receiver past the proxies.
    #[error("the connection came from {0}, which is not among spec.webhook.trustedProxies")]
    NotOurProxy(IpAddr),
    /// Fewer addresses than proxies.
    #[error("x-forwarded-for holds {found} addresses, and spec.webhook.trustedHops is {hops}")]
    TooFewHops {
        /// How many there are.
        found: usize,
        /// How many proxies there should be.
        hops: usize,
    },
    /// The entry is no address.
    #[error("the entry of x-forwarded-for that spec.webhook.trustedHops points to is no address")]
    NoAddress,
}

impl Front {
    /// Reads a source's `trustedHops` and `trustedProxies`.
    ///
    /// # Errors
    /// Every proxy that is no CIDR.
    pub fn compile(webhook: &Webhook) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let proxies = cidrs(
            &webhook.trusted_proxies,
            "spec.webhook.trustedProxies",
            &mut problems,
        );
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            hops: webhook.trusted_hops.unwrap_or(0).into(),
            proxies,
        })
    }

    /// The sender's address: that of the connection, or with proxies the one that the outermost of them was called from.
    ///
    /// # Errors
    /// When the connection is not one of our proxies', or they have not written enough.
    pub fn sender(&self, received: &Received) -> Result<IpAddr, UnknownSender> {
        let peer = received.peer.ok_or(UnknownSender::NoPeer)?.to_canonical();
        if self.hops == 0 {
            return Ok(peer);
        }
        if !self.proxies.is_empty() && !self.is_proxy(peer) {
            return Err(UnknownSender::NotOurProxy(peer));
        }
        let lines: Vec<&[u8]> = received.headers.all(FORWARDED_FOR).collect();
        let joined = lines.join(&b","[..]);
        let entries: Vec<&[u8]> = joined
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|entry| !entry.is_empty())
            .collect();
        let entry = entries
            .len()
            .checked_sub(self.hops)
            .and_then(|index| entries.get(index))
            .ok_or(UnknownSender::TooFewHops {
                found: entries.len(),
                hops: self.hops,
            })?;
        std::str::from_utf8(entry)
            .ok()
            .and_then(address)
            .ok_or(UnknownSender::NoAddress)
    }

    /// Whether the connection came from a proxy of ours, so that headers which it sets may be believed.
    ///
    /// # Errors
    /// When it did not, or nobody said which proxies are ours.
    pub fn check_proxy(&self, received: &Received) -> Result<(), UnknownSender> {
        let peer = received.peer.ok_or(UnknownSender::NoPeer)?.to_canonical();
        if self.hops > 0 && self.is_proxy(peer) {
            Ok(())
        } else {
            Err(UnknownSender::NotOurProxy(peer))
        }
    }

    /// Whether it is said which proxies are ours.
    pub(crate) fn names_proxies(&self) -> bool {
        self.hops > 0 && !self.proxies.is_empty()
    }

    /// A connection as it would look when the sender has this address: the peer, and `X-Forwarded-For`.
    pub(crate) fn pretend(&self, sender: IpAddr) -> (IpAddr, Option<String>) {
        if self.hops == 0 {
            return (sender, None);
        }
        let proxy = self.proxies.first().map_or(sender, IpCidr::first_address);
        let mut entries = vec![sender.to_string()];
        entries.resize(self.hops, proxy.to_string());
        (proxy, Some(entries.join(", ")))
    }

    fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|cidr| cidr.contains(&peer))
    }
}

/// Reads CIDRs; what is none becomes a problem.
pub(crate) fn cidrs(texts: &[String], field: &str, problems: &mut Vec<Problem>) -> Vec<IpCidr> {
    let read = |(index, text): (usize, &String)| match text.parse::<IpCidr>() {
        Ok(cidr) => Some(cidr),
        Err(error) => {
            problems.push(
                Problem::error(
                    format!("{field}[{index}]"),
                    format!("{text:?} is no CIDR: {error}"),
                )
                .help("write the network's first address and its length, as 192.0.2.0/24 or 2001:db8::/32"),
            );
            None
        }
    };
    texts.iter().enumerate().filter_map(read).collect()
}

/// An address as proxies write it: alone, with a port, an IPv6 address in brackets. One of IPv4 in IPv6 is of IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::received::Headers;

    fn front(hops: u8, proxies: &[&str]) -> Front {
        Front::compile(&Webhook {
            trusted_hops: Some(hops),
            trusted_proxies: proxies.iter().map(ToString::to_string).collect(),
            ..Webhook::default()
        })
        .unwrap()
    }

    fn request(peer: Option<&str>, forwarded: &[&str]) -> Received {
        Received {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: forwarded
                .iter()
                .map(|value| (FORWARDED_FOR, value.as_bytes()))
                .collect::<Headers>(),
            body: bytes::Bytes::new().into(),
            peer: peer.map(|peer| peer.parse().unwrap()),
            trace: None,
            client_certificate: None,
            at: jiff::Timestamp::UNIX_EPOCH,
            request_id: "r1".to_owned(),
        }
    }

    #[track_caller]
    fn check(hops: u8, peer: &str, forwarded: &[&str], expected: &str) {
        let sender = front(hops, &[]).sender(&request(Some(peer), forwarded));
        assert_eq!(
            sender,
            Ok(expected.parse().unwrap()),
            "{hops} hops, {forwarded:?}"
        );
    }

    #[test]
    fn the_sender_is_counted_from_the_right() {
        check(0, "192.0.2.1", &[], "192.0.2.1");
        check(0, "192.0.2.1", &["10.9.9.9"], "192.0.2.1");
        check(1, "10.0.0.1", &["192.0.2.1"], "192.0.2.1");
        check(2, "10.0.0.1", &["192.0.2.1, 10.0.0.2"], "192.0.2.1");
        // What the caller wrote itself stands further left.
        check(1, "10.0.0.1", &["127.0.0.1, 10.0.0.9, 192.0.2.1"], "192.0.2.1");
        check(2, "10.0.0.1", &["spoofed, 192.0.2.1,10.0.0.2"], "192.0.2.1");
        check(1, "10.0.0.1", &["127.0.0.1", "192.0.2.1"], "192.0.2.1");
        check(1, "10.0.0.1", &["127.0.0.1", "", " , "], "127.0.0.1");
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        check(0, "::ffff:192.0.2.1", &[], "192.0.2.1");
        for (written, expected) in [
            ("192.0.2.1:443", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
        ] {
            check(1, "10.0.0.1", &[written], expected);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        let sender = |front: &Front, peer, forwarded: &[&str]| front.sender(&request(peer, forwarded));
        let two = front(2, &[]);
        let few = |found| Err(UnknownSender::TooFewHops { found, hops: 2 });
        assert_eq!(sender(&two, Some("10.0.0.1"), &[]), few(0));
        assert_eq!(sender(&two, Some("10.0.0.1"), &["192.0.2.1"]), few(1));
        for entry in [
            "unknown",
            "_hidden",
            "192.0.2.1.5",
            "\u{e9}",
            "192.0.2.1 10.0.0.1",
        ] {
            assert_eq!(
                sender(&front(1, &[]), Some("10.0.0.1"), &[entry]),
                Err(UnknownSender::NoAddress),
                "{entry}"
            );
        }
        assert_eq!(sender(&two, None, &["a, b"]), Err(UnknownSender::NoPeer));
    }

    #[test]
    fn a_caller_that_reaches_the_receiver_past_the_proxies_is_told_apart() {
        let front = front(1, &["10.0.0.0/8", "2001:db8::/32"]);
        let peer = |peer| request(Some(peer), &["192.0.2.1"]);
        for ours in ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"] {
            assert_eq!(
                front.sender(&peer(ours)),
                Ok("192.0.2.1".parse().unwrap()),
                "{ours}"
            );
            assert_eq!(front.check_proxy(&peer(ours)), Ok(()), "{ours}");
        }
        let stranger = UnknownSender::NotOurProxy("192.0.2.9".parse().unwrap());
        assert_eq!(front.sender(&peer("192.0.2.9")), Err(stranger.clone()));
        assert_eq!(front.check_proxy(&peer("192.0.2.9")), Err(stranger));
        assert!(Front::default().check_proxy(&peer("10.1.2.3")).is_err());
    }

    #[test]
    fn what_is_pretended_is_what_is_read() {
        for (hops, proxies) in [(0, &[][..]), (1, &[]), (1, &["10.0.0.0/8"]), (3, &["10.0.0.0/8"])] {
            let front = front(hops, proxies);
            let sender = "192.0.2.7".parse().unwrap();
            let (peer, forwarded) = front.pretend(sender);
            let forwarded: Vec<&str> = forwarded.iter().map(String::as_str).collect();
            let received = request(Some(&peer.to_string()), &forwarded);
            assert_eq!(front.sender(&received), Ok(sender), "{hops} hops");
        }
    }

    #[test]
    fn a_network_with_bits_of_hosts_is_refused_with_what_to_write() {
        let mut problems = Vec::new();
        let read = cidrs(
            &["192.0.2.0/24", "192.0.2.1/24", "2001:db8::1", "a"].map(str::to_owned),
            "f",
            &mut problems,
        );
        assert_eq!(read.len(), 2);
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["f[1]", "f[3]"]);
    }
}
