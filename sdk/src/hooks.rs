//! What Envoy calls in the module. [`declare_listener_filter_init_functions!`] exports these under
//! the names of the ABI.
//!
//! The functions take the module's entry point only to learn the type of its configuration.
//!
//! [`declare_listener_filter_init_functions!`]: crate::declare_listener_filter_init_functions

use std::ffi::{c_char, c_void};
use std::ptr;

use crate::abi::{
    envoy_dynamic_module_type_envoy_buffer as FromEnvoy,
    envoy_dynamic_module_type_on_listener_filter_status as Status,
};
use crate::buffer::borrow;
use crate::envoy::{EnvoyListenerFilterConfigImpl, EnvoyListenerFilterImpl};
use crate::host;
use crate::listener::EnvoyListenerFilter;
use crate::module::{
    ListenerFilter, ListenerFilterConfig, NewListenerFilterConfigFunction, ProgramInitFunction,
};
use crate::panics::{contain, log_from_now_on};

/// The library is loaded. Answers with the version of the ABI, or null to refuse.
pub fn program_init(init: ProgramInitFunction) -> *const c_char {
    log_from_now_on();
    match contain(init) {
        Some(true) => host::abi_version().as_ptr(),
        Some(false) | None => ptr::null(),
    }
}

/// A listener with this filter is configured. Null refuses the listener.
///
/// # Safety
/// The arguments are those that Envoy passes to the hook.
pub unsafe fn config_new<C: ListenerFilterConfig>(
    new: NewListenerFilterConfigFunction<C>,
    config_envoy_ptr: *mut c_void,
    name: FromEnvoy,
    config: FromEnvoy,
) -> *const c_void {
    let made = contain(|| {
        // SAFETY: Envoy lends the pointer and both texts to this hook.
        let (mut envoy, name, config) = unsafe {
            (
                EnvoyListenerFilterConfigImpl::new(config_envoy_ptr),
                borrow(name).unwrap_or_default(),
                borrow(config).unwrap_or_default(),
            )
        };
        new(&mut envoy, &String::from_utf8_lossy(name), config)
    });
    made.flatten()
        .map_or(ptr::null(), |config| Box::into_raw(Box::new(config)).cast())
}

/// The configuration is no longer used.
///
/// # Safety
/// `config_module_ptr` came from [`config_new`] of the same `C`, and this is its last use.
pub unsafe fn config_destroy<C: ListenerFilterConfig>(
    _: NewListenerFilterConfigFunction<C>,
    config_module_ptr: *const c_void,
) {
    // SAFETY: `config_new` made it of a box, and Envoy destroys it once.
    let config = unsafe { Box::from_raw(config_module_ptr.cast_mut().cast::<C>()) };
    contain(|| drop(config));
}

/// A connection needs a filter. Null refuses the connection.
///
/// # Safety
/// `config_module_ptr` came from [`config_new`] of the same `C`.
pub unsafe fn filter_new<C: ListenerFilterConfig>(
    _: NewListenerFilterConfigFunction<C>,
    config_module_ptr: *const c_void,
) -> *const c_void {
    // SAFETY: `config_new` made it, and Envoy keeps it while it makes filters of it.
    let config = unsafe { &*config_module_ptr.cast::<C>() };
    contain(|| ptr::from_ref(config.new_listener_filter()).cast()).unwrap_or(ptr::null())
}

/// A connection was accepted. After a panic it is closed.
///
/// # Safety
/// `filter_envoy_ptr` is lent to the running hook, and `filter_module_ptr` came from
/// [`filter_new`] of the same `C`.
pub unsafe fn on_accept<C: ListenerFilterConfig>(
    _: NewListenerFilterConfigFunction<C>,
    filter_envoy_ptr: *mut c_void,
    filter_module_ptr: *const c_void,
) -> Status {
    // SAFETY: the filter is a part of the configuration, which Envoy keeps while it has filters.
    let filter = unsafe { &*filter_module_ptr.cast::<C::Filter>() };
    // SAFETY: Envoy lends the pointer to this hook.
    let mut envoy = unsafe { EnvoyListenerFilterImpl::new(filter_envoy_ptr) };
    if let Some(status) = contain(|| filter.on_accept(&mut envoy)) {
        return status;
    }
    if contain(|| filter.on_panic(&mut envoy)).is_none() {
        envoy.close_socket("dynamic_module_panic");
    }
    Status::StopIteration
}

/// Exports the hooks of a listener filter.
///
/// * The first argument is a [`ProgramInitFunction`](crate::ProgramInitFunction).
/// * The second is a
///   [`NewListenerFilterConfigFunction`](crate::NewListenerFilterConfigFunction).
#[macro_export]
macro_rules! declare_listener_filter_init_functions {
    ($init:path, $new_config:path) => {
        mod envoy_dynamic_module_hooks {
            use std::ffi::{c_char, c_void};

            use super::*;
            use $crate::abi::{
                envoy_dynamic_module_type_envoy_buffer as FromEnvoy,
                envoy_dynamic_module_type_on_listener_filter_status as Status,
            };
            use $crate::hooks;

            // SAFETY: the names are those that Envoy looks up in a module, and no other's.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
                hooks::program_init($init)
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn envoy_dynamic_module_on_listener_filter_config_new(
                config_envoy_ptr: *mut c_void,
                name: FromEnvoy,
                config: FromEnvoy,
            ) -> *const c_void {
                // SAFETY: called by Envoy, as are all below.
                unsafe { hooks::config_new($new_config, config_envoy_ptr, name, config) }
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn envoy_dynamic_module_on_listener_filter_config_destroy(
                config_module_ptr: *const c_void,
            ) {
                // SAFETY: as above.
                unsafe { hooks::config_destroy($new_config, config_module_ptr) }
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn envoy_dynamic_module_on_listener_filter_new(
                config_module_ptr: *const c_void,
                _filter_envoy_ptr: *mut c_void,
            ) -> *const c_void {
                // SAFETY: as above.
                unsafe { hooks::filter_new($new_config, config_module_ptr) }
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn envoy_dynamic_module_on_listener_filter_on_accept(
                filter_envoy_ptr: *mut c_void,
                filter_module_ptr: *const c_void,
            ) -> Status {
                // SAFETY: as above.
                unsafe { hooks::on_accept($new_config, filter_envoy_ptr, filter_module_ptr) }
            }

            // The rest is for filters that read data or wait. Envoy loads no module without them.

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_listener_filter_on_data(
                _filter_envoy_ptr: *mut c_void,
                _filter_module_ptr: *const c_void,
                _data_length: usize,
            ) -> Status {
                Status::Continue
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_listener_filter_on_close(
                _filter_envoy_ptr: *mut c_void,
                _filter_module_ptr: *const c_void,
            ) {
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_listener_filter_get_max_read_bytes(
                _filter_envoy_ptr: *mut c_void,
                _filter_module_ptr: *const c_void,
            ) -> usize {
                0
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_listener_filter_scheduled(
                _filter_envoy_ptr: *mut c_void,
                _filter_module_ptr: *const c_void,
                _event_id: u64,
            ) {
            }

            // SAFETY: as above.
            #[unsafe(no_mangle)]
            extern "C" fn envoy_dynamic_module_on_listener_filter_destroy(
                _filter_module_ptr: *const c_void,
            ) {
            }
        }
    };
}
