#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accepted;
mod encode;
mod refused;
mod straight;
mod wire;

use serde_json::{Value as Json, json};

use super::*;
use encode::{encode, field};

fn is_valid(text: &str) -> bool {
    let config = serde_json::from_str(text).expect("JSON");
    jsonschema::is_valid(&schema::schema(), &config)
}

fn error(bytes: &[u8]) -> String {
    Config::parse(bytes)
        .expect_err("it has to be refused")
        .to_string()
}
