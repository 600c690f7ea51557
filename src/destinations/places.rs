//! A list of places: addresses, and ports at them.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::answer::Answer;
use super::entries::Entries;
use super::idle::Merged;
use super::layers::Layers;
use super::merge::{merge, sort};
use super::port_answers::PortAnswers;
use super::rule::Rule;
use super::table::Table;

/// The places that a list of rules is about. To find an address is one search for the range that it
/// lies in, however many rules there are, and allocates nothing.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Entries<Rule>")]
pub struct Places {
    ipv4: Table<u32>,
    ipv6: Table<u128>,
    by_port: PortAnswers,
}

impl Places {
    /// Merges what `allow` allows with what `deny` denies; `elsewhere` is for what neither is about.
    ///
    /// # Errors
    /// What is wrong with the rules.
    pub(super) fn new(allow: Layers, deny: Layers, elsewhere: Answer) -> Result<Self, String> {
        let allows = allow.rules;
        let denies = deny.rules;
        let mut layers = allow;
        layers.deny(deny);
        sort(&mut layers.ipv4);
        sort(&mut layers.ipv6);
        let mut by_port = PortAnswers::default();
        let ipv4 = merge(&layers.ipv4, &layers.ports, elsewhere, &mut by_port)?;
        let ipv6 = merge(&layers.ipv6, &layers.ports, elsewhere, &mut by_port)?;
        if denies > 0 {
            let merged = Merged {
                layers: &layers,
                ipv4: &ipv4,
                ipv6: &ipv6,
                by_port: &by_port,
            };
            if let Some(reason) = merged.idle(allows) {
                return Err(reason);
            }
        }
        // The table takes as much as they do.
        drop(layers);
        by_port.shrink();
        Ok(Self {
            ipv4: Table::new(ipv4),
            ipv6: Table::new(ipv6),
            by_port,
        })
    }

    /// Whether this place is among them, whatever its scope. An IPv4-mapped IPv6 address is the IPv4
    /// address.
    pub fn contains(&self, place: SocketAddr) -> bool {
        self.answer(place) == Answer::ALLOWED
    }

    /// What the rules say of a place.
    pub(super) fn answer(&self, place: SocketAddr) -> Answer {
        let answer = match place.ip().to_canonical() {
            IpAddr::V4(ip) => self.ipv4.answer(ip.to_bits()),
            IpAddr::V6(ip) => self.ipv6.answer(ip.to_bits()),
        };
        self.by_port.at(answer, place.port())
    }
}

impl TryFrom<Entries<Rule>> for Places {
    type Error = String;

    fn try_from(list: Entries<Rule>) -> Result<Self, String> {
        Self::new(list.into(), Layers::default(), Answer::UNLISTED)
    }
}
