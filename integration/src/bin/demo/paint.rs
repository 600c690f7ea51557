//! Colours, where there is a terminal that wants them.

use std::env;
use std::io::{IsTerminal, stdout};

/// Text that stands out.
pub fn bold(text: &str) -> String {
    paint("1", text)
}

/// Text that stands back.
pub fn dim(text: &str) -> String {
    paint("2", text)
}

/// As it should be.
pub fn good(text: &str) -> String {
    paint("32", text)
}

/// Not as it should be.
pub fn bad(text: &str) -> String {
    paint("31", text)
}

/// See <https://no-color.org> for the variable.
fn paint(code: &str, text: &str) -> String {
    let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted || !stdout().is_terminal() {
        text.to_owned()
    } else {
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
