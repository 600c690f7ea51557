//! IP addresses as numbers.

use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of one family.
pub trait Key: Copy + Default + Ord {
    /// The last address.
    const LAST: Self;

    /// The last address of the prefix that begins here and leaves so many bits to its hosts.
    fn last(self, host_bits: u8) -> Self;

    /// The address behind this one.
    fn next(self) -> Option<Self>;

    /// The address in front of this one, which is not the first.
    fn before(self) -> Self;

    /// The most host bits of a prefix that begins here.
    fn most_host_bits(self) -> u8;

    /// The same as an IP.
    fn ip(self) -> IpAddr;
}

/// The fewest prefixes that all addresses from the first to the last one lie in, and no other: their
/// first addresses and host bits.
pub fn prefixes<K: Key>(first: K, last: K) -> impl Iterator<Item = (K, u8)> {
    let mut next = Some(first);
    iter::from_fn(move || {
        let first = next.filter(|next| *next <= last)?;
        let mut host_bits = first.most_host_bits();
        while first.last(host_bits) > last {
            host_bits -= 1;
        }
        next = first.last(host_bits).next();
        Some((first, host_bits))
    })
}

impl Key for u32 {
    const LAST: Self = Self::MAX;

    fn last(self, host_bits: u8) -> Self {
        let hosts = 1_u32.checked_shl(host_bits.into());
        self | hosts.map_or(Self::MAX, |hosts| hosts - 1)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }

    fn most_host_bits(self) -> u8 {
        self.trailing_zeros() as u8
    }

    fn ip(self) -> IpAddr {
        Ipv4Addr::from_bits(self).into()
    }
}

impl Key for u128 {
    const LAST: Self = Self::MAX;

    fn last(self, host_bits: u8) -> Self {
        let hosts = 1_u128.checked_shl(host_bits.into());
        self | hosts.map_or(Self::MAX, |hosts| hosts - 1)
    }

    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Self {
        self.wrapping_sub(1)
    }

    fn most_host_bits(self) -> u8 {
        self.trailing_zeros() as u8
    }

    fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_few_prefixes() {
        let prefixes = |first: u32, last| prefixes(first, last).collect::<Vec<_>>();
        assert_eq!(prefixes(0, u32::MAX), [(0, 32)]);
        assert_eq!(prefixes(7, 7), [(7, 0)]);
        assert_eq!(prefixes(1, 6), [(1, 0), (2, 1), (4, 1), (6, 0)]);
        assert_eq!(prefixes(u32::MAX - 1, u32::MAX), [(u32::MAX - 1, 1)]);
        assert_eq!(super::prefixes(0, u128::MAX).count(), 1);
        assert_eq!(super::prefixes(1, u128::MAX).count(), 128);
        assert_eq!(super::prefixes(1, u128::MAX - 1).count(), 254);
    }
}
