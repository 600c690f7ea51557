//! The callback that tells the traffic direction of a listener. Modules look it up by its name.

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    self, envoy_dynamic_module_type_listener_filter_envoy_ptr as FilterPtr,
};

use crate::callbacks::connection_of;

/// The attribute `xds.listener_direction`.
const LISTENER_DIRECTION: u32 = 59;

/// # Safety
/// As the ABI's.
// SAFETY: the name and the signature are the ABI's.
#[unsafe(no_mangle)]
unsafe extern "C" fn envoy_dynamic_module_callback_listener_filter_get_attribute_int(
    filter: FilterPtr,
    attribute: u32,
    value: *mut u64,
) -> bool {
    let is_known = attribute == LISTENER_DIRECTION;
    if is_known {
        // SAFETY: the pointer is the one that the running hook got from this crate, and the module lends
        // the room.
        unsafe { value.write(connection_of(filter).direction) };
    }
    is_known
}

const _: abi::envoy_dynamic_module_callback_listener_filter_get_attribute_int =
    Some(envoy_dynamic_module_callback_listener_filter_get_attribute_int);
