//! The lab: hosts made of network namespaces, real iptables rules and real Envoys.
//!
//! ```no_run
//! use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap, client, module};
//!
//! let lab = Lab::new();
//! let _upstream = Upstream::start(&lab.upstream, &[8080]);
//! let listener = Listener::new("0.0.0.0:15001").filter(module::module_filter(None)).http();
//! let envoy = Envoy::builder(&lab.gateway, Version::V1_40)
//!     .config(bootstrap([listener], []))
//!     .start();
//! lab.gateway.redirect(To::Port(8080), 15001);
//!
//! let asked = "10.2.0.2:8080".parse().expect("an address");
//! let answer = client::http_get(&lab.client, asked).expect("an answer");
//! assert_eq!(answer.reached.local, asked);
//! assert_eq!(envoy.wait_access_log(|entries| !entries.is_empty())[0]["response_code"], 200);
//! ```
//!
//! Every guard cleans up after itself when it is dropped, also by a panic: processes are killed,
//! namespaces deleted, temporary files removed (set `ODST_KEEP=1` to keep the files).

pub mod access_log;
pub mod address;
pub mod client;
pub mod config;
pub mod kernel;
pub mod markdown;
pub mod module;

mod envoy;
mod fault_point;
mod internal;
mod load;
mod netns;
mod rules;
mod stale;
mod topology;
mod upstream;
mod version;
mod wait;
mod watched;

pub use client::{Answer, Client, Failure};
pub use config::{Listener, bootstrap};
pub use envoy::{
    Builder, ENVOY_GID, Envoy, validate, validate_file, validate_file_on, validate_on,
};
pub use fault_point::FaultPoint;
pub use internal::{SetFilterState, Tunnel, with_internal_listeners};
pub use load::{Load, Tally};
pub use netns::Netns;
pub use rules::To;
pub use topology::Lab;
pub use upstream::{Reached, Upstream};
pub use version::Version;
pub use wait::eventually;
pub use watched::{Watched, with_node};

use std::path::Path;

/// The root of the workspace, where `target/` and `envoy-configs/` are.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}
