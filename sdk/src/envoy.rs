//! What Envoy offers, as calls of its ABI.

use crate::abi::{
    self, envoy_dynamic_module_type_address_type as AddressType,
    envoy_dynamic_module_type_envoy_buffer as FromEnvoy,
    envoy_dynamic_module_type_listener_filter_config_envoy_ptr as ConfigPtr,
    envoy_dynamic_module_type_listener_filter_envoy_ptr as FilterPtr,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
};
use crate::buffer::{NO_PAIR, NOTHING, borrow, lend, lend_bytes, lend_pair};
use crate::host::Host;
use crate::listener::{
    EnvoyCounterId, EnvoyGaugeId, EnvoyListenerFilter, EnvoyListenerFilterConfig,
};

/// A filter's configuration in Envoy, during the hook that makes it.
pub struct EnvoyListenerFilterConfigImpl(ConfigPtr);

/// The filter of one connection in Envoy, during a hook.
pub struct EnvoyListenerFilterImpl(FilterPtr);

/// So many strings of metadata go to Envoy at once, from the stack.
const BATCH: usize = 8;

/// A callback that looks up an address.
type GetAddress = unsafe extern "C" fn(FilterPtr, *mut FromEnvoy, *mut u32) -> bool;

/// A callback that defines a metric.
type Define = unsafe extern "C" fn(
    ConfigPtr,
    abi::envoy_dynamic_module_type_module_buffer,
    *mut usize,
) -> MetricsResult;

impl EnvoyListenerFilterConfigImpl {
    /// # Safety
    /// `config` is what Envoy gave to the hook that is running, and the value does not outlive it.
    pub(crate) unsafe fn new(config: ConfigPtr) -> Self {
        Self(config)
    }

    fn define(&mut self, define: Define, name: &str) -> Result<usize, MetricsResult> {
        let mut id = 0;
        // SAFETY: `new` vouches for the pointer; Envoy copies the name and writes the id.
        match unsafe { define(self.0, lend(name), &mut id) } {
            MetricsResult::Success => Ok(id),
            failure => Err(failure),
        }
    }
}

impl EnvoyListenerFilterConfig for EnvoyListenerFilterConfigImpl {
    fn define_counter(&mut self, name: &str) -> Result<EnvoyCounterId, MetricsResult> {
        let define = abi::envoy_dynamic_module_callback_listener_filter_config_define_counter;
        self.define(define, name).map(EnvoyCounterId)
    }

    fn define_gauge(&mut self, name: &str) -> Result<EnvoyGaugeId, MetricsResult> {
        let define = abi::envoy_dynamic_module_callback_listener_filter_config_define_gauge;
        self.define(define, name).map(EnvoyGaugeId)
    }

    fn set_gauge(&mut self, id: EnvoyGaugeId, value: u64) -> bool {
        let Some(set) = Host::get().config_set_gauge else {
            return false;
        };
        // SAFETY: `new` vouches for the pointer.
        let result = unsafe { set(self.0, id.0, value) };
        matches!(result, MetricsResult::Success)
    }
}

impl EnvoyListenerFilterImpl {
    /// # Safety
    /// `filter` is what Envoy gave to the hook that is running, and the value does not outlive it.
    pub(crate) unsafe fn new(filter: FilterPtr) -> Self {
        Self(filter)
    }

    #[inline]
    fn address(&self, get: GetAddress) -> Option<(&[u8], u16)> {
        let (mut address, mut port) = (NOTHING, 0);
        // SAFETY: `new` vouches for the pointer; Envoy writes both out-parameters.
        if !unsafe { get(self.0, &mut address, &mut port) } {
            return None;
        }
        // SAFETY: the text lives until Envoy replaces the address, which takes `&mut self`.
        let text = unsafe { borrow(address) }?;
        Some((text, u16::try_from(port).ok()?))
    }
}

impl EnvoyListenerFilter for EnvoyListenerFilterImpl {
    fn get_address_type(&self) -> AddressType {
        // SAFETY: `new` vouches for the pointer.
        unsafe { abi::envoy_dynamic_module_callback_listener_filter_get_address_type(self.0) }
    }

    #[inline]
    fn get_socket_fd(&self) -> Option<i32> {
        // SAFETY: `new` vouches for the pointer.
        let fd =
            unsafe { abi::envoy_dynamic_module_callback_listener_filter_get_socket_fd(self.0) };
        i32::try_from(fd).ok().filter(|fd| *fd >= 0)
    }

    #[inline]
    fn get_local_address(&self) -> Option<(&[u8], u16)> {
        self.address(abi::envoy_dynamic_module_callback_listener_filter_get_local_address)
    }

    #[inline]
    fn get_direct_local_address(&self) -> Option<(&[u8], u16)> {
        self.address(abi::envoy_dynamic_module_callback_listener_filter_get_direct_local_address)
    }

    fn get_remote_address(&self) -> Option<(&[u8], u16)> {
        self.address(abi::envoy_dynamic_module_callback_listener_filter_get_remote_address)
    }

    #[cfg(windows)]
    fn has_traffic_direction(&self) -> bool {
        /// The attribute `xds.listener_direction`: 0 if it is unspecified.
        const LISTENER_DIRECTION: u32 = 59;
        let mut direction = 0;
        // SAFETY: `new` vouches for the pointer; Envoy writes the value.
        Host::get()
            .get_attribute_int
            .is_some_and(|get| unsafe { get(self.0, LISTENER_DIRECTION, &mut direction) })
            && direction != 0
    }

    #[inline]
    fn is_local_address_restored(&self) -> bool {
        // SAFETY: `new` vouches for the pointer.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_is_local_address_restored(self.0)
        }
    }

    #[inline]
    fn restore_local_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool {
        if is_ipv6 && address.contains(&b'%') && !Host::get().survives_scopes() {
            return false;
        }
        // SAFETY: `new` vouches for the pointer; Envoy copies the address.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_restore_local_address(
                self.0,
                lend_bytes(address),
                port.into(),
                is_ipv6,
            )
        }
    }

    fn set_remote_address(&mut self, address: &[u8], port: u16, is_ipv6: bool) -> bool {
        // SAFETY: `new` vouches for the pointer; Envoy copies the address.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_set_remote_address(
                self.0,
                lend_bytes(address),
                port.into(),
                is_ipv6,
            )
        }
    }

    fn use_original_dst(&mut self, enabled: bool) {
        // SAFETY: `new` vouches for the pointer.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_use_original_dst(self.0, enabled);
        }
    }

    fn get_dynamic_metadata_string(&self, namespace: &str, key: &str) -> Option<&[u8]> {
        let mut value = NOTHING;
        // SAFETY: `new` vouches for the pointer; Envoy reads the two names during the call.
        let found = unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_get_dynamic_metadata_string(
                self.0,
                lend(namespace),
                lend(key),
                &mut value,
            )
        };
        if !found {
            return None;
        }
        // SAFETY: the value is the metadata's own. It lives until metadata is set, which takes
        // `&mut self`.
        unsafe { borrow(value) }
    }

    fn set_dynamic_metadata_string(&mut self, namespace: &str, key: &str, value: &str) {
        // SAFETY: `new` vouches for the pointer; Envoy copies the texts.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string(
                self.0,
                lend(namespace),
                lend(key),
                lend(value),
            );
        }
    }

    fn set_dynamic_metadata_string_batch(&mut self, namespace: &str, entries: &[(&str, &str)]) {
        let Some(set) = Host::get().set_dynamic_metadata_string_batch else {
            for (key, value) in entries {
                self.set_dynamic_metadata_string(namespace, key, value);
            }
            return;
        };
        for entries in entries.chunks(BATCH) {
            let mut pairs = [NO_PAIR; BATCH];
            for (pair, (key, value)) in pairs.iter_mut().zip(entries) {
                *pair = lend_pair(key, value);
            }
            // SAFETY: `new` vouches for the pointer; so many pairs are there, and Envoy copies the texts.
            unsafe { set(self.0, lend(namespace), pairs.as_ptr(), entries.len()) };
        }
    }

    fn get_filter_state(&mut self, key: &str) -> Option<&[u8]> {
        let get = Host::get()
            .get_filter_state_typed
            .unwrap_or(abi::envoy_dynamic_module_callback_listener_filter_get_filter_state);
        let mut value = NOTHING;
        // SAFETY: `new` vouches for the pointer; Envoy reads the key during the call.
        if !unsafe { get(self.0, lend(key), &mut value) } {
            return None;
        }
        // SAFETY: the value is the state object's own, which no call of this trait replaces, or a
        // copy in the filter's one place for it, which lives until the next look-up. That takes
        // `&mut self`.
        unsafe { borrow(value) }
    }

    fn set_filter_state(&mut self, key: &str, value: &str) -> bool {
        if !Host::get().replaces_filter_state() && self.get_filter_state(key).is_some() {
            return false;
        }
        // SAFETY: `new` vouches for the pointer; Envoy copies the texts.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_set_filter_state(
                self.0,
                lend(key),
                lend(value),
            )
        }
    }

    #[inline]
    fn increment_counter(&self, id: EnvoyCounterId, value: u64) {
        // An id that `define_counter` gave cannot fail, and no connection should, for a number.
        // SAFETY: `new` vouches for the pointer.
        let _ = unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_increment_counter(
                self.0, id.0, value,
            )
        };
    }

    fn set_gauge(&self, id: EnvoyGaugeId, value: u64) {
        // As in `increment_counter`.
        // SAFETY: `new` vouches for the pointer.
        let _ = unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_set_gauge(self.0, id.0, value)
        };
    }

    fn set_downstream_transport_failure_reason(&mut self, reason: &str) {
        // SAFETY: `new` vouches for the pointer; Envoy copies the reason.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_set_downstream_transport_failure_reason(
                self.0,
                lend(reason),
            );
        }
    }

    fn close_socket(&mut self, details: &str) {
        // SAFETY: `new` vouches for the pointer; Envoy copies the details, and 1.37 ignores them.
        unsafe {
            abi::envoy_dynamic_module_callback_listener_filter_close_socket(self.0, lend(details));
        }
    }
}
