//! Lines in Envoy's log, under its logger `dynamic_modules`.

use std::borrow::Cow;
use std::fmt;

use crate::abi::{self, envoy_dynamic_module_type_log_level as Level};
use crate::buffer::lend;
use crate::host::Host;

/// Whether Envoy writes lines of this level.
#[inline]
pub fn enabled(level: Level) -> bool {
    // SAFETY: callable at any time, on any thread.
    unsafe { abi::envoy_dynamic_module_callback_log_enabled(level) }
}

/// Writes a line; Envoy 1.40 shows the place it comes from as well. Use the macros, which format
/// nothing that is not written.
pub fn write(level: Level, file: &str, line: u32, message: fmt::Arguments<'_>) {
    let text = message
        .as_str()
        .map_or_else(|| Cow::from(message.to_string()), Cow::from);
    if let Some(log) = Host::get().log_v2 {
        // SAFETY: Envoy reads the two texts during the call only.
        unsafe { log(level, lend(&text), lend(file), line) };
    } else {
        // SAFETY: as above.
        unsafe { abi::envoy_dynamic_module_callback_log(level, lend(&text)) };
    }
}

/// Writes a line of the given level, if that level is on.
#[macro_export]
macro_rules! envoy_log {
    ($level:ident, $($message:tt)+) => {{
        let level = $crate::abi::envoy_dynamic_module_type_log_level::$level;
        if $crate::log::enabled(level) {
            $crate::log::write(level, file!(), line!(), format_args!($($message)+));
        }
    }};
}

/// Writes a line of level debug.
#[macro_export]
macro_rules! envoy_log_debug {
    ($($message:tt)+) => { $crate::envoy_log!(Debug, $($message)+) };
}

/// Writes a line of level info.
#[macro_export]
macro_rules! envoy_log_info {
    ($($message:tt)+) => { $crate::envoy_log!(Info, $($message)+) };
}

/// Writes a line of level warn.
#[macro_export]
macro_rules! envoy_log_warn {
    ($($message:tt)+) => { $crate::envoy_log!(Warn, $($message)+) };
}

/// Writes a line of level error.
#[macro_export]
macro_rules! envoy_log_error {
    ($($message:tt)+) => { $crate::envoy_log!(Error, $($message)+) };
}
