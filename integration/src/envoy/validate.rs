//! Envoy's own check of a config.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::builder::prepare;
use super::files::{Files, read};
use crate::netns::Netns;
use crate::version::Version;

/// Has Envoy check a config without serving it (`--mode validate`): its log, as `Ok` if it
/// accepts the config.
pub fn validate(version: Version, config: &Value) -> Result<String, String> {
    let files = Files::new(config);
    let envoy = Command::new(version.binary());
    check(envoy, config, &files.config())
}

/// As [`validate`], on a host of the lab, for what a config needs of it.
pub fn validate_on(host: &Netns, version: Version, config: &Value) -> Result<String, String> {
    let files = Files::new(config);
    let envoy = host.command(version.binary());
    check(envoy, config, &files.config())
}

/// As [`validate`], for a file, in the form in which it is.
pub fn validate_file(version: Version, path: &Path) -> Result<String, String> {
    let envoy = Command::new(version.binary());
    check(envoy, &json!(read(path)), path)
}

/// As [`validate_on`], for a file.
pub fn validate_file_on(host: &Netns, version: Version, path: &Path) -> Result<String, String> {
    let envoy = host.command(version.binary());
    check(envoy, &json!(read(path)), path)
}

fn check(mut command: Command, config: &Value, path: &Path) -> Result<String, String> {
    prepare(&mut command, config, path);
    let output = command
        // Where the paths in the project's own configs begin.
        .current_dir(crate::workspace())
        .args(["--mode", "validate", "--disable-hot-restart"])
        .output()
        .expect("run Envoy");
    let log = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        Ok(log)
    } else {
        Err(log)
    }
}
