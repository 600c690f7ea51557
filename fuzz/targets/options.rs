//! Options: JSON, or the wire form of a Struct.

use original_dst::config::Config;

/// Options are read, or refused with one line that any log can take.
pub fn run(input: &[u8]) {
    let Err(error) = Config::parse(input) else {
        return;
    };
    let line = error.to_string();
    assert!(!line.is_empty() && line.len() < 1000, "{line}");
    assert!(!line.contains(char::is_control), "{line}");
}
