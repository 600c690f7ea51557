//! A listener filter that restores the same address for each connection, as the example `constant`
//! does, but counts it, and asks Envoy and the kernel all that a filter for original destinations has
//! to ask about a redirected IPv4 connection, in its order: what the questions cost, whatever is made
//! of the answers.

use std::mem::MaybeUninit;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_log_level as Level;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_on_listener_filter_status as Status;
use envoy_proxy_dynamic_modules_rust_sdk::{
    EnvoyCounterId, EnvoyListenerFilter, EnvoyListenerFilterConfig, EnvoyListenerFilterConfigImpl,
    ListenerFilter, ListenerFilterConfig, declare_listener_filter_init_functions, log,
};

declare_listener_filter_init_functions!(program_init, new_config);

struct Asking {
    address: Box<[u8]>,
    connections: EnvoyCounterId,
}

fn program_init() -> bool {
    true
}

fn new_config(
    envoy: &mut EnvoyListenerFilterConfigImpl,
    _: &str,
    address: &[u8],
) -> Option<Asking> {
    Some(Asking {
        address: address.into(),
        connections: envoy.define_counter("connections").ok()?,
    })
}

impl ListenerFilterConfig for Asking {
    type Filter = Self;

    fn new_listener_filter(&self) -> &Self {
        self
    }
}

impl<ELF: EnvoyListenerFilter> ListenerFilter<ELF> for Asking {
    fn on_accept(&self, envoy: &mut ELF) -> Status {
        let socket = envoy.get_socket_fd().unwrap_or(-1);
        let _ = envoy.get_local_address();
        ask_original_dst(socket);
        envoy.restore_local_address(&self.address, 8080, false);
        envoy.increment_counter(self.connections, 1);
        let _ = log::enabled(Level::Debug);
        Status::Continue
    }
}

fn ask_original_dst(socket: i32) {
    let mut answer = MaybeUninit::<libc::sockaddr_in>::uninit();
    let mut length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `answer`, which nobody reads, and the new
    // length to `length`.
    unsafe {
        libc::getsockopt(
            socket,
            libc::SOL_IP,
            libc::SO_ORIGINAL_DST,
            answer.as_mut_ptr().cast(),
            &mut length,
        );
    }
}
