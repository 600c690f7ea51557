//! No panic crosses the ABI.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};

/// From now on, a panic in this library is one line in Envoy's log: its message and its place.
pub(crate) fn log_from_now_on() {
    panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        envoy_log_error!("panic in the module at {place}: {}", message(info));
    }));
}

/// Runs the body of a hook; `None` if it panicked.
pub(crate) fn contain<T>(hook: impl FnOnce() -> T) -> Option<T> {
    // What a hook was changing when it panicked belongs to the connection that ends with it; what
    // connections share are atomics and Envoy's own objects.
    panic::catch_unwind(AssertUnwindSafe(hook)).ok()
}

fn message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload_as_str().unwrap_or("no message")
}
