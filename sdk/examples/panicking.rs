//! A listener filter that panics on the connections, or at once if it is configured with `config`:
//! what the SDK makes of that.

#![allow(clippy::panic)]

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfigImpl, ListenerFilter, ListenerFilterConfig,
    declare_listener_filter_init_functions,
};

declare_listener_filter_init_functions!(program_init, new_config);

struct Panicking;

fn program_init() -> bool {
    true
}

fn new_config(_: &mut EnvoyListenerFilterConfigImpl, _: &str, config: &[u8]) -> Option<Panicking> {
    assert_ne!(config, b"config", "a panic in the configuration");
    Some(Panicking)
}

impl ListenerFilterConfig for Panicking {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Panicking {
    fn on_accept(&self, _: &mut ELF) -> Status {
        panic!("a panic on a connection")
    }
}
