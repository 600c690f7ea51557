//! The original-destination listener filter for Envoy, as a dynamic module.
//!
//! For each accepted connection it recovers the address that the client meant to reach before the
//! traffic was redirected, and restores it as the connection's local address. Data flows one way:
//! Envoy, [`recover`], [`destinations`], Envoy; only [`filter`] decides.

#![deny(unsafe_code)]

pub mod address;
pub mod config;
pub mod destinations;
mod fault_point;
pub mod filter;
pub mod option;
pub mod recover;
mod redirection;
mod report;
mod stats;
mod sync;
mod throttle;
pub mod verdict;

use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilterConfigImpl, declare_listener_filter_init_functions, envoy_log_error,
};

use filter::Filter;
// On Windows, unit tests export the hooks, and have to link what these call.
#[cfg(all(test, windows))]
use fake_host as _;

/// The filter names that the module answers to: those of the filter that it replaces.
const FILTER_NAMES: [&str; 2] = [
    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst",
    "envoy.filters.listener.original_dst",
];

declare_listener_filter_init_functions!(program_init, new_listener_filter_config);

fn program_init() -> bool {
    fault_point::pass("init");
    true
}

fn new_listener_filter_config(
    envoy: &mut EnvoyListenerFilterConfigImpl,
    filter_name: &str,
    filter_config: &[u8],
) -> Option<Filter> {
    fault_point::pass("config");
    if !FILTER_NAMES.contains(&filter_name) {
        let [url, name] = FILTER_NAMES;
        envoy_log_error!("original_dst: filter_name {filter_name:?}: must be {url:?} or {name:?}");
        return None;
    }
    match Filter::new(envoy, filter_config) {
        Ok(filter) => Some(filter),
        Err(error) => {
            envoy_log_error!("original_dst: filter_config: {error}");
            None
        }
    }
}
