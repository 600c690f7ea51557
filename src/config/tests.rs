#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accepted;
mod refused;
mod wire;

use serde_json::{Value as Json, json};

use super::*;

/// The wire form of a Struct, as protobuf's encoders write it.
fn encode(value: &Json) -> Vec<u8> {
    let fields = value.as_object().expect("a Struct is an object");
    let entry = |(key, value): (&String, &Json)| {
        field(
            1,
            &[field(1, key.as_bytes()), field(2, &encode_value(value))].concat(),
        )
    };
    fields.iter().flat_map(entry).collect()
}

fn encode_value(value: &Json) -> Vec<u8> {
    match value {
        Json::Null => vec![0x08, 0],
        Json::Number(number) => {
            let bytes = number.as_f64().expect("a number of JSON").to_le_bytes();
            [&[0x11], bytes.as_slice()].concat()
        }
        Json::String(text) => field(3, text.as_bytes()),
        Json::Bool(value) => vec![0x20, u8::from(*value)],
        Json::Object(_) => field(5, &encode(value)),
        Json::Array(entries) => {
            let entry = |entry| field(1, &encode_value(entry));
            field(6, &entries.iter().flat_map(entry).collect::<Vec<_>>())
        }
    }
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

fn is_valid(text: &str) -> bool {
    let config = serde_json::from_str(text).expect("JSON");
    jsonschema::is_valid(&schema::schema(), &config)
}

fn error(bytes: &[u8]) -> String {
    Config::parse(bytes)
        .expect_err("it has to be refused")
        .to_string()
}
