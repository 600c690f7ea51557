//! A listener with the module's filter, as Envoy runs it.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::panic;
use std::sync::Once;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_envoy_buffer as EnvoyBuffer;

#[cfg(windows)]
use windows_sys::Win32::System::LibraryLoader::GetModuleHandleA;

use crate::metrics::Metrics;

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
}

/// A listener whose only filter is the module's. Worker threads may share it.
pub struct Listener {
    /// The module's object.
    pub(crate) config: *const c_void,
    pub(crate) metrics: Metrics,
}

thread_local! {
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
        Self::with_room(filter_name, filter_config, usize::MAX)
    }

    /// Configures the filter in an Envoy that refuses metrics once there are this many.
    ///
    /// # Panics
    /// As of [`Self::new`].
    pub fn with_room(filter_name: &str, filter_config: &[u8], metrics: usize) -> Option<Self> {
        load();
        let mut metrics = Metrics::with_room(metrics);
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

/// What Envoy does when it opens the library, once.
fn load() {
    static LOADED: Once = Once::new();
    LOADED.call_once(|| {
        // SAFETY: null stands for this executable, with which the module is linked; no test is in it yet.
        #[cfg(windows)]
        unsafe {
            crate::take_over(GetModuleHandleA(std::ptr::null()));
        }
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

/// Runs a hook of the module's.
pub(crate) fn in_module<T>(hook: impl FnOnce() -> T) -> T {
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
