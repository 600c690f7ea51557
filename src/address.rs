//! `IP:port` as text and as number, without allocation.

mod text;

use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use text::IpText;

/// An IP address with a port, and a scope if it is IPv6.
///
/// IPv4 is kept in its v4-mapped form (RFC 4291, section 2.5.5.2): a v4-mapped address is the same
/// as the IPv4 address that it stands for. Envoy takes an IPv6 address of a module for IPv6 alone,
/// and no cluster could connect to a v4-mapped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    ip: u128,
    port: u16,
    scope_id: u32,
}

/// What comes before the 32 bits of IPv4.
const V4_MAPPED: u128 = 0xffff;

impl Address {
    /// An IPv4 address.
    #[inline]
    pub fn v4(ip: Ipv4Addr, port: u16) -> Self {
        Self {
            ip: V4_MAPPED << 32 | u128::from(ip.to_bits()),
            port,
            scope_id: 0,
        }
    }

    /// An IPv6 address, or an IPv4 address in v4-mapped form, which has no scope.
    #[inline]
    pub fn v6(ip: Ipv6Addr, port: u16, scope_id: u32) -> Self {
        let ip = ip.to_bits();
        let scope_id = if ip >> 32 == V4_MAPPED { 0 } else { scope_id };
        Self { ip, port, scope_id }
    }

    /// The bits of the IPv4 address, if it is one.
    #[inline]
    fn ipv4_bits(self) -> Option<u32> {
        (self.ip >> 32 == V4_MAPPED).then_some(self.ip as u32)
    }

    /// Whether it is IPv6, and not v4-mapped.
    #[inline]
    pub fn is_ipv6(self) -> bool {
        self.ipv4_bits().is_none()
    }

    /// The port.
    #[inline]
    pub fn port(self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self::v4(*v4.ip(), v4.port()),
            SocketAddr::V6(v6) => Self::v6(*v6.ip(), v6.port(), v6.scope_id()),
        }
    }
}

impl From<Address> for SocketAddr {
    fn from(address: Address) -> Self {
        match address.ipv4_bits() {
            Some(ip) => SocketAddrV4::new(Ipv4Addr::from_bits(ip), address.port).into(),
            None => {
                let ip = Ipv6Addr::from_bits(address.ip);
                SocketAddrV6::new(ip, address.port, 0, address.scope_id).into()
            }
        }
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

/// Finds the index of a network interface by its name.
pub type FindInterface = fn(name: &str) -> Option<u32>;

/// Reads `IP:port`, with an IPv6 address in brackets, as Envoy reads it: the port may have blanks
/// around it, a leading `+` and leading zeros. An IPv6 address may have a scope: a number, or, if
/// it is link-local, the name of an interface. A v4-mapped address is read as IPv4. `None` for
/// anything else.
pub fn parse(text: &[u8], find_interface: FindInterface) -> Option<Address> {
    let (host, port) = str::from_utf8(text).ok()?.rsplit_once(':')?;
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    let port = port.trim_matches(blank).parse().ok()?;
    let Some(bracketed) = host.strip_prefix('[') else {
        return Some(Address::v4(host.parse().ok()?, port));
    };
    let host = bracketed.strip_suffix(']')?;
    let (ip, scope) = host
        .split_once('%')
        .map_or((host, None), |(ip, scope)| (ip, Some(scope)));
    let ip = ip.parse().ok()?;
    let scope_id = match scope {
        None => 0,
        Some(scope) => scope_id(ip, scope, find_interface)?,
    };
    Some(Address::v6(ip, port, scope_id))
}

fn scope_id(ip: Ipv6Addr, scope: &str, find_interface: FindInterface) -> Option<u32> {
    if !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_digit()) {
        scope.parse().ok()
    } else if ip.is_unicast_link_local() {
        find_interface(scope)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
