//! The callbacks of `include/abi.h`, which the module calls during its hooks.

use std::ptr;
use std::slice;

use envoy_proxy_dynamic_modules_rust_sdk::abi::{
    self, envoy_dynamic_module_type_address_type as AddressType,
    envoy_dynamic_module_type_envoy_buffer as EnvoyBuffer,
    envoy_dynamic_module_type_listener_filter_config_envoy_ptr as ConfigPtr,
    envoy_dynamic_module_type_listener_filter_envoy_ptr as FilterPtr,
    envoy_dynamic_module_type_metrics_result as MetricsResult,
    envoy_dynamic_module_type_module_buffer as ModuleBuffer,
};

use crate::connection::{Address, Connection, Lending};
use crate::filter::Filter;
use crate::log;
use crate::metrics::{Metric, Metrics};

/// Defines callbacks, each with the signature that the header declares for its name.
macro_rules! callbacks {
    ($(
        fn $name:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)? { $body:expr }
    )*) => {$(
        // SAFETY: the name and the signature are the ABI's.
        #[unsafe(no_mangle)]
        #[allow(unused_unsafe)] // Some bodies take no pointer.
        unsafe extern "C" fn $name($($argument: $kind),*) $(-> $answer)? {
            // SAFETY: the pointer is the one that the running hook got from this crate, the texts
            // are the module's for this call, and the out-parameters are writable.
            unsafe { $body }
        }

        const _: [unsafe extern "C" fn($($kind),*) $(-> $answer)?; 2] = [$name, abi::$name];
    )*};
}

callbacks! {
    fn envoy_dynamic_module_callback_log_enabled(level: log::Level) -> bool {
        log::is_shown(level)
    }

    fn envoy_dynamic_module_callback_log(level: log::Level, message: ModuleBuffer) {
        log::write(level, borrow(&message))
    }

    fn envoy_dynamic_module_callback_listener_filter_config_define_counter(
        config: ConfigPtr, name: ModuleBuffer, id: *mut usize
    ) -> MetricsResult {
        define(config, |metrics| &mut metrics.counters, name, id)
    }

    fn envoy_dynamic_module_callback_listener_filter_config_define_gauge(
        config: ConfigPtr, name: ModuleBuffer, id: *mut usize
    ) -> MetricsResult {
        define(config, |metrics| &mut metrics.gauges, name, id)
    }

    fn envoy_dynamic_module_callback_listener_filter_increment_counter(
        filter: FilterPtr, id: usize, value: u64
    ) -> MetricsResult {
        change(&filter_of(filter).metrics.counters, id, |counter| counter.add(value))
    }

    fn envoy_dynamic_module_callback_listener_filter_set_gauge(
        filter: FilterPtr, id: usize, value: u64
    ) -> MetricsResult {
        change(&filter_of(filter).metrics.gauges, id, |gauge| gauge.set(value))
    }

    fn envoy_dynamic_module_callback_listener_filter_get_local_address(
        filter: FilterPtr, address: *mut EnvoyBuffer, port: *mut u32
    ) -> bool {
        lend_address(connection_of(filter), |connection| &connection.local, address, port)
    }

    fn envoy_dynamic_module_callback_listener_filter_get_remote_address(
        filter: FilterPtr, address: *mut EnvoyBuffer, port: *mut u32
    ) -> bool {
        lend_address(connection_of(filter), |connection| &connection.remote, address, port)
    }

    fn envoy_dynamic_module_callback_listener_filter_get_direct_local_address(
        filter: FilterPtr, address: *mut EnvoyBuffer, port: *mut u32
    ) -> bool {
        lend_address(connection_of(filter), |connection| &connection.direct_local, address, port)
    }

    fn envoy_dynamic_module_callback_listener_filter_get_address_type(
        filter: FilterPtr
    ) -> AddressType {
        connection_of(filter).address_type()
    }

    fn envoy_dynamic_module_callback_listener_filter_is_local_address_restored(
        filter: FilterPtr
    ) -> bool {
        connection_of(filter).is_restored()
    }

    fn envoy_dynamic_module_callback_listener_filter_restore_local_address(
        filter: FilterPtr, address: ModuleBuffer, port: u32, is_ipv6: bool
    ) -> bool {
        connection_of(filter).restore_local(borrow(&address), port, is_ipv6)
    }

    fn envoy_dynamic_module_callback_listener_filter_set_remote_address(
        filter: FilterPtr, address: ModuleBuffer, port: u32, is_ipv6: bool
    ) -> bool {
        connection_of(filter).set_remote(borrow(&address), port, is_ipv6)
    }

    fn envoy_dynamic_module_callback_listener_filter_get_socket_fd(filter: FilterPtr) -> i64 {
        connection_of(filter).told_fd()
    }

    fn envoy_dynamic_module_callback_listener_filter_use_original_dst(
        filter: FilterPtr, use_original_dst: bool
    ) {
        connection_of(filter).set_hand_off(use_original_dst)
    }

    fn envoy_dynamic_module_callback_listener_filter_close_socket(
        filter: FilterPtr, details: ModuleBuffer
    ) {
        connection_of(filter).close(borrow(&details))
    }

    fn envoy_dynamic_module_callback_listener_filter_set_downstream_transport_failure_reason(
        filter: FilterPtr, reason: ModuleBuffer
    ) {
        connection_of(filter).set_failure_reason(borrow(&reason))
    }

    fn envoy_dynamic_module_callback_listener_filter_get_dynamic_metadata_string(
        filter: FilterPtr, namespace: ModuleBuffer, key: ModuleBuffer, value: *mut EnvoyBuffer
    ) -> bool {
        lend_text(
            connection_of(filter),
            |connection| connection.find_metadata(borrow(&namespace), borrow(&key)),
            value,
        )
    }

    fn envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string(
        filter: FilterPtr, namespace: ModuleBuffer, key: ModuleBuffer, value: ModuleBuffer
    ) {
        connection_of(filter).set_metadata(borrow(&namespace), borrow(&key), borrow(&value))
    }

    fn envoy_dynamic_module_callback_listener_filter_set_filter_state(
        filter: FilterPtr, key: ModuleBuffer, value: ModuleBuffer
    ) -> bool {
        connection_of(filter).set_filter_state(borrow(&key), borrow(&value))
    }

    fn envoy_dynamic_module_callback_listener_filter_get_filter_state(
        filter: FilterPtr, key: ModuleBuffer, value: *mut EnvoyBuffer
    ) -> bool {
        lend_text(
            connection_of(filter),
            |connection| connection.find_filter_state(borrow(&key)),
            value,
        )
    }
}

/// # Safety
/// The hook that runs got `filter` from this crate, and the answer ends with the callback.
unsafe fn filter_of<'a>(filter: FilterPtr) -> &'a mut Filter<'a> {
    // SAFETY: the caller vouches for it.
    unsafe { &mut *filter.cast() }
}

/// # Safety
/// As of [`filter_of`].
pub(crate) unsafe fn connection_of<'a>(filter: FilterPtr) -> &'a mut Connection {
    // SAFETY: the caller vouches for it.
    unsafe { filter_of(filter) }.connection
}

/// The bytes that the module lends for a call.
///
/// # Safety
/// As many bytes as the buffer says are readable for as long as it is borrowed.
pub(crate) unsafe fn borrow(buffer: &ModuleBuffer) -> &[u8] {
    // SAFETY: the caller vouches for it.
    unsafe { slice::from_raw_parts(buffer.ptr.cast(), buffer.length) }
}

/// # Safety
/// The hook that runs got `config` from this crate, the name is readable, and `id` writable.
unsafe fn define(
    config: ConfigPtr,
    kind: impl FnOnce(&mut Metrics) -> &mut Vec<Metric>,
    name: ModuleBuffer,
    id: *mut usize,
) -> MetricsResult {
    // SAFETY: the caller vouches for it.
    let metrics = unsafe { &mut *config.cast::<Metrics>() };
    if metrics.is_full() {
        return MetricsResult::Frozen;
    }
    let metrics = kind(metrics);
    // SAFETY: the caller vouches for it.
    unsafe {
        id.write(metrics.len());
        let name = String::from_utf8_lossy(borrow(&name)).into_owned();
        metrics.push(Metric::new(name));
    }
    MetricsResult::Success
}

fn change(metrics: &[Metric], id: usize, change: impl FnOnce(&Metric)) -> MetricsResult {
    match metrics.get(id) {
        Some(metric) => {
            change(metric);
            MetricsResult::Success
        }
        None => MetricsResult::MetricNotFound,
    }
}

/// # Safety
/// Both out-parameters are writable.
unsafe fn lend_address(
    connection: &Connection,
    address_of: impl FnOnce(&Connection) -> &Option<Address>,
    text: *mut EnvoyBuffer,
    port: *mut u32,
) -> bool {
    let address = address_of(connection).as_ref();
    // SAFETY: the caller vouches for it.
    unsafe {
        port.write(address.map_or(0, |address| address.port));
        lend_text(connection, |_| address.map(|address| &*address.ip), text)
    }
}

/// # Safety
/// `value` is writable.
unsafe fn lend_text<'a>(
    connection: &'a Connection,
    find: impl FnOnce(&'a Connection) -> Option<&'a [u8]>,
    value: *mut EnvoyBuffer,
) -> bool {
    let found = find(connection);
    let text = found.unwrap_or_default();
    let (ptr, length) = match connection.lending {
        Lending::Honest if found.is_some() => (text.as_ptr(), text.len()),
        Lending::Honest | Lending::Null => (ptr::null(), 0),
        Lending::NullWithLength => (ptr::null(), text.len() + 1),
        Lending::Dangling => (ptr::dangling(), usize::MAX),
    };
    let ptr = ptr.cast();
    // SAFETY: the caller vouches for it.
    unsafe { value.write(EnvoyBuffer { ptr, length }) };
    found.is_some() && connection.lending != Lending::Dangling
}
