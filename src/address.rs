//! `IP:port` as text and as number, without allocation.

mod text;

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use text::{Ipv6Text, with_ipv4_text};

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// An IP address with a port. A v4-mapped address (RFC 4291, section 2.5.5.2) is the same as the IPv4
/// address that it stands for: Envoy takes an IPv6 address of a module for IPv6 alone, and no
/// cluster could connect to a v4-mapped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    ip: Ip,
    port: u16,
}

/// In numbers, which fit in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ip {
    V4(u32),
    V6 { bits: u128, scope_id: u32 },
}

impl Address {
    /// An IPv4 address.
    #[inline]
    pub fn v4(ip: Ipv4Addr, port: u16) -> Self {
        let ip = Ip::V4(ip.to_bits());
        Self { ip, port }
    }

    /// An IPv6 address, or the IPv4 address that it stands for, which has no scope.
    #[inline]
    pub fn v6(ip: Ipv6Addr, port: u16, scope_id: u32) -> Self {
        if let Some(ip) = ip.to_ipv4_mapped() {
            return Self::v4(ip, port);
        }
        let bits = ip.to_bits();
        let ip = Ip::V6 { bits, scope_id };
        Self { ip, port }
    }

    /// The IP, without its scope.
    #[inline]
    pub fn ip(self) -> IpAddr {
        match self.ip {
            Ip::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Ip::V6 { bits, .. } => Ipv6Addr::from_bits(bits).into(),
        }
    }

    /// The interface whose link the address is of; 0 if it says none.
    pub fn scope_id(self) -> u32 {
        match self.ip {
            Ip::V4(_) => 0,
            Ip::V6 { scope_id, .. } => scope_id,
        }
    }

    /// Gives the text of the IP to `with`, as Envoy takes it: without brackets, and with a scope as a
    /// number.
    #[inline(always)]
    pub fn with_ip_text<T>(self, with: impl FnOnce(&[u8]) -> T) -> T {
        match self.ip {
            Ip::V4(bits) => with_ipv4_text(Ipv4Addr::from_bits(bits), with),
            Ip::V6 { bits, scope_id } => {
                with(Ipv6Text::new(Ipv6Addr::from_bits(bits), scope_id).as_bytes())
            }
        }
    }

    /// Whether it is IPv6, and not v4-mapped.
    #[inline]
    pub fn is_ipv6(self) -> bool {
        matches!(self.ip, Ip::V6 { .. })
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
        let port = address.port;
        match address.ip {
            Ip::V4(bits) => SocketAddrV4::new(Ipv4Addr::from_bits(bits), port).into(),
            Ip::V6 { bits, scope_id } => {
                SocketAddrV6::new(Ipv6Addr::from_bits(bits), port, 0, scope_id).into()
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
/// it is of a link, the name of an interface. A v4-mapped address is read as IPv4. `None` for
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
    } else if is_of_a_link(ip) {
        find_interface(scope)
    } else {
        None
    }
}

/// Whether an interface may be named as its scope: inet_pton(3) and getaddrinfo(3) of glibc take names
/// for link-local unicast and multicast, and for node-local multicast.
fn is_of_a_link(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast() && [1, 2].contains(&(ip.segments()[0] & 0xf))
}

#[cfg(test)]
mod tests;
