//! The options as a JSON Schema, made of the types that read them.

#![allow(clippy::unwrap_used, clippy::panic)]

mod page;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Config;
use crate::option::{List, Mark, PortNumber};

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/envoy-configs/original_dst.schema.json"
);

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<T>(),
            "minItems": 1,
            "uniqueItems": true,
        })
    }
}

impl JsonSchema for PortNumber {
    fn schema_name() -> Cow<'static, str> {
        "PortNumber".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 })
    }
}

impl JsonSchema for Mark {
    fn schema_name() -> Cow<'static, str> {
        "Mark".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = "(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10})";
        json_schema!({
            "description": "A mark, and a mask if not all of its 32 bits count. It is not 0.",
            "anyOf": [
                { "type": "string", "pattern": format!("^{number}(/{number})?$") },
                { "type": "integer", "minimum": 1, "maximum": u32::MAX },
            ],
        })
    }
}

/// The schema, from the types.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

#[test]
fn schema_file_is_up_to_date() {
    is_up_to_date(PATH, &format!("{:#}\n", schema()));
}

/// Compares a file with what it should be. With `UPDATE_SCHEMA=1` in the environment, writes it
/// instead.
fn is_up_to_date(path: &str, text: &str) {
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    let file = std::fs::read_to_string(path).unwrap();
    assert!(
        file == text,
        "{path} is out of date: run the test with UPDATE_SCHEMA=1"
    );
}
