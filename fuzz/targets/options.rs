//! Options: JSON, or the wire form of a Struct.

use original_dst::config::Config;
use serde_json::{Number, Value};

#[path = "../../src/config/tests/encode.rs"]
mod encode;

/// Options are read, or refused with one line that any log can take. They mean the same in both
/// forms.
pub fn run(input: &[u8]) {
    if let Err(line) = outcome(input) {
        assert!(!line.is_empty() && line.len() < 1000, "{line}");
        assert!(!line.contains(char::is_control), "{line}");
    }
    let Ok(mut options @ Value::Object(_)) = serde_json::from_slice(input) else {
        return;
    };
    if plain(&mut options, MAX_DEPTH) && options != Value::Object(Default::default()) {
        let (text, wire) = (options.to_string(), encode::encode(&options));
        // Not every float is read from text as the one that was written.
        if serde_json::from_str(&text).is_ok_and(|read: Value| read == options) {
            assert_eq!(outcome(text.as_bytes()), outcome(&wire), "{text}");
        }
    }
}

/// The options in words, or what is wrong with them.
fn outcome(bytes: &[u8]) -> Result<String, String> {
    match Config::parse(bytes) {
        Ok(options) => Ok(format!("{options:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Deeper than this, JSON is read further than a Struct.
const MAX_DEPTH: usize = 90;

/// Makes floats of all numbers, as they are in a Struct; `false` if something lies too deep.
fn plain(value: &mut Value, depth: usize) -> bool {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().and_then(Number::from_f64);
            *number = float.expect("JSON has finite numbers");
        }
        Value::Array(values) => {
            return depth > 0 && values.iter_mut().all(|value| plain(value, depth - 1));
        }
        Value::Object(fields) => {
            return depth > 0 && fields.values_mut().all(|value| plain(value, depth - 1));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
    true
}
