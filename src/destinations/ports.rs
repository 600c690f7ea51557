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
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// A set of ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "List<PortRange>")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ports(
    /// In order, with a gap between each range and the next.
    Arc<[PortRange]>,
);

struct PortRangeVisitor;

impl Ports {
    /// The ranges, in order, with a gap between each and the next.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Whether a port of this range is among them.
    pub fn meet(&self, range: PortRange) -> bool {
        let next = self.0.partition_point(|own| own.last < range.first);
        self.0.get(next).is_some_and(|own| own.first <= range.last)
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

impl FromIterator<PortRange> for Ports {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        Self::from_ranges(ranges.into_iter().collect())
    }
}

impl PortRange {
    /// Every port there is, 0 among them.
    pub const ALL: Self = Self {
        first: 0,
        last: u16::MAX,
    };

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
