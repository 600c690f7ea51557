//! Envoy's log, one for each thread: hooks log on the thread that they run on.

use std::cell::{Cell, RefCell};

pub use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_log_level as Level;

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

/// Whether the log shows lines of this level.
pub(crate) fn is_shown(level: Level) -> bool {
    level.0 >= LEVEL.get().0
}

/// Adds a line, as far as the log shows it. Envoy drops what is not a level to write at.
pub(crate) fn write(level: Level, message: &[u8]) {
    if is_shown(level) && level.0 < Level::Off.0 {
        let message = String::from_utf8_lossy(message).into_owned();
        LINES.with_borrow_mut(|lines| lines.push((level, message)));
    }
}
