//! A listener with the module's filter, as Envoy runs it.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::panic;
use std::ptr;
use std::sync::Once;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_envoy_buffer as EnvoyBuffer;

use crate::metrics::Metrics;
use crate::{Connection, Status};

/// What Envoy 1.37 expects a module to answer: the hash of the ABI's header.
const ABI_VERSION: &CStr = c"4dae397a7c9ff0238d318d57ea656ce8b3fbff595787dcd7ee2ff5b79c9fe10f";

unsafe extern "C" {
    safe fn envoy_dynamic_module_on_program_init() -> *const c_char;
    fn envoy_dynamic_module_on_listener_filter_config_new(
        config: *mut c_void,
        name: EnvoyBuffer,
        config_bytes: EnvoyBuffer,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_listener_filter_config_destroy(config: *const c_void);
    fn envoy_dynamic_module_on_listener_filter_new(
        config: *const c_void,
        filter: *mut c_void,
    ) -> *const c_void;
    fn envoy_dynamic_module_on_listener_filter_on_accept(
        filter: *mut c_void,
        module_filter: *const c_void,
    ) -> Status;
    fn envoy_dynamic_module_on_listener_filter_destroy(module_filter: *const c_void);
}

/// A listener whose only filter is the module's. Worker threads may share it.
pub struct Listener {
    /// The module's object.
    config: *const c_void,
    metrics: Metrics,
}

/// Envoy's filter of one connection: what the callbacks get a pointer to.
pub(crate) struct Filter<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) metrics: &'a Metrics,
}

thread_local! {
    /// The filter whose connection this thread is accepting, for the questions to the kernel, which
    /// come without a pointer to it.
    static ACCEPTING: Cell<*mut Filter<'static>> = const { Cell::new(ptr::null_mut()) };
    /// Whether one of the module's hooks is running.
    static IN_MODULE: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: a module's configuration is for all threads, by the ABI.
unsafe impl Send for Listener {}
// SAFETY: as above, and the metrics are atomics.
unsafe impl Sync for Listener {}

impl Listener {
    /// Configures the filter; `None` if the module refuses.
    ///
    /// # Panics
    /// If the module answers with another ABI version than that of Envoy 1.37, which then refuses
    /// to load it.
    pub fn new(filter_name: &str, filter_config: &[u8]) -> Option<Self> {
        load();
        let mut metrics = Metrics::default();
        // Copies that end with the hook, as Envoy's do.
        let (name, config) = (filter_name.to_owned(), filter_config.to_owned());
        // SAFETY: the pointers are good for as long as the hook runs.
        let config = in_module(|| unsafe {
            envoy_dynamic_module_on_listener_filter_config_new(
                (&raw mut metrics).cast(),
                lend(name.as_bytes()),
                lend(&config),
            )
        });
        (!config.is_null()).then(|| Self { config, metrics })
    }

    /// Runs a connection through the filter.
    ///
    /// # Panics
    /// Where Envoy 1.37 would crash: the filter closed the socket and goes on, or it hands off a
    /// connection that was restored before, over and over.
    pub fn accept(&self, connection: &mut Connection) -> Status {
        connection.begin();
        let was_restored = connection.is_restored();
        let mut envoy = Filter {
            connection,
            metrics: &self.metrics,
        };
        let envoy_ptr: *mut Filter<'_> = &raw mut envoy;
        // SAFETY: the module made `config`. The pointer to Envoy's filter is null here: 1.37 has no
        // connection yet when it calls this hook, and no callback would do anything.
        let filter = in_module(|| unsafe {
            envoy_dynamic_module_on_listener_filter_new(self.config, ptr::null_mut())
        });
        if filter.is_null() {
            connection.close(b"");
            return Status::StopIteration;
        }
        ACCEPTING.set(envoy_ptr.cast());
        // SAFETY: both objects live until the hook returns.
        let status = in_module(|| unsafe {
            envoy_dynamic_module_on_listener_filter_on_accept(envoy_ptr.cast(), filter)
        });
        ACCEPTING.set(ptr::null_mut());
        // SAFETY: the module made the filter, and nothing uses it after this.
        in_module(|| unsafe { envoy_dynamic_module_on_listener_filter_destroy(filter) });
        assert!(
            connection.closed().is_none() || status == Status::StopIteration,
            "the socket is closed, and yet the filter goes on: Envoy crashes"
        );
        assert!(
            !was_restored || connection.hand_off() != Some(true),
            "handed off after it was restored: Envoy recurses until it crashes"
        );
        status
    }

    /// The value of a counter; `None` if there is none of that name.
    pub fn counter(&self, name: &str) -> Option<u64> {
        self.metrics.counter(name)
    }

    /// The value of a gauge; `None` if there is none of that name.
    pub fn gauge(&self, name: &str) -> Option<u64> {
        self.metrics.gauge(name)
    }

    /// The counters that are not zero, by name.
    pub fn counted(&self) -> Vec<(&str, u64)> {
        self.metrics.counted()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: the module made it, and nothing uses it after this.
        in_module(|| unsafe {
            envoy_dynamic_module_on_listener_filter_config_destroy(self.config);
        });
    }
}

/// Calls `answer` with the filter of the connection that this thread is accepting, if there is one.
pub(crate) fn with_accepting<T>(answer: impl FnOnce(&mut Filter<'_>) -> T) -> Option<T> {
    // SAFETY: `accept` sets the pointer for as long as the filter lives, and nothing else uses the
    // filter during a callback or system call of the module.
    unsafe { ACCEPTING.get().as_mut() }.map(answer)
}

/// What Envoy does when it opens the library, once.
fn load() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        let tests_hook = panic::take_hook();
        let version = envoy_dynamic_module_on_program_init();
        let modules_hook = panic::take_hook();
        // In Envoy's process, the module's hook sees the module's panics only.
        panic::set_hook(Box::new(move |info| {
            if IN_MODULE.get() {
                modules_hook(info);
            } else {
                tests_hook(info);
            }
        }));
        assert!(!version.is_null(), "the module refuses to be loaded");
        // SAFETY: by the ABI, it is text that ends with a NUL and lives on.
        let version = unsafe { CStr::from_ptr(version) };
        assert_eq!(version, ABI_VERSION, "Envoy 1.37 does not load the module");
    });
}

fn in_module<T>(hook: impl FnOnce() -> T) -> T {
    IN_MODULE.set(true);
    let answer = hook();
    IN_MODULE.set(false);
    answer
}

fn lend(bytes: &[u8]) -> EnvoyBuffer {
    EnvoyBuffer {
        ptr: bytes.as_ptr().cast(),
        length: bytes.len(),
    }
}
