//! Sets of ports.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use crate::option::{Entry, List, PortNumber};

/// Ports from `first` to `last`, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A set of ports.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "List<PortRange>")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ports(
    /// In order, with a gap between each range and the next.
    Arc<[PortRange]>,
);

struct PortRangeVisitor;

impl Ports {
    /// Every port there is, 0 among them.
    pub fn all() -> Self {
        Self(Arc::new([PortRange {
            first: 0,
            last: u16::MAX,
        }]))
    }

    /// No port.
    pub fn none() -> Self {
        Self(Arc::new([]))
    }

    /// How many ranges it takes to write the set down.
    pub fn ranges(&self) -> usize {
        self.0.len()
    }

    /// Whether the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        let next = self.0.partition_point(|range| range.last < port);
        self.0.get(next).is_some_and(|range| range.first <= port)
    }

    /// The ports that are in one of the sets, or in both.
    pub fn union(&self, other: &Self) -> Self {
        if other.0.is_empty() {
            return self.clone();
        }
        Self::from_ranges([&*self.0, &*other.0].concat())
    }

    /// The ports that are in this set and not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        if other.0.is_empty() {
            return self.clone();
        }
        self.complement().union(other).complement()
    }

    fn complement(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut first = Some(0);
        for range in &*self.0 {
            if let (Some(first), Some(last)) = (first, range.first.checked_sub(1)) {
                gaps.push(PortRange { first, last });
            }
            first = range.last.checked_add(1);
        }
        gaps.extend(first.map(|first| PortRange {
            first,
            last: u16::MAX,
        }));
        Self(gaps.into())
    }

    fn from_ranges(mut ranges: Vec<PortRange>) -> Self {
        // A union is two runs that are in order: this sort merges them, an unstable one does not.
        ranges.sort();
        ranges.dedup_by(|next, range| {
            let touches = next.first <= range.last.saturating_add(1);
            if touches {
                range.last = range.last.max(next.last);
            }
            touches
        });
        Self(ranges.into())
    }
}

impl From<List<PortRange>> for Ports {
    fn from(list: List<PortRange>) -> Self {
        Self::from_ranges(list.to_vec())
    }
}

impl PortRange {
    /// Reads `443` or `8000-8999`.
    fn parse(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            (Some(first), Some(last)) => Err(format!(
                "the range is upside down: write \"{last}-{first}\""
            )),
            _ => Err(format!("expected {}", Self::EXPECTED)),
        }
    }
}

fn port(text: &str) -> Option<u16> {
    decimal(text).and_then(PortNumber::new).map(PortNumber::get)
}

/// A number in the one form that everybody reads alike: digits, no sign, no leading zero.
pub fn decimal<T: FromStr>(text: &str) -> Option<T> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_padded = text.len() > 1 && text.starts_with('0');
    if is_plain && !is_padded {
        text.parse().ok()
    } else {
        None
    }
}

impl Entry for PortRange {
    const EXPECTED: &str = "a port from 1 to 65535 or a range of them, \"443\" or \"8000-8999\"";
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortRangeVisitor)
    }
}

impl Visitor<'_> for PortRangeVisitor {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(PortRange::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
        PortRange::parse(text).map_err(Error::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PortRange, E> {
        let port = PortNumber::new(number)
            .ok_or_else(|| Error::invalid_value(Unexpected::Unsigned(number), &self))?
            .get();
        Ok(PortRange {
            first: port,
            last: port,
        })
    }
}
