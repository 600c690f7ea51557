//! A listener filter that does nothing: what any module costs.

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfigImpl, ListenerFilter, ListenerFilterConfig,
    declare_listener_filter_init_functions,
};

declare_listener_filter_init_functions!(program_init, new_config);

struct Empty;

fn program_init() -> bool {
    true
}

fn new_config(_: &mut EnvoyListenerFilterConfigImpl, _: &str, _: &[u8]) -> Option<Empty> {
    Some(Empty)
}

impl ListenerFilterConfig for Empty {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Empty {
    fn on_accept(&self, _: &mut ELF) -> Status {
        Status::Continue
    }
}
