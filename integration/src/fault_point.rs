//! A build of the module that panics where it is told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::envoy::Builder;
use crate::workspace;

/// Tells the Envoys that it arms which hook of the module to panic in.
#[derive(Debug)]
pub struct FaultPoint {
    modules: PathBuf,
    directory: TempDir,
}

impl FaultPoint {
    /// Builds the module with its fault point, apart from the one under test. No hook panics yet.
    #[allow(
        clippy::new_without_default,
        reason = "it builds a library: no default value"
    )]
    pub fn new() -> Self {
        let target = workspace().join("target/fault-point");
        let status = Command::new(env!("CARGO"))
            .current_dir(workspace())
            .args(["build", "--quiet", "--package", "envoy-original-dst"])
            .args(["--features", "fault-point", "--target-dir"])
            .arg(&target)
            .status();
        assert!(status.expect("run cargo").success());
        let fault_point = Self {
            modules: target.join("debug"),
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        fault_point.set("");
        fault_point
    }

    /// The directory with the library.
    pub fn modules(&self) -> &Path {
        &self.modules
    }

    /// Has an Envoy load that build.
    pub fn arm(&self, envoy: Builder) -> Builder {
        let variable = format!("ORIGINAL_DST_FAULT={}", self.file().display());
        envoy.modules(&self.modules).under(&["env", &variable])
    }

    /// From now on, this hook panics; none if it is empty.
    pub fn set(&self, hook: &str) {
        fs::write(self.file(), hook).expect("write the hook");
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("hook")
    }
}
