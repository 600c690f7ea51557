//! Where the original destination comes from.

mod internal;
mod kernel;
#[cfg_attr(windows, path = "recover/route/windows.rs")]
#[allow(unsafe_code)]
mod route;
#[cfg_attr(windows, path = "recover/windows.rs")]
#[allow(unsafe_code)]
mod socket;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;
use serde::Deserialize;

use crate::address::Address;

pub use internal::{Source, source};
pub use kernel::{Failure, Recovery};
pub use socket::accepts_marks;

use kernel::KernelSocket;

/// A way to recover the original destination of a kernel socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
pub enum RecoveryMethod {
    /// Ask the kernel's connection tracking what the destination was before DNAT or REDIRECT.
    SoOriginalDst,
    /// Take the own address of a transparent socket (TPROXY).
    Transparent,
    /// Take the own address of any socket, if it is one of `local_destinations`.
    LocalAddress,
}

/// How a destination was recovered. The counters are in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The kernel's connection tracking rewrote the destination, and knows what it was.
    SoOriginalDst,
    /// Nothing was rewritten: the socket is transparent, and its own address is the destination.
    Transparent,
    /// Nothing was rewritten: the socket's own address is one of those that the options list.
    LocalAddress,
    /// The tunnel that leads to an internal listener brought it as dynamic metadata.
    Metadata,
    /// The tunnel that leads to an internal listener brought it as filter state.
    FilterState,
}

/// The address that the client meant to reach.
#[derive(Clone, Copy)]
pub struct OriginalDst {
    /// How it was recovered.
    pub method: Method,
    /// The address.
    pub address: Address,
    /// Why it cannot be the destination, if it was passed over and no method had a better answer.
    pub passed_over: Option<PassedOver>,
}

/// Why an answer of the kernel's cannot be the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedOver {
    /// It is where the connection arrived, and the socket is not transparent: nothing was rewritten.
    Arrival,
    /// It is the client: connection tracking saw only the answers (NOTRACK in one direction).
    Client,
    /// It is an address of this host with a port of `listener_ports`: TPROXY did not send it there.
    Listener,
}

/// Why there is no destination.
#[derive(Clone, Copy)]
pub enum Unrecovered {
    /// The kernel has none.
    Kernel(Failure),
    /// Nothing came with an internal connection.
    NothingCame,
    /// The socket is of a kind that cannot be redirected, such as a pipe.
    NotIp,
    /// What was found is not an address.
    Invalid(Method),
    /// The listener states no traffic direction: Windows was not asked.
    #[cfg(windows)]
    NoDirection,
}

/// Why the kernel has no address for a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAddress {
    /// The error that it answered with: errno(3), of Windows that of Winsock.
    Errno(i32),
    /// What it answered with is not an address.
    Malformed,
}

impl Method {
    /// The method's name in metadata and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::SoOriginalDst => "SO_ORIGINAL_DST",
            Self::Transparent => "TRANSPARENT",
            Self::LocalAddress => "LOCAL_ADDRESS",
            Self::Metadata => "METADATA",
            Self::FilterState => "FILTER_STATE",
        }
    }

    /// Whether it is for connections that came through an internal listener.
    pub fn is_internal(self) -> bool {
        matches!(self, Self::Metadata | Self::FilterState)
    }
}

/// Whether a connection came through an internal listener, by what was found of it.
pub fn is_internal(found: &Result<OriginalDst, Unrecovered>) -> bool {
    match found {
        Ok(OriginalDst { method, .. }) | Err(Unrecovered::Invalid(method)) => method.is_internal(),
        Err(Unrecovered::NothingCame) => true,
        Err(_) => false,
    }
}

/// Finds the original destination of a connection.
///
/// # Errors
/// Why there is none.
#[inline(always)]
pub fn original_dst(
    envoy: &mut impl EnvoyListenerFilter,
    recovery: &Recovery,
) -> Result<OriginalDst, Unrecovered> {
    // Envoy is asked for these before the socket's type, which is mostly known then as well.
    if let (Some(fd), Some(local)) = (envoy.get_socket_fd(), envoy.get_local_address()) {
        #[cfg(windows)]
        if !envoy.has_traffic_direction() {
            return Err(Unrecovered::NoDirection);
        }
        return KernelSocket::new(fd, local).original_dst(envoy, recovery);
    }
    match envoy.get_address_type() {
        AddressType::EnvoyInternal => internal::original_dst(envoy),
        _ => Err(Unrecovered::NotIp),
    }
}

/// The mark of a connection's socket, of which this was found: the packets that opened it had it, where
/// the kernel's `tcp_fwmark_accept` is on. `None` if it is no socket of IP; inside, if the kernel does
/// not say.
#[cold]
pub fn mark(
    envoy: &impl EnvoyListenerFilter,
    found: &Result<OriginalDst, Unrecovered>,
) -> Option<Option<u32>> {
    if is_internal(found) || matches!(found, Err(Unrecovered::NotIp)) {
        return None;
    }
    Some(socket::mark(envoy.get_socket_fd()?))
}

/// Whether an address is this host's own, in the network namespace of the connection's socket, or else
/// in Envoy's. Where nobody can tell it is.
pub fn is_own_address(envoy: &impl EnvoyListenerFilter, address: Address) -> bool {
    route::is_own_address(envoy.get_socket_fd(), address)
}
