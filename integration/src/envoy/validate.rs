//! Envoy's own check of a config.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::builder::prepare;
use super::files::{Files, read};
use crate::version::Version;

/// Has Envoy check a config without serving it (`--mode validate`): its log, as `Ok` if it
/// accepts the config.
pub fn validate(version: Version, config: &Value) -> Result<String, String> {
    let files = Files::new(config);
    check(version, config, &files.config())
}

/// As [`validate`], for a file, in the form in which it is.
pub fn validate_file(version: Version, path: &Path) -> Result<String, String> {
    check(version, &json!(read(path)), path)
}

fn check(version: Version, config: &Value, path: &Path) -> Result<String, String> {
    let mut command = Command::new(version.binary());
    prepare(&mut command, config, path);
    let output = command
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
