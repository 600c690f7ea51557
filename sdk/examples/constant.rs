//! A listener filter that restores the same address for each connection: what any module that restores
//! one costs. The address is the filter's configuration, IPv4, such as `198.51.100.10`.

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyListenerFilter, EnvoyListenerFilterConfigImpl, ListenerFilter, ListenerFilterConfig,
    declare_listener_filter_init_functions,
};

declare_listener_filter_init_functions!(program_init, new_config);

struct Constant {
    address: Box<[u8]>,
}

fn program_init() -> bool {
    true
}

fn new_config(_: &mut EnvoyListenerFilterConfigImpl, _: &str, address: &[u8]) -> Option<Constant> {
    Some(Constant {
        address: address.into(),
    })
}

impl ListenerFilterConfig for Constant {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Constant {
    fn on_accept(&self, envoy: &mut ELF) -> Status {
        envoy.restore_local_address(&self.address, 8080, false);
        Status::Continue
    }
}
