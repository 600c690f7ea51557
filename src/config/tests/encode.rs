//! The encoder to what the filter decodes.

use serde_json::Value as Json;

/// The wire form of a Struct, as protobuf's encoders write it.
pub fn encode(value: &Json) -> Vec<u8> {
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

/// A field of a message.
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
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
