//! The destination of a connection that the kernel redirected.

use std::net::IpAddr;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;

use super::{
    Method, NoAddress, OriginalDst, PassedOver, RecoveryMethod, Unrecovered, route, socket,
};
use crate::address::{Address, Family};
use crate::destinations::Places;
use crate::option::{List, ListenerPorts};

/// How the destinations of kernel sockets are recovered.
pub struct Recovery {
    /// The methods, in their order.
    pub methods: List<RecoveryMethod>,
    /// The ports that Envoy's own listeners are bound to.
    pub listener_ports: ListenerPorts,
    /// The addresses that a socket's own may be taken for a destination.
    pub local_destinations: Option<Places>,
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
    /// The error of `SO_ORIGINAL_DST`, as in [`NoAddress::Errno`]; `None` if it was not asked.
    pub original_dst_errno: Option<i32>,
    /// Whether the socket is transparent.
    pub is_transparent: bool,
    /// Whether the listener is bound to an IPv4 address that is written as an IPv6 one: the kernel is
    /// then asked about IPv6.
    pub is_mapped: bool,
    /// The socket's own address, if `LOCAL_ADDRESS` did not find it in `local_destinations`.
    pub unlisted: Option<Address>,
}

impl Failure {
    /// Whether the only answer was the socket's own address, and that is not listed.
    pub fn is_own_address_alone(&self) -> bool {
        self.original_dst_errno.is_none() && self.unlisted.is_some()
    }
}

impl Recovery {
    fn is_local_destination(&self, address: Address) -> bool {
        let places = self.local_destinations.as_ref();
        places.is_some_and(|places| places.contains(address.into()))
    }
}

impl<'a> KernelSocket<'a> {
    /// The socket of this descriptor and local address.
    pub fn new(fd: i32, local: (&'a [u8], u16)) -> Self {
        let family = family(local.0);
        Self { fd, local, family }
    }

    /// Asks the kernel in the order of the methods. An answer that cannot be the destination is passed
    /// over for that of the next method; the first of them is what is left where no method has a
    /// better one.
    ///
    /// # Errors
    /// Why there is no destination.
    #[inline(always)]
    pub fn original_dst(
        self,
        envoy: &impl EnvoyListenerFilter,
        recovery: &Recovery,
    ) -> Result<OriginalDst, Unrecovered> {
        let (mut passed_over, mut original_dst_errno, mut unlisted) = (None, None, None);
        for method in &*recovery.methods {
            let found = match method {
                RecoveryMethod::SoOriginalDst => match socket::original_dst(self.fd, self.family) {
                    Ok(address) if self.says_nothing_new(envoy, recovery, address) => {
                        self.not_rewritten(recovery, address)
                    }
                    Ok(address) => {
                        return Ok(OriginalDst {
                            method: Method::SoOriginalDst,
                            address,
                            passed_over: None,
                        });
                    }
                    Err(NoAddress::Malformed) => {
                        return Err(Unrecovered::Invalid(Method::SoOriginalDst));
                    }
                    Err(NoAddress::Errno(errno)) => {
                        original_dst_errno = Some(errno);
                        continue;
                    }
                },
                RecoveryMethod::Transparent if self.is_transparent() => {
                    match socket::own_address(self.fd) {
                        Ok(address) => self.by_transparent(recovery, address),
                        Err(_) => return Err(invalid(envoy, Method::Transparent)),
                    }
                }
                RecoveryMethod::Transparent => continue,
                RecoveryMethod::LocalAddress => match socket::own_address(self.fd) {
                    Ok(address) if recovery.is_local_destination(address) => OriginalDst {
                        method: Method::LocalAddress,
                        address,
                        passed_over: None,
                    },
                    Ok(address) => {
                        unlisted = Some(address);
                        continue;
                    }
                    Err(_) => return Err(invalid(envoy, Method::LocalAddress)),
                },
            };
            if found.passed_over.is_none() {
                return Ok(found);
            }
            passed_over.get_or_insert(found);
        }
        if let Some(found) = passed_over {
            return Ok(found);
        }
        // A pipe, to which an earlier filter gave a local address.
        if envoy.get_address_type() != AddressType::Ip {
            return Err(Unrecovered::NotIp);
        }
        Err(Unrecovered::Kernel(Failure {
            original_dst_errno,
            is_transparent: self.is_transparent(),
            is_mapped: envoy
                .get_direct_local_address()
                .is_some_and(|(ip, _)| ip.starts_with(b"::ffff:")),
            unlisted,
        }))
    }

    /// Whether `SO_ORIGINAL_DST` does not say where the connection was going before the kernel rewrote
    /// it. It names the address where the connection arrived: Envoy tells that, but for a listener that
    /// is bound to one address, of which it tells the listener's. Or it is about the answers, not the
    /// connection, and names the client. The socket is asked for both of its addresses only where an
    /// option makes a difference of it.
    #[inline(always)]
    fn says_nothing_new(
        self,
        envoy: &impl EnvoyListenerFilter,
        recovery: &Recovery,
        address: Address,
    ) -> bool {
        self.arrived_at(envoy, recovery, address)
            || recovery.asks_who_redirected && self.is_one_end(address)
    }

    /// Whether an address is that of one of the connection's ends.
    #[cold]
    fn is_one_end(self, address: Address) -> bool {
        [socket::peer_address(self.fd), socket::own_address(self.fd)].contains(&Ok(address))
    }

    /// Nothing was rewritten: TPROXY sent the connection where it arrived, or the client connected to
    /// the listener; or the answer is not about this connection.
    fn not_rewritten(self, recovery: &Recovery, address: Address) -> OriginalDst {
        let passed_over = match socket::peer_address(self.fd) {
            Ok(client) if client == address => PassedOver::Client,
            _ if self.is_transparent() => return self.by_transparent(recovery, address),
            _ => PassedOver::Arrival,
        };
        OriginalDst {
            method: Method::SoOriginalDst,
            address,
            passed_over: Some(passed_over),
        }
    }

    /// What a transparent socket says by its own address: TPROXY sent the connection there, unless it is
    /// where a listener of this host is.
    fn by_transparent(self, recovery: &Recovery, address: Address) -> OriginalDst {
        OriginalDst {
            method: Method::Transparent,
            address,
            passed_over: (recovery.listener_ports.contains(&address.port())
                && route::is_own_address(Some(self.fd), address))
            .then_some(PassedOver::Listener),
        }
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

    fn is_transparent(self) -> bool {
        socket::is_transparent(self.fd, self.family)
    }
}

/// What getsockname(2) answers of a socket that is not of IP is no address, and no fault.
fn invalid(envoy: &impl EnvoyListenerFilter, method: Method) -> Unrecovered {
    match envoy.get_address_type() {
        AddressType::Ip => Unrecovered::Invalid(method),
        _ => Unrecovered::NotIp,
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
