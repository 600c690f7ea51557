//! Rules by name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::answer::{About, RuleId};
use super::key::Key;
use super::layer::Layer;
use super::layers::Layers;
use super::scope::CLASSES;

/// A rule as its list has it: `deny[3] 169.254.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    list: &'static str,
    rule: RuleId,
    /// An address that the rule covers.
    covers: IpAddr,
}

impl Name {
    /// The rule of this list that covers an address.
    pub fn new(list: &'static str, rule: RuleId, covers: IpAddr) -> Self {
        Self { list, rule, covers }
    }

    /// Where the rule is in its list.
    pub fn index(&self) -> usize {
        self.rule.index()
    }

    /// The rule with this index in a list of these layers.
    pub fn in_layers(list: &'static str, index: usize, layers: &Layers) -> Option<Self> {
        let of = |(rule, covers): (RuleId, IpAddr)| {
            (rule.index() == index).then(|| Self::new(list, rule, covers))
        };
        let mut ipv4 = layers.ipv4.iter().map(covered).filter_map(of);
        ipv4.next()
            .or_else(|| layers.ipv6.iter().map(covered).find_map(of))
    }
}

fn covered<K: Key>(layer: &Layer<K>) -> (RuleId, IpAddr) {
    (layer.rule, layer.first.ip())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}[{}] ", self.list, self.index())?;
        let (around, host_bits) = match self.rule.about() {
            About::Class(number) => return f.write_str(CLASSES[usize::from(number)].0),
            About::Prefix(host_bits) => (self.covers, host_bits),
            About::Loopback(host_bits) => (loopback(self.covers), host_bits),
        };
        let longest = if around.is_ipv4() { 32 } else { 128 };
        match IpNet::new(around, longest - host_bits) {
            Ok(net) if host_bits > 0 => net.trunc().fmt(f),
            _ => around.fmt(f),
        }
    }
}

fn loopback(unspecified: IpAddr) -> IpAddr {
    match unspecified {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}
