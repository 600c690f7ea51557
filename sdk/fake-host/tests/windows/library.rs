//! The module's DLL in this process: the hooks that the fake host links with are passed on to it.

use std::cell::Cell;
use std::env;
use std::ffi::{CString, c_char, c_void};
use std::mem;
use std::sync::OnceLock;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_envoy_buffer as EnvoyBuffer;
use fake_host::{Status, take_over};
use windows_sys::Win32::Foundation::{GetLastError, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryA};

/// The module as it is shipped, and a build of it that panics where it is told to.
#[derive(Clone, Copy)]
pub enum Module {
    Shipped,
    Panicking,
}

/// A DLL in this process.
struct Library(HMODULE);

// SAFETY: the handle is for all threads.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

thread_local! {
    static IN_USE: Cell<Module> = const { Cell::new(Module::Shipped) };
}

/// The listeners of this thread have this module from now on.
pub fn choose(module: Module) {
    IN_USE.set(module);
}

impl Module {
    fn library(self) -> &'static Library {
        static LIBRARIES: [OnceLock<Library>; 2] = [const { OnceLock::new() }; 2];
        let variable = match self {
            Self::Shipped => "ORIGINAL_DST_DLL",
            Self::Panicking => "ORIGINAL_DST_FAULT_DLL",
        };
        LIBRARIES[self as usize].get_or_init(|| Library::load(variable))
    }
}

impl Library {
    /// Loads the DLL that this variable names, and answers what it asks Winsock.
    fn load(variable: &str) -> Self {
        let path = env::var(variable).unwrap_or_else(|_| panic!("{variable} names no DLL"));
        let text = CString::new(path.as_str()).expect("a path");
        // SAFETY: the path ends with a NUL, and nobody is in a module that was not loaded yet.
        let (handle, imports) = unsafe {
            let handle = LoadLibraryA(text.as_ptr().cast());
            assert!(!handle.is_null(), "{path}: error {}", GetLastError());
            (handle, take_over(handle))
        };
        assert!(imports >= 3, "{path} asks Winsock by {imports} imports");
        let library = Self(handle);
        // The fake host does this once for all that is linked with it.
        // SAFETY: the DLL's hook has this signature.
        let version = unsafe {
            let init = library.hook("envoy_dynamic_module_on_program_init");
            mem::transmute::<*const c_void, extern "C" fn() -> *const c_char>(init)()
        };
        assert!(!version.is_null(), "{path} refuses to be loaded");
        library
    }

    fn hook(&self, name: &str) -> *const c_void {
        let text = CString::new(name).expect("a name");
        // SAFETY: the name ends with a NUL.
        let found = unsafe { GetProcAddress(self.0, text.as_ptr().cast()) };
        found.unwrap_or_else(|| panic!("the DLL has no {name}")) as *const c_void
    }
}

/// Defines hooks that pass on to those of the same name in the module in use.
macro_rules! hooks {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {$(
        // SAFETY: the name and the signature are the ABI's.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $kind),*) $(-> $answer)? {
            type Hook = unsafe extern "C" fn($($kind),*) $(-> $answer)?;
            // SAFETY: the DLL's hook has this signature, too, and gets what the fake host passed.
            unsafe {
                let hook = IN_USE.get().library().hook(stringify!($name));
                mem::transmute::<*const c_void, Hook>(hook)($($argument),*)
            }
        }
    )*};
}

hooks! {
    fn envoy_dynamic_module_on_program_init() -> *const c_char;
    fn envoy_dynamic_module_on_listener_filter_config_new(
        config: *mut c_void, name: EnvoyBuffer, bytes: EnvoyBuffer
    ) -> *const c_void;
    fn envoy_dynamic_module_on_listener_filter_config_destroy(config: *const c_void);
    fn envoy_dynamic_module_on_listener_filter_new(
        config: *const c_void, filter: *mut c_void
    ) -> *const c_void;
    fn envoy_dynamic_module_on_listener_filter_on_accept(
        filter: *mut c_void, module_filter: *const c_void
    ) -> Status;
    fn envoy_dynamic_module_on_listener_filter_on_data(
        filter: *mut c_void, module_filter: *const c_void, length: usize
    ) -> Status;
    fn envoy_dynamic_module_on_listener_filter_on_close(
        filter: *mut c_void, module_filter: *const c_void
    );
    fn envoy_dynamic_module_on_listener_filter_get_max_read_bytes(
        filter: *mut c_void, module_filter: *const c_void
    ) -> usize;
    fn envoy_dynamic_module_on_listener_filter_scheduled(
        filter: *mut c_void, module_filter: *const c_void, event: u64
    );
    fn envoy_dynamic_module_on_listener_filter_destroy(module_filter: *const c_void);
}
