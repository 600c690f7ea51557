//! The access log that every test reads: one JSON object a line, on Envoy's standard output.

use serde_json::{Map, Value, json};

/// The fields that each entry has besides `log` and `listener`, with Envoy's commands for them.
/// The values are typed: numbers are numbers, and what does not exist is null.
pub const FIELDS: [(&str, &str); 11] = [
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    (
        "downstream_direct_local_address",
        "%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%",
    ),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    (
        "downstream_direct_remote_address",
        "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    ),
    ("upstream_host", "%UPSTREAM_HOST%"),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    (
        "connection_termination_details",
        "%CONNECTION_TERMINATION_DETAILS%",
    ),
    (
        "upstream_transport_failure_reason",
        "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    ),
    (
        "downstream_transport_failure_reason",
        "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    ),
    ("original_dst", "%DYNAMIC_METADATA(original_dst)%"),
];

/// Which part of Envoy writes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The listener: one entry for each connection, also for those that a filter has closed.
    Listener,
    /// The HTTP connection manager: one for each request.
    Http,
    /// The TCP proxy: one for each connection it was given.
    Tcp,
}

impl Source {
    /// What the field `log` says.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }
}

/// The access log of one listener, for its field `access_log` or that of its network filter.
pub fn access_log(source: Source, listener: &str) -> Value {
    let mut format: Map<String, Value> = FIELDS
        .iter()
        .map(|(field, command)| (field.to_string(), json!(command)))
        .collect();
    format.insert("log".to_owned(), json!(source.name()));
    format.insert("listener".to_owned(), json!(listener));
    json!([{
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/stdout",
            "log_format": { "json_format": format },
        },
    }])
}

/// The entries of one source.
pub fn of(entries: &[Value], source: Source) -> Vec<&Value> {
    entries
        .iter()
        .filter(|entry| entry["log"] == source.name())
        .collect()
}

/// The complete lines of a log as JSON.
///
/// # Panics
/// If a line is not JSON: the config has an access log of its own, see
/// [`with_access_log`](crate::config::with_access_log).
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
    complete.lines().map(parse).collect()
}
