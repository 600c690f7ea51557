//! Rules as they are merged.

use std::num::NonZeroU32;

use super::answer::{Answer, RuleId};
use super::key::Key;
use super::ports::Ports;

/// What a rule says about a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Layer<K> {
    /// The prefix's first address.
    pub first: K,
    /// The rule that says it.
    pub rule: RuleId,
    /// Which ports it is about: their number, counted from 1. All, if it has none.
    pub ports: Option<NonZeroU32>,
    /// How many bits of an address the prefix leaves to its hosts.
    pub host_bits: u8,
    /// Whether it denies, or allows.
    pub denies: bool,
}

impl<K: Key> Layer<K> {
    /// What a rule says that allows.
    pub fn new(first: K, host_bits: u8, rule: RuleId, ports: Option<NonZeroU32>) -> Self {
        Self {
            first,
            rule,
            ports,
            host_bits,
            denies: false,
        }
    }

    /// The prefix's last address.
    pub fn last(&self) -> K {
        self.first.last(self.host_bits)
    }

    /// Whether the other is about the same prefix.
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        (self.first, self.host_bits) == (other.first, other.host_bits)
    }

    /// What it says.
    pub fn answer(&self) -> Answer {
        if self.denies {
            Answer::denied(self.rule)
        } else {
            Answer::ALLOWED
        }
    }

    /// The ports that it is about, by their numbers; all, if there are none.
    pub fn ports<'a>(&self, ports: &'a [Ports]) -> Option<&'a Ports> {
        ports.get(self.ports?.get() as usize - 1)
    }

    /// Whether there is a destination that both are about.
    pub fn meets(&self, other: &Self, ports: &[Ports]) -> bool {
        let meet = match (self.ports(ports), other.ports(ports)) {
            (Some(own), Some(other)) => other.ranges().iter().any(|range| own.meet(*range)),
            _ => true,
        };
        meet && self.first <= other.last() && other.first <= self.last()
    }
}
