//! One entry of `allow` or `deny`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::slice;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::ports::{Ports, decimal};
use crate::option::Entry;

/// Addresses, and the ports at them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which addresses.
    pub scope: Scope,
    /// Which ports at them.
    pub ports: Ports,
}

/// Which addresses.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of one prefix; a single address is the longest one.
    Net(IpNet),
    /// Those of a class, by its prefixes.
    Class(&'static [IpNet]),
}

/// A rule that says which ports.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScopeAndPorts {
    /// The addresses: a CIDR, an address or a class.
    cidr: Scope,
    /// The ports: `"443"`, `443` or, first and last, `"8000-8999"`. Default: all.
    #[serde(default = "Ports::all")]
    ports: Ports,
}

struct RuleVisitor;
struct ScopeVisitor;

/// The classes of addresses by name. `unspecified` is one IPv4 address: Linux takes the rest of
/// 0.0.0.0/8 for ordinary addresses.
pub const CLASSES: [(&str, &[IpNet]); 5] = [
    ("loopback", &[ipv4([127, 0, 0, 0], 8), ipv6(1, 128)]),
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
    /// Its prefixes.
    pub fn nets(&self) -> &[IpNet] {
        match self {
            Self::Net(net) => slice::from_ref(net),
            Self::Class(nets) => nets,
        }
    }

    /// Reads a CIDR, an address or the name of a class.
    fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, nets)) = CLASSES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Class(nets));
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

impl Entry for Rule {
    const EXPECTED: &str = "an address, a CIDR such as \"10.0.0.0/8\", one of loopback, \
                            link-local, multicast, unspecified, private, or an object of cidr and \
                            ports";
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

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RuleVisitor)
    }
}

impl<'de> Visitor<'de> for RuleVisitor {
    type Value = Rule;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(Rule::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Rule, E> {
        Ok(Rule {
            scope: ScopeVisitor.visit_str(text)?,
            ports: Ports::all(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Rule, A::Error> {
        let ScopeAndPorts { cidr, ports } =
            Deserialize::deserialize(MapAccessDeserializer::new(object))?;
        Ok(Rule { scope: cidr, ports })
    }
}
