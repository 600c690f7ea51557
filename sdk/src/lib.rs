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
//!
//! # Moving to Envoy's own SDK
//!
//! Envoy's SDK for Rust cannot restore an address. Once it can, a module moves by going through
//! this table. The right side is what `source/extensions/dynamic_modules/sdk/rust/src/listener.rs`
//! and `lib.rs` of envoyproxy/envoy say, the former at commit
//! d99d261445757aee02d63a6f98cb85248fcc8cf9. What is not listed has the same name and type.
//!
//! | here | Envoy's SDK |
//! |---|---|
//! | `restore_local_address`, `set_remote_address`, `get_filter_state`, `has_traffic_direction` | none of them |
//! | [`NewListenerFilterConfigFunction`] returns `Option<C>` | `Option<Box<dyn ListenerFilterConfig<ELF>>>`, and the type has the parameters `<EC, ELF>` |
//! | [`ListenerFilterConfig::new_listener_filter`]`(&self)` lends `&Self::Filter` | `(&self, &mut ELF)` returns `Box<dyn ListenerFilter<ELF>>`: one is made for each connection |
//! | [`ListenerFilter::on_accept`]`(&self, …)`, shared by all threads | `(&mut self, …)`, each on one thread |
//! | [`ListenerFilter::on_panic`] | not there: it logs the panic and returns `StopIteration` |
//! | addresses are `Option<(&[u8], u16)>` | `Option<(String, u32)>` |
//! | `get_dynamic_metadata_string` returns `Option<&[u8]>` | `Option<String>`, and `None` for an empty one |
//! | `get_socket_fd` returns `Option<i32>` | `i64`, -1 for none |
//! | `use_original_dst(bool)` | `use_original_dst()`, which stands for `true` |
//! | `close_socket(&str)` | `close_socket(Option<&str>)` |
//! | `increment_counter` and `set_gauge` return nothing | `Result<(), …metrics_result>` |
//! | one binary for Envoy 1.37 to 1.40 | one version of the ABI, that of its header |

pub mod abi;
mod buffer;
mod envoy;
#[doc(hidden)]
pub mod hooks;
pub mod host;
mod listener;
#[macro_use]
pub mod log;
mod module;
mod panics;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod unwind;

pub use envoy::{EnvoyListenerFilterConfigImpl, EnvoyListenerFilterImpl};
pub use listener::{EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig};
pub use module::{
    ListenerFilter, ListenerFilterConfig, NewListenerFilterConfigFunction, ProgramInitFunction,
};
