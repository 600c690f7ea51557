//! Where and of what the figures are.

use std::fs;
use std::process::Command;

use lab::Version;
use serde::Serialize;

/// What somebody else needs to know to measure the same.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub date: String,
    pub envoy_version: String,
    pub module_version: String,
    pub kernel: String,
    pub processor: String,
    pub processors: usize,
}

impl Machine {
    pub fn here(version: Version) -> Self {
        let processors = values("/proc/cpuinfo", "model name");
        Self {
            date: today(),
            envoy_version: version.number(),
            module_version: module_version(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: processors
                .first()
                .cloned()
                .unwrap_or_else(|| "unknown".to_owned()),
            processors: processors.len(),
        }
    }
}

/// In UTC.
fn today() -> String {
    let output = Command::new("date").args(["--utc", "--iso-8601"]).output();
    let date = output.expect("run date").stdout;
    String::from_utf8_lossy(&date).trim().to_owned()
}

fn module_version() -> String {
    let manifest = lab::workspace().join("Cargo.toml");
    let versions = values(&manifest.to_string_lossy(), "version");
    versions[0].trim_matches('"').to_owned()
}

/// The values of lines such as `name : value` and `name = value`.
fn values(path: &str, name: &str) -> Vec<String> {
    let text = read(path);
    let value = |line: &str| {
        let (found, value) = line.split_once([':', '='])?;
        (found.trim() == name).then(|| value.trim().to_owned())
    };
    text.lines().filter_map(value).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
