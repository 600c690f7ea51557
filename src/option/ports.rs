//! Port numbers.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::list::{Entry, List};

/// A port that something can be bound to: 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(u16);

/// The ports that Envoy's own listeners are bound to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "List<PortNumber>")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ListenerPorts(
    /// In order.
    Box<[u16]>,
);

struct PortVisitor;

impl PortNumber {
    /// The port of this number; `None` for 0 and for what is greater than 65535.
    pub fn new(number: u64) -> Option<Self> {
        u16::try_from(number)
            .ok()
            .filter(|port| *port != 0)
            .map(Self)
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl ListenerPorts {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `port` is one of them.
    pub fn contains(&self, port: &u16) -> bool {
        self.0.binary_search(port).is_ok()
    }
}

impl From<List<PortNumber>> for ListenerPorts {
    fn from(list: List<PortNumber>) -> Self {
        let mut ports: Box<[u16]> = list.iter().map(|port| port.get()).collect();
        ports.sort_unstable();
        Self(ports)
    }
}

impl fmt::Display for ListenerPorts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ports: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&ports.join(" "))
    }
}

impl Entry for PortNumber {
    const EXPECTED: &str = "a port number from 1 to 65535";
}

impl<'de> Deserialize<'de> for PortNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u16(PortVisitor)
    }
}

impl Visitor<'_> for PortVisitor {
    type Value = PortNumber;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(PortNumber::EXPECTED)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PortNumber, E> {
        PortNumber::new(number)
            .ok_or_else(|| Error::invalid_value(Unexpected::Unsigned(number), &self))
    }
}
