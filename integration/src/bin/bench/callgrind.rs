//! Counting instructions.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::address::UPSTREAM_V4;
use lab::{Client, Envoy, Lab, Version};
use serde_json::Value;

use crate::subject::PORT;

/// Connections before the count begins: caches and lazy symbols are settled then.
const WARM_UP: u32 = 100;
/// Two counts, of few and of many connections: the difference leaves out what is not theirs.
const FEW: u32 = 100;
const MANY: u32 = 600;

/// What Envoy spends on a connection.
pub fn instructions_per_connection(
    lab: &Lab,
    version: Version,
    libraries: &tempfile::TempDir,
    config: Value,
) -> f64 {
    let files = tempfile::tempdir().expect("a temporary directory");
    let output = files.path().join("callgrind");
    let argument = format!("--callgrind-out-file={}", output.display());
    let envoy = Envoy::builder(&lab.gateway, version)
        .under(&["valgrind", "--tool=callgrind", &argument])
        .log_level("warn")
        .module_log_level("info")
        .modules(libraries.path())
        .config(config)
        .start();
    connect(lab, WARM_UP);
    control(&envoy, "--zero");
    let count = |connections, dump| {
        connect(lab, connections);
        control(&envoy, "--dump");
        total(&output.with_extension(dump))
    };
    let (few, many) = (count(FEW, "1"), count(MANY, "2"));
    (many as f64 - few as f64) / f64::from(MANY - FEW)
}

fn connect(lab: &Lab, connections: u32) {
    for _ in 0..connections {
        let to = SocketAddr::new(UPSTREAM_V4, PORT);
        let mut stream = Client::new(&lab.client).connect(to).expect("a connection");
        // To its end, however it ends: some are refused.
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn control(envoy: &Envoy, command: &str) {
    let status = Command::new("callgrind_control")
        .args([command, &envoy.pid().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("callgrind_control runs: `make setup` installs valgrind");
    assert!(status.success(), "callgrind_control {command}: {status}");
}

/// The instructions in a dump, which also starts the next count at 0.
fn total(dump: &Path) -> u64 {
    let text = fs::read_to_string(dump).unwrap_or_else(|e| panic!("{}: {e}", dump.display()));
    let line = text.lines().find_map(|line| line.strip_prefix("summary: "));
    line.and_then(|total| total.trim().parse().ok())
        .expect("a summary in the dump")
}
