//! The listener-filter part of Envoy's dynamic-module SDK, with the names of Envoy's own, plus
//! what a filter needs that restores addresses: the local and the remote address can be set, and
//! filter state read.
//!
//! A module names its two entry points once:
//!
//! ```text
//! declare_listener_filter_init_functions!(program_init, new_listener_filter_config);
//! ```
//!
//! and implements [`ListenerFilterConfig`] and [`ListenerFilter`]. One binary serves Envoy 1.37 to
//! 1.40: what a version lacks is looked up when the library is loaded (see [`host`]).
//!
//! All unsafe code of the ABI is in this crate. A panic in a hook is logged, and ends the one
//! connection that it happened on.

pub mod abi;
mod envoy;
#[doc(hidden)]
pub mod hooks;
pub mod host;
mod listener;
#[macro_use]
pub mod log;
mod buffer;
mod panics;
#[cfg(target_env = "gnu")]
mod unwind;

pub use envoy::{EnvoyListenerFilterConfigImpl, EnvoyListenerFilterImpl};
pub use listener::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig, ListenerFilter,
    ListenerFilterConfig, NewListenerFilterConfigFunction, ProgramInitFunction,
};
