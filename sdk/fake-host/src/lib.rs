//! Envoy's side of the dynamic-module ABI in memory, for tests, benchmarks and fuzzing: it calls
//! the real hooks of the module that is linked into the same executable.
//!
//! ```ignore
//! let listener = Listener::new("envoy.filters.listener.original_dst", b"").expect("a config");
//! let mut connection = Connection::over(Socket::redirected(destination), arrived_at);
//! assert_eq!(listener.accept(&mut connection), Status::Continue);
//! assert_eq!(listener.counter("original_dst.restored_redirect"), Some(1));
//! ```
//!
//! It answers as Envoy 1.37 does, which has the fewest callbacks, and panics where that version
//! would crash; on Windows it tells a listener's traffic direction besides. The kernel's answers about a [`Socket`] are programmed: the system calls that
//! ask for them are this crate's own. No callback that a connection needs on its way allocates, so
//! that the allocations of the module can be counted.

mod answer;
mod callbacks;
mod connection;
#[cfg(windows)]
mod direction;
mod filter;
#[cfg(windows)]
mod imports;
pub mod kernel;
mod listener;
pub mod log;
mod metrics;
#[cfg_attr(windows, path = "syscalls/windows.rs")]
mod syscalls;
#[cfg(not(windows))]
pub mod sysctl;

pub use connection::{Address, Connection, Lending};
pub use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    envoy_dynamic_module_type_address_type as AddressType,
    envoy_dynamic_module_type_on_listener_filter_status as Status,
};
pub use filter::ModuleFilter;
pub use kernel::Socket;
pub use listener::Listener;
#[cfg(windows)]
pub use syscalls::take_over;
