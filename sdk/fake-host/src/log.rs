//! Envoy's log, one for each thread: hooks log on the thread that they run on.
//!
//! A module finds the log's callbacks with dlsym(3), among what the executable exports. Executables
//! export nothing as cargo links tests, so that this crate stands in for dlsym as well.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_void};

pub use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_log_level as Level;
use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_module_buffer as ModuleBuffer;

use crate::callbacks::borrow;

thread_local! {
    static LEVEL: Cell<Level> = const { Cell::new(Level::Info) };
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// Sets the lowest level that this thread's log shows. It begins as [`Level::Info`].
pub fn show(level: Level) {
    LEVEL.set(level);
}

/// Takes the lines out of this thread's log.
pub fn take() -> Vec<(Level, String)> {
    LINES.take()
}

fn is_shown(level: Level) -> bool {
    level.0 >= LEVEL.get().0
}

extern "C" fn log_enabled(level: Level) -> bool {
    is_shown(level)
}

unsafe extern "C" fn log(level: Level, message: ModuleBuffer) {
    // Envoy drops what is not a level to write at.
    if is_shown(level) && level.0 < Level::Off.0 {
        // SAFETY: the module lends the message for this call.
        let message = String::from_utf8_lossy(unsafe { borrow(&message) }).into_owned();
        LINES.with_borrow_mut(|lines| lines.push((level, message)));
    }
}

/// dlsym(3), which also finds the callbacks above.
///
/// # Safety
/// As the real one's.
// SAFETY: the signature is that of the C library's, and so is what it does, but for the callbacks.
#[unsafe(no_mangle)]
unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the caller vouches for the name.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"envoy_dynamic_module_callback_log_enabled" => log_enabled as *mut c_void,
        b"envoy_dynamic_module_callback_log" => log as *mut c_void,
        // SAFETY: the names end with NULs, and all else is passed on as it came.
        _ => unsafe { real_dlsym(handle, name) },
    }
}

unsafe fn real_dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
    // The version that glibc 2.34 gave it; before, it was that of the first glibc for the machine.
    for version in [c"GLIBC_2.34", c"GLIBC_2.17", c"GLIBC_2.2.5"] {
        // SAFETY: both texts end with NULs, and the function found has this signature.
        let real = unsafe {
            let found = libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr());
            std::mem::transmute::<*mut c_void, Option<Dlsym>>(found)
        };
        if let Some(real) = real {
            // SAFETY: as the caller vouches.
            return unsafe { real(handle, name) };
        }
    }
    std::ptr::null_mut()
}
