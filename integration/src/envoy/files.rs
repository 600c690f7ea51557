//! The files of an Envoy.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::stale;

/// The directory of one Envoy: its config and what it writes.
#[derive(Debug)]
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new(config: &Value) -> Self {
        let prefix = if keep() {
            "odst-kept-".to_owned()
        } else {
            stale::name("envoy-")
        };
        let mut directory = tempfile::Builder::new();
        directory.prefix(&prefix).disable_cleanup(keep());
        let files = Self(directory.tempdir().expect("a temporary directory"));
        let text = serde_json::to_string_pretty(config).expect("JSON to text");
        fs::write(files.config(), text).expect("write the config");
        files
    }

    /// Makes a user the owner of all of them: the directory is open to nobody else.
    pub(super) fn give_to(&self, user: u32) {
        for path in [
            self.0.path().to_owned(),
            self.config(),
            self.access_log(),
            self.log(),
        ] {
            chown(&path, Some(user), None).expect("change the owner, as root");
        }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.path().join("config.json")
    }

    pub(super) fn access_log(&self) -> PathBuf {
        self.0.path().join("access.log")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.path().join("envoy.log")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if keep() {
            eprintln!("kept: {}", self.0.path().display());
        }
    }
}

pub(super) fn append(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("create a log file")
}

pub(super) fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn keep() -> bool {
    env::var_os("ODST_KEEP").is_some_and(|value| value == "1")
}
