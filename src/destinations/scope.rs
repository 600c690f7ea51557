//! The addresses that a rule is about.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::answer::About;
use super::ports::decimal;
use crate::option::Entry;

/// Which addresses.
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    /// Those of one prefix; a single address is the longest one.
    Net(IpNet),
    /// Those of a class, by its number.
    Class(u8),
}

struct ScopeVisitor;

/// The classes of addresses by name. Linux connects to the loopback address if it is asked for the
/// unspecified one, so that it is loopback too. `unspecified` is one IPv4 address: Linux takes the
/// rest of 0.0.0.0/8 for ordinary addresses.
pub const CLASSES: [(&str, &[IpNet]); 5] = [
    (
        "loopback",
        &[
            ipv4([127, 0, 0, 0], 8),
            ipv4([0, 0, 0, 0], 32),
            ipv6(1, 128),
            ipv6(0, 128),
        ],
    ),
    (
        "link-local",
        &[ipv4([169, 254, 0, 0], 16), ipv6(0xfe80 << 112, 10)],
    ),
    (
        "multicast",
        &[ipv4([224, 0, 0, 0], 4), ipv6(0xff00 << 112, 8)],
    ),
    ("unspecified", &[ipv4([0, 0, 0, 0], 32), ipv6(0, 128)]),
    (
        "private",
        &[
            ipv4([10, 0, 0, 0], 8),
            ipv4([172, 16, 0, 0], 12),
            ipv4([192, 168, 0, 0], 16),
            ipv6(0xfc00 << 112, 7),
        ],
    ),
];

const fn ipv4([a, b, c, d]: [u8; 4], prefix_len: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len))
}

const fn ipv6(bits: u128, prefix_len: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix_len))
}

impl Scope {
    /// Gives each of its prefixes to `each`. Of a prefix around the loopback address, the unspecified
    /// address is one more: it is another name for the same place.
    pub fn prefixes(self, mut each: impl FnMut(IpNet, About)) {
        match self {
            Self::Class(number) => {
                let (_, nets) = CLASSES[usize::from(number)];
                nets.iter().for_each(|net| each(*net, About::Class(number)));
            }
            Self::Net(net) => {
                let host_bits = net.max_prefix_len() - net.prefix_len();
                each(net, About::Prefix(host_bits));
                if let Some(unspecified) = unspecified(net) {
                    each(unspecified, About::Loopback(host_bits));
                }
            }
        }
    }

    /// Reads a CIDR, an address or the name of a class.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(number) = CLASSES.iter().position(|(name, _)| *name == text) {
            return Ok(Self::Class(number as u8));
        }
        if text.contains('%') {
            return Err("an address with a scope (%) is not accepted: leave the scope out".into());
        }
        let (address, prefix_len) = match text.split_once('/') {
            Some((address, prefix_len)) => (address, Some(prefix_len)),
            None => (text, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("expected {}", Self::EXPECTED))?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let net = prefix_len
            .map_or(Some(longest), decimal)
            .and_then(|prefix_len| IpNet::new(address, prefix_len).ok())
            .ok_or_else(|| format!("expected a prefix length from 0 to {longest} after the /"))?;
        if net != net.trunc() {
            return Err(format!("host bits are set: write \"{}\"", net.trunc()));
        }
        Ok(Self::Net(unmapped(net)))
    }
}

/// The unspecified address, if a prefix is around the loopback address and not around this one.
fn unspecified(net: IpNet) -> Option<IpNet> {
    let (loopback, unspecified): (IpAddr, IpAddr) = match net {
        IpNet::V4(_) => (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::UNSPECIFIED.into()),
        IpNet::V6(_) => (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::UNSPECIFIED.into()),
    };
    let is_meant = net.contains(&loopback) && !net.contains(&unspecified);
    is_meant.then(|| unspecified.into())
}

/// IPv4-mapped networks as the IPv4 networks that they stand for.
fn unmapped(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix_len)) if net.addr().is_ipv6() => {
            IpNet::new(address, prefix_len).unwrap_or(net)
        }
        _ => net,
    }
}

impl Entry for Scope {
    const EXPECTED: &str = "an address, a CIDR such as \"10.0.0.0/8\", or one of loopback, \
                            link-local, multicast, unspecified, private";
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ScopeVisitor)
    }
}

impl Visitor<'_> for ScopeVisitor {
    type Value = Scope;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(Scope::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scope, E> {
        Scope::parse(text).map_err(Error::custom)
    }
}
