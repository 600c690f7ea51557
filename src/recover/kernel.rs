//! The destination of a connection that the kernel redirected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;

use super::{Method, OriginalDst, Unrecovered, socket};
use crate::address::Address;
use crate::config::RecoveryMethod;

/// The protocol that a connection speaks, whatever the socket could: an IPv4 client of a
/// dual-stack listener speaks IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4, also over an IPv6 socket.
    V4,
    /// IPv6.
    V6,
}

/// Why the kernel has no address for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// The error that it answered with (errno(3)).
    Errno(i32),
    /// What it answered with is not an address.
    Malformed,
}

/// What the kernel said instead of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error of `SO_ORIGINAL_DST` (errno(3)); `None` if it was not asked.
    pub original_dst_errno: Option<i32>,
    /// Whether the socket is transparent.
    pub is_transparent: bool,
}

/// Asks the kernel in the order of `methods`.
#[inline]
pub fn original_dst(
    envoy: &impl EnvoyListenerFilter,
    fd: i32,
    local: (&[u8], u16),
    methods: &[RecoveryMethod],
) -> Result<OriginalDst, Unrecovered> {
    // An earlier filter may have changed the local address: the kernel is asked for its family.
    let family = family(local.0);
    let mut original_dst_errno = None;
    for method in methods {
        match method {
            RecoveryMethod::SoOriginalDst => match socket::original_dst(fd, family) {
                Ok(address) if arrived_at(envoy, local, address) => {
                    return Ok(not_rewritten(fd, family, address));
                }
                Ok(address) => return Ok(rewritten(address)),
                Err(NoAddress::Malformed) => {
                    return Err(Unrecovered::Invalid(Method::SoOriginalDst));
                }
                Err(NoAddress::Errno(errno)) => original_dst_errno = Some(errno),
            },
            RecoveryMethod::Transparent => {
                if socket::is_transparent(fd, family) {
                    return match socket::own_address(fd) {
                        Ok(address) => Ok(untouched(address)),
                        Err(_) => Err(Unrecovered::Invalid(Method::Transparent)),
                    };
                }
            }
        }
    }
    // A pipe, to which an earlier filter gave a local address.
    if envoy.get_address_type() != AddressType::Ip {
        return Err(Unrecovered::NoAddress);
    }
    let is_transparent = socket::is_transparent(fd, family);
    Err(Unrecovered::Kernel(Failure {
        original_dst_errno,
        is_transparent,
    }))
}

/// Whether an address is one of this host's own. A datagram socket that is connected to such an
/// address gets it as its source as well; nothing is sent. Without a socket nobody can tell: the
/// loop guard, which asks, then holds.
pub fn is_own_address(address: Address) -> bool {
    let address = SocketAddr::from(address);
    let any = match address.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let Ok(socket) = UdpSocket::bind((any, 0)) else {
        return true;
    };
    let source = socket.connect(address).and_then(|()| socket.local_addr());
    source.is_ok_and(|source| source.ip() == address.ip())
}

/// REDIRECT or DNAT rewrote the destination, which connection tracking remembers.
#[inline]
fn rewritten(address: Address) -> OriginalDst {
    OriginalDst {
        method: Method::SoOriginalDst,
        address,
        is_listener: false,
    }
}

/// The own address of a transparent socket.
fn untouched(address: Address) -> OriginalDst {
    OriginalDst {
        method: Method::Transparent,
        address,
        is_listener: false,
    }
}

/// Connection tracking remembers the address that the connection arrived at: TPROXY sent it there,
/// or the client connected to the listener.
#[cold]
fn not_rewritten(fd: i32, family: Family, address: Address) -> OriginalDst {
    if socket::is_transparent(fd, family) {
        return untouched(address);
    }
    OriginalDst {
        method: Method::SoOriginalDst,
        address,
        is_listener: true,
    }
}

/// Whether a connection arrived at this address.
#[inline]
fn arrived_at(envoy: &impl EnvoyListenerFilter, local: (&[u8], u16), address: Address) -> bool {
    // An earlier filter that restored the local address hid where the connection arrived.
    let arrived_at = if envoy.is_local_address_restored() {
        envoy.get_direct_local_address()
    } else {
        Some(local)
    };
    arrived_at.is_some_and(|(ip, port)| {
        port == address.port() && parse_ip(ip) == Some(SocketAddr::from(address).ip())
    })
}

/// The family of an address, by its text: only an IPv4 address has a dot behind its first number.
#[inline]
fn family(ip: &[u8]) -> Family {
    match ip.first_chunk::<4>() {
        Some([b':', ..]) => Family::V6,
        Some([_, b'.', ..] | [_, _, b'.', _] | [_, _, _, b'.']) => Family::V4,
        _ => Family::V6,
    }
}

#[cold]
fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let ip = text.split_once('%').map_or(text, |(ip, _scope)| ip);
    ip.parse().ok()
}
