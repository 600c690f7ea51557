//! Which Envoy loaded the module, told by the callbacks that it exports.

use std::ffi::{CStr, c_void};
use std::mem;
use std::sync::OnceLock;

use crate::abi;

/// The callbacks that only some versions of Envoy export, found by their names.
pub(crate) struct Host {
    pub(crate) abi_version: &'static CStr,
    pub(crate) log_v2: abi::envoy_dynamic_module_callback_log_v2,
    pub(crate) get_filter_state_typed:
        abi::envoy_dynamic_module_callback_listener_filter_get_filter_state_typed,
    pub(crate) get_attribute_int:
        abi::envoy_dynamic_module_callback_listener_filter_get_attribute_int,
    pub(crate) config_set_gauge:
        abi::envoy_dynamic_module_callback_listener_filter_config_set_gauge,
    pub(crate) set_dynamic_metadata_string_batch:
        abi::envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string_batch,
}

static HOST: OnceLock<Host> = OnceLock::new();

impl Host {
    /// The process that this library is loaded into.
    #[inline]
    pub(crate) fn get() -> &'static Self {
        HOST.get_or_init(Self::detect)
    }

    fn detect() -> Self {
        let abi_version = if !symbol(c"envoy_dynamic_module_callback_log_v2").is_null() {
            c"v0.2.0"
        } else if !symbol(c"envoy_dynamic_module_callback_get_concurrency").is_null() {
            c"v0.1.0"
        } else {
            // 1.37.0 asks for the hash of its own header, and loads nothing else.
            c"4dae397a7c9ff0238d318d57ea656ce8b3fbff595787dcd7ee2ff5b79c9fe10f"
        };
        // SAFETY: each field has the type that Envoy's ABI fixes for the name.
        unsafe {
            Self {
                abi_version,
                log_v2: callback(c"envoy_dynamic_module_callback_log_v2"),
                get_filter_state_typed: callback(
                    c"envoy_dynamic_module_callback_listener_filter_get_filter_state_typed",
                ),
                get_attribute_int: callback(
                    c"envoy_dynamic_module_callback_listener_filter_get_attribute_int",
                ),
                config_set_gauge: callback(
                    c"envoy_dynamic_module_callback_listener_filter_config_set_gauge",
                ),
                set_dynamic_metadata_string_batch: callback(
                    c"envoy_dynamic_module_callback_listener_filter_set_dynamic_metadata_string_batch",
                ),
            }
        }
    }

    /// Before 1.39, Envoy keeps what filter state has under a key, and logs a bug of its own.
    pub(crate) fn replaces_filter_state(&self) -> bool {
        self.config_set_gauge.is_some()
    }

    /// Before 1.39, Envoy aborts when an `ORIGINAL_DST` cluster meets a restored address with a
    /// scope, such as `fe80::1%2`: anybody on the link could end the proxy.
    pub(crate) fn survives_scopes(&self) -> bool {
        self.get_attribute_int.is_some()
    }
}

/// The version of the ABI that this Envoy expects a module to answer with: 1.37.0 refuses a module
/// that answers otherwise, and later versions warn.
pub fn abi_version() -> &'static CStr {
    Host::get().abi_version
}

/// The callback of this name, `None` if this Envoy has none.
///
/// # Safety
/// `Callback` is an `Option` of a function pointer, with the signature that the name stands for.
unsafe fn callback<Callback: Copy>(name: &CStr) -> Callback {
    const { assert!(size_of::<Callback>() == size_of::<*mut c_void>()) };
    // SAFETY: a null pointer is `None`; the caller vouches for any other.
    unsafe { mem::transmute_copy(&symbol(name)) }
}

#[cfg(unix)]
fn symbol(name: &CStr) -> *mut c_void {
    // SAFETY: `name` ends with a NUL, and a look-up among what is loaded has no other demands.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

#[cfg(windows)]
fn symbol(name: &CStr) -> *mut c_void {
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
    // SAFETY: a null name stands for Envoy's executable, and `name` ends with a NUL.
    let found = unsafe { GetProcAddress(GetModuleHandleA(std::ptr::null()), name.as_ptr().cast()) };
    found.map_or(std::ptr::null_mut(), |found| found as *mut c_void)
}
