//! The destination of a connection that the kernel redirected.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;

use super::{Method, NoAddress, OriginalDst, RecoveryMethod, Unrecovered, socket};
use crate::address::{Address, Family};
use crate::option::List;

/// How the destinations of kernel sockets are recovered.
pub struct Recovery {
    /// The methods, in their order.
    pub methods: List<RecoveryMethod>,
    /// Whether more than a counter depends on who redirected a connection.
    pub asks_who_redirected: bool,
}

/// A kernel socket with a local address.
#[derive(Clone, Copy)]
pub struct KernelSocket<'a> {
    fd: i32,
    local: (&'a [u8], u16),
    /// The protocol that the connection speaks, whatever the socket could: an IPv4 client of a
    /// dual-stack listener speaks IPv4. An earlier filter may have changed the local address: the
    /// kernel is asked for its family.
    family: Family,
}

/// What the kernel said instead of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error of `SO_ORIGINAL_DST` (errno(3)); `None` if it was not asked.
    pub original_dst_errno: Option<i32>,
    /// Whether the socket is transparent.
    pub is_transparent: bool,
}

impl<'a> KernelSocket<'a> {
    /// The socket of this descriptor and local address.
    pub fn new(fd: i32, local: (&'a [u8], u16)) -> Self {
        let family = family(local.0);
        Self { fd, local, family }
    }

    /// Asks the kernel in the order of the methods.
    ///
    /// # Errors
    /// Why there is no destination.
    #[inline(always)]
    pub fn original_dst(
        self,
        envoy: &impl EnvoyListenerFilter,
        recovery: &Recovery,
    ) -> Result<OriginalDst, Unrecovered> {
        let mut original_dst_errno = None;
        for method in &*recovery.methods {
            match method {
                RecoveryMethod::SoOriginalDst => match socket::original_dst(self.fd, self.family) {
                    Ok(address) if self.arrived_at(envoy, recovery, address) => {
                        return Ok(self.not_rewritten(address));
                    }
                    Ok(address) => {
                        return Ok(OriginalDst {
                            method: Method::SoOriginalDst,
                            address,
                            is_listener: false,
                        });
                    }
                    Err(NoAddress::Malformed) => {
                        return Err(Unrecovered::Invalid(Method::SoOriginalDst));
                    }
                    Err(NoAddress::Errno(errno)) => original_dst_errno = Some(errno),
                },
                RecoveryMethod::Transparent if self.is_transparent() => {
                    return match socket::own_address(self.fd) {
                        Ok(address) => Ok(own(address)),
                        Err(_) => Err(Unrecovered::Invalid(Method::Transparent)),
                    };
                }
                RecoveryMethod::Transparent => {}
            }
        }
        // A pipe, to which an earlier filter gave a local address.
        if envoy.get_address_type() != AddressType::Ip {
            return Err(Unrecovered::NotIp);
        }
        Err(Unrecovered::Kernel(Failure {
            original_dst_errno,
            is_transparent: self.is_transparent(),
        }))
    }

    /// Whether the connection arrived at this address.
    #[inline(always)]
    fn arrived_at(
        self,
        envoy: &impl EnvoyListenerFilter,
        recovery: &Recovery,
        address: Address,
    ) -> bool {
        // An earlier filter that restored the local address hid where the connection arrived. Envoy
        // is not asked where only a counter would show the difference.
        let (_, port) = self.local;
        if port != address.port() && !recovery.asks_who_redirected {
            return false;
        }
        if envoy.is_local_address_restored() {
            return envoy
                .get_direct_local_address()
                .is_some_and(|direct| is_at(direct, address));
        }
        is_at(self.local, address)
    }

    /// Connection tracking remembers the address that the connection arrived at: TPROXY sent it
    /// there, or the client connected to the listener.
    fn not_rewritten(self, address: Address) -> OriginalDst {
        if self.is_transparent() {
            return own(address);
        }
        OriginalDst {
            method: Method::SoOriginalDst,
            address,
            is_listener: true,
        }
    }

    fn is_transparent(self) -> bool {
        socket::is_transparent(self.fd, self.family)
    }
}

/// Whether an address is one of this host's own. A datagram socket that is connected to such an
/// address gets it as its source as well; nothing is sent. Without a socket nobody can tell: the
/// loop guard, which asks, then holds.
pub fn is_own_address(address: Address) -> bool {
    let any = match address.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let Ok(socket) = UdpSocket::bind((any, 0)) else {
        return true;
    };
    let source = socket
        .connect(SocketAddr::from(address))
        .and_then(|()| socket.local_addr());
    source.is_ok_and(|source| source.ip() == address.ip())
}

/// The own address of a transparent socket.
fn own(address: Address) -> OriginalDst {
    OriginalDst {
        method: Method::Transparent,
        address,
        is_listener: false,
    }
}

/// The family of an address, by its text: only an IPv4 address has a dot behind its first number.
fn family(ip: &[u8]) -> Family {
    match ip.first_chunk::<4>() {
        Some([b':', ..]) => Family::V6,
        Some([_, b'.', ..] | [_, _, b'.', _] | [_, _, _, b'.']) => Family::V4,
        _ => Family::V6,
    }
}

/// Whether an address that Envoy tells is this one, whatever its scope.
#[inline(always)]
fn is_at((ip, port): (&[u8], u16), address: Address) -> bool {
    port == address.port() && parse_ip(ip) == Some(address.ip())
}

#[cold]
fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let ip = text.split_once('%').map_or(text, |(ip, _scope)| ip);
    ip.parse().ok()
}

#[cfg(test)]
mod tests;
