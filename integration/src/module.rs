//! The module under test, and the listener filters that a config names.

use std::env;
use std::path::PathBuf;

use serde_json::{Value, json};

const BUILTIN: &str =
    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
const MODULE: &str = "type.googleapis.com/envoy.extensions.filters.listener.dynamic_modules.v3.DynamicModuleListenerFilter";

/// The module's library, in the environment variable `ORIGINAL_DST_LIB` (a file of the name
/// `liboriginal_dst.so`), else in `target/release`.
///
/// # Panics
/// If it is not there.
pub fn library() -> PathBuf {
    let library = env::var_os("ORIGINAL_DST_LIB").map_or_else(
        || crate::workspace().join("target/release/liboriginal_dst.so"),
        PathBuf::from,
    );
    assert!(
        library.is_file(),
        "{} is not there: run `make build`",
        library.display()
    );
    library
}

/// Envoy's own filter.
pub fn builtin_filter() -> Value {
    json!({ "name": "envoy.filters.listener.original_dst", "typed_config": { "@type": BUILTIN } })
}

/// The module, with its options in a `Struct`, or without any.
pub fn module_filter(options: Option<Value>) -> Value {
    let config = options.map(
        |value| json!({ "@type": "type.googleapis.com/google.protobuf.Struct", "value": value }),
    );
    module_filter_with(config)
}

/// The module with this `filter_config`, an `Any` of any type.
pub fn module_filter_with(config: Option<Value>) -> Value {
    let mut typed_config = json!({
        "@type": MODULE,
        "dynamic_module_config": { "name": "original_dst" },
        "filter_name": "envoy.filters.listener.original_dst",
    });
    if let Some(config) = config {
        typed_config["filter_config"] = config;
    }
    json!({ "name": "envoy.filters.listener.dynamic_modules", "typed_config": typed_config })
}

/// Whether a listener filter is the module.
pub fn is_module(filter: &Value) -> bool {
    let config = &filter["typed_config"];
    config["@type"] == MODULE && config["dynamic_module_config"]["name"] == "original_dst"
}

/// Whether a listener filter is the module or Envoy's own.
pub fn is_original_dst(filter: &Value) -> bool {
    filter["typed_config"]["@type"] == BUILTIN || is_module(filter)
}
