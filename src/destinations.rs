//! Where a restored destination may lie.

mod merge;
mod ports;
mod rule;
#[cfg(test)]
mod schema;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;

use crate::option::List;
use merge::{Layer, merge};
use ports::Ports;
use rule::Rule;
use table::Table;

/// The `allow` and `deny` rules, merged at load: judging an address is one search for the range
/// that it lies in, however many rules there are, and allocates nothing.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Rules")]
pub struct Destinations {
    /// What becomes of a connection to a denied destination.
    pub on_denied: OnDenied,
    ipv4: Table<u32>,
    ipv6: Table<u128>,
    /// The allowed ports that the tables' ranges have, by the tables' answers.
    allowed: Box<[Ports]>,
}

/// What becomes of a connection to a denied destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum OnDenied {
    /// Close the connection.
    #[default]
    Close,
    /// Leave the connection unrestored.
    Ignore,
    /// Count and log it, and restore all the same.
    Audit,
}

/// Where a restored destination may lie: at least one of `allow` and `deny`. Checked for every way
/// of recovery. An IPv4-mapped IPv6 address is judged as the IPv4 address.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with allow, deny or both")]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("anyOf" = [{ "required": ["allow"] }, { "required": ["deny"] }]))
)]
pub(crate) struct Rules {
    /// The destinations that are allowed: all others are denied. Default: all are allowed.
    #[serde(default)]
    allow: List<Rule>,
    /// The destinations that are denied, those among them that `allow` lists. Default: none.
    #[serde(default)]
    deny: List<Rule>,
    /// What becomes of a connection to a denied destination: `CLOSE`, `IGNORE` (leave it
    /// unrestored) or `AUDIT` (count and log it, restore all the same). Default: `CLOSE`.
    #[serde(default)]
    on_denied: OnDenied,
}

/// The sets of ports that occur, each once.
#[derive(Default)]
struct PortSets {
    sets: Vec<Ports>,
    numbers: HashMap<Ports, u32>,
}

impl Destinations {
    /// Whether a connection to this destination is allowed.
    pub fn allow(&self, destination: SocketAddr) -> bool {
        let answer = match destination.ip().to_canonical() {
            IpAddr::V4(ip) => self.ipv4.answer(ip.to_bits()),
            IpAddr::V6(ip) => self.ipv6.answer(ip.to_bits()),
        };
        self.allowed[answer as usize].contains(destination.port())
    }
}

impl TryFrom<Rules> for Destinations {
    type Error = String;

    fn try_from(rules: Rules) -> Result<Self, String> {
        let elsewhere = match (rules.allow.is_empty(), rules.deny.is_empty()) {
            (true, true) => return Err("expected allow, deny or both".to_owned()),
            (true, false) => Ports::all(),
            (false, _) => Ports::none(),
        };
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for (denies, list) in [(false, rules.allow), (true, rules.deny)] {
            for rule in list {
                for net in rule.scope.nets() {
                    let (layers, first, last) = match net {
                        IpNet::V4(net) => (
                            &mut ipv4,
                            net.network().to_bits().into(),
                            net.broadcast().to_bits().into(),
                        ),
                        IpNet::V6(net) => (
                            &mut ipv6,
                            net.network().to_bits(),
                            net.broadcast().to_bits(),
                        ),
                    };
                    layers.push(Layer {
                        first,
                        last,
                        ports: rule.ports.clone(),
                        denies,
                    });
                }
            }
        }
        let mut allowed = PortSets::default();
        let ipv4 = table(&mut allowed, merge(ipv4, elsewhere.clone())?);
        let ipv6 = table(&mut allowed, merge(ipv6, elsewhere)?);
        Ok(Self {
            on_denied: rules.on_denied,
            ipv4,
            ipv6,
            allowed: allowed.sets.into(),
        })
    }
}

impl PortSets {
    fn number(&mut self, ports: Ports) -> u32 {
        *self.numbers.entry(ports).or_insert_with_key(|ports| {
            self.sets.push(ports.clone());
            self.sets.len() as u32 - 1
        })
    }
}

/// The table of merged ranges. Those of IPv4 end where its addresses do.
fn table<K: TryFrom<u128> + Copy + Default + Ord>(
    allowed: &mut PortSets,
    merged: Vec<(u128, Ports)>,
) -> Table<K> {
    let ranges = merged
        .into_iter()
        .filter_map(|(start, ports)| Some((K::try_from(start).ok()?, allowed.number(ports))));
    Table::new(&ranges.collect::<Vec<_>>())
}
