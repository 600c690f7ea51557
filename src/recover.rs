//! Where the original destination comes from.

mod internal;
mod kernel;
#[allow(unsafe_code)]
mod socket;

use std::net::SocketAddr;

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;

use crate::config::RecoveryMethod;

pub use internal::{Source, source};
pub use kernel::{Failure, is_own_address};

/// How a destination was recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The kernel's connection tracking rewrote the destination, and knows what it was.
    SoOriginalDst,
    /// Nothing was rewritten: the socket is transparent, and its own address is the destination.
    Transparent,
    /// The tunnel that leads to an internal listener brought it as dynamic metadata.
    Metadata,
    /// The tunnel that leads to an internal listener brought it as filter state.
    FilterState,
}

/// The address that the client meant to reach.
pub struct OriginalDst {
    /// How it was recovered.
    pub method: Method,
    /// The address.
    pub address: SocketAddr,
    /// Whether it is the listener's own: somebody connected to the listener, and nobody redirected
    /// the connection.
    pub is_listener: bool,
}

/// Why there is no destination.
pub enum Unrecovered {
    /// The kernel has none.
    Kernel(Failure),
    /// Nothing came with an internal connection.
    NothingCame,
    /// The socket is of a kind that cannot be redirected, such as a pipe.
    NoAddress,
    /// What was found is not an address.
    Invalid(Method),
}

impl Method {
    /// The method's name in metadata and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::SoOriginalDst => "SO_ORIGINAL_DST",
            Self::Transparent => "TRANSPARENT",
            Self::Metadata => "METADATA",
            Self::FilterState => "FILTER_STATE",
        }
    }
}

/// Finds the original destination of a connection. `methods` says how a kernel socket is asked;
/// an internal connection has one way.
///
/// # Errors
/// Why no destination was found.
pub fn original_dst(
    envoy: &impl EnvoyListenerFilter,
    address_type: AddressType,
    methods: &[RecoveryMethod],
) -> Result<OriginalDst, Unrecovered> {
    match address_type {
        AddressType::Ip => kernel::original_dst(envoy, methods),
        AddressType::EnvoyInternal => internal::original_dst(envoy),
        _ => Err(Unrecovered::NoAddress),
    }
}
