//! Every option in every value: real connections through real rules, and all that can be seen of
//! each, by the client and in the access log, the stats, the metadata and the log.

mod answers;
mod destinations;
mod hand_off;
mod loading;
mod local_address;
mod log_lines;
mod loops;
mod other_namespace;
mod overridden;
mod own_addresses;
mod own_mark;
mod recovery;
mod redirect_mark;
mod redirected_to_transparent;
mod redirection;
mod reporting;
mod row;
mod tunnels_to_itself;
mod unredirected;
mod way;

use lab::{Envoy, Lab, Version};
use serde_json::Value;

/// The port of the upstream.
const PORT: u16 = 8080;
/// The port of the listener, or of the first of several.
const LISTENER: u16 = 15001;

fn start(lab: &Lab, version: Version, config: Value) -> Envoy {
    Envoy::builder(&lab.gateway, version).config(config).start()
}

/// Options as a config file writes them.
fn options(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

/// Where Envoy puts the stats of a module, between the listener and the module's own names.
fn namespace(version: Version) -> &'static str {
    match version {
        Version::V1_37 => "dynamic_module_listener_filter",
        _ => "dynamicmodulescustom",
    }
}

/// The module's lines of these levels in a log, as `level: text`, but for what it says of each
/// configuration when that is loaded.
fn logged(log: &str, levels: &[&str]) -> Vec<String> {
    let line = |line: &str| {
        let (head, text) = line.split_once("] original_dst: ")?;
        let is_at = |level: &&&str| head.contains(&format!("][{level}][dynamic_modules]"));
        let level = levels
            .iter()
            .find(is_at)
            .filter(|_| !text.contains(" loaded, "))?;
        Some(format!("{level}: {text}"))
    };
    log.lines().filter_map(line).collect()
}
