//! The addresses of a connection that came through an internal listener: what the tunnel's outer
//! side sent along. The first value that is there decides, also if it is not an address.
//!
//! Keys: Envoy's documentation of its `original_dst` listener filter.

use envoy_proxy_dynamic_modules_rust_sdk::EnvoyListenerFilter;

use super::{Method, OriginalDst, Unrecovered, socket};
use crate::address::{self, Address};

const NAMESPACE: &str = "envoy.filters.listener.original_dst";
const LOCAL: &str = "local";
const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";
const SOURCE_IP: &str = "envoy.filters.listener.original_dst.source_ip";
/// What Envoy's own filter reads, in place of the key above that is documented.
const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";

/// The client's address, as an internal connection brings it along.
pub enum Source {
    /// Nothing came.
    Absent,
    /// What came is not an address.
    Invalid,
    /// An address.
    Address(Address),
}

/// The destination: metadata, or else filter state.
pub fn original_dst(envoy: &mut impl EnvoyListenerFilter) -> Result<OriginalDst, Unrecovered> {
    let (method, text) = match envoy.get_dynamic_metadata_string(NAMESPACE, LOCAL) {
        Some(text) => (Method::Metadata, text),
        None => match envoy.get_filter_state(LOCAL_IP) {
            Some(text) => (Method::FilterState, text),
            None => return Err(Unrecovered::NothingCame),
        },
    };
    let address = parse(text).ok_or(Unrecovered::Invalid(method))?;
    Ok(OriginalDst {
        method,
        address,
        passed_over: None,
    })
}

/// The source: filter state, under the documented key or else under Envoy's.
pub fn source(envoy: &mut impl EnvoyListenerFilter) -> Source {
    for key in [SOURCE_IP, REMOTE_IP] {
        if let Some(text) = envoy.get_filter_state(key) {
            return parse(text).map_or(Source::Invalid, Source::Address);
        }
    }
    Source::Absent
}

fn parse(text: &[u8]) -> Option<Address> {
    address::parse(text, socket::interface_index)
}
