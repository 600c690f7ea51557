//! What is wrong with a configuration, in one line.

use std::error::Error;
use std::fmt::{self, Display, Formatter, Write};

use serde_path_to_error::{Path, Segment};

use super::value::{Reason, Value};

/// The longest path and the longest value that an error shows, in bytes.
const LIMIT: usize = 80;

/// Why a configuration is refused, as `<path>: <value>: <what is accepted>`. The path leads to the
/// wrong field (`destinations.deny[2].ports[0]`); it is left out if the configuration as a whole
/// is wrong. Long values are cut, control characters escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError(String);

/// Text that ends with `…` where it gets too long.
struct Shortened(String);

impl ConfigError {
    /// Options that do not go together.
    pub(super) fn conflict(reason: &str) -> Self {
        Self(reason.to_owned())
    }

    pub(super) fn not_json(bytes: &[u8], error: &serde_json::Error) -> Self {
        let start = bytes.get(..LIMIT).unwrap_or(bytes);
        let text = shortened(&format_args!("{:?}", String::from_utf8_lossy(start)));
        if is_message(bytes) {
            return Self(format!(
                "{text}: another message than google.protobuf.Struct, StringValue or BytesValue: use \
                 Struct (Envoy reads a TypedStruct for a module from 1.40 on only)"
            ));
        }
        Self(format!("{text}: not JSON: {error}"))
    }

    pub(super) fn new(root: &Value, error: &serde_path_to_error::Error<Reason>) -> Self {
        let path = error.path();
        let value = shortened(find(root, path));
        let reason = error.inner();
        if path.iter().next().is_none() {
            return Self(format!("{value}: {reason}"));
        }
        let path = shortened(&path.to_string().escape_debug());
        Self(format!("{path}: {value}: {reason}"))
    }
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ConfigError {}

impl Write for Shortened {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LIMIT - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        self.0.push('…');
        Err(fmt::Error)
    }
}

/// Whether these are the bytes of a message whose first field is a text that something follows, as in
/// TypedStruct: no JSON has a control character behind one.
fn is_message(bytes: &[u8]) -> bool {
    const FIRST_TEXT: u8 = 1 << 3 | 2;
    match bytes {
        [FIRST_TEXT, length, rest @ ..] => rest
            .get(usize::from(*length))
            .is_some_and(|tag| tag.is_ascii_control() && !tag.is_ascii_whitespace()),
        _ => false,
    }
}

fn shortened(text: &dyn Display) -> String {
    let mut short = Shortened(String::new());
    // The error only stops the writing: what fits is there.
    let _ = write!(short, "{text}");
    short.0
}

/// The value at the end of a path, or as far on the way to it as there are values.
fn find<'a>(root: &'a Value, path: &Path) -> &'a Value {
    path.iter().fold(root, |value, segment| {
        let found = match (value, segment) {
            (Value::List(entries), Segment::Seq { index }) => entries.get(*index),
            (Value::Object(fields), Segment::Map { key }) => fields
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        };
        found.unwrap_or(value)
    })
}
