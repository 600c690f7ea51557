//! The kernel answers with what is no address, or with an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::Version;
use lab::module::{builtin_filter, module_filter};
use serde_json::json;
use tempfile::TempDir;

use crate::site::{LISTENER, Site, count};
use lab::To;

/// A fault, the counter that it moves, and what a log line says of it.
const FAULTS: [(&str, &str, &str); 9] = [
    ("length 0", "invalid_address", "is not an address"),
    ("length 2", "invalid_address", "is not an address"),
    ("length 15", "invalid_address", "is not an address"),
    ("length 128", "invalid_address", "is not an address"),
    ("family 1", "invalid_address", "is not an address"),
    ("fill 255", "invalid_address", "is not an address"),
    ("errno 1", "unavailable", "Operation not permitted"),
    ("errno 12", "unavailable", "Cannot allocate memory"),
    ("errno 92", "unavailable", "not loaded in this kernel"),
];

/// A library to be loaded before others, and the file that says what it does.
struct Shim(TempDir);

impl Shim {
    fn new() -> Self {
        let shim = Self(tempfile::tempdir().expect("a temporary directory"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-O1", "-o"])
            .arg(shim.library())
            .arg(source)
            .status();
        assert!(status.expect("run cc").success());
        shim
    }

    fn library(&self) -> PathBuf {
        self.0.path().join("libshim.so")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("fault")
    }

    fn set(&self, fault: &str) {
        fs::write(self.file(), fault).expect("write the fault");
    }

    /// What runs a program with it.
    fn environment(&self) -> [String; 3] {
        [
            "env".to_owned(),
            format!("LD_PRELOAD={}", self.library().display()),
            format!("FAULT={}", self.file().display()),
        ]
    }
}

#[test]
fn of_the_kernel_are_not_believed() {
    let (site, shim) = (Site::new(), Shim::new());
    site.gateway().redirect(To::OtherHosts, LISTENER);
    let environment = shim.environment();
    let environment = environment.each_ref().map(String::as_str);
    let close = json!({ "unrecovered_connections": "CLOSE" });
    for version in Version::under_test() {
        for options in [None, Some(close.clone())] {
            let closes = options.is_some();
            shim.set("");
            let builder = site.envoy(version, module_filter(options));
            let envoy = builder.under(&environment).start();
            site.works("before");
            for (fault, counter, line) in FAULTS {
                for to in site.destinations() {
                    let before = count(&envoy, counter);
                    shim.set(fault);
                    let failure = site.fails(to, fault);
                    shim.set("");
                    assert!(failure.is_closed(), "{version}, {to}, {fault}: {failure}");
                    assert_eq!(
                        count(&envoy, counter),
                        before + 1,
                        "{version}, {to}, {fault}"
                    );
                }
                site.works(fault);
                envoy.wait_log(fault, |logged| {
                    let end = if closes { "closed" } else { "left as it came" };
                    logged.contains(line) && logged.contains(end)
                });
            }
            assert!(envoy.stop().success(), "{version}");
        }
    }
}

/// Envoy's own filter goes the same way where the kernel says no.
#[test]
fn with_an_error_are_none_for_either_filter() {
    let (site, shim) = (Site::new(), Shim::new());
    site.gateway().redirect(To::OtherHosts, LISTENER);
    let environment = shim.environment();
    let environment = environment.each_ref().map(String::as_str);
    for version in Version::under_test() {
        let failures = [module_filter(None), builtin_filter()].map(|filter| {
            shim.set("");
            let envoy = site.envoy(version, filter).under(&environment).start();
            site.works("before");
            let failures = ["errno 1", "errno 12", "errno 92"].map(|fault| {
                shim.set(fault);
                let failures = site.destinations().map(|to| site.fails(to, fault));
                failures.map(|failure| failure.is_closed())
            });
            shim.set("");
            site.works("after");
            assert!(envoy.stop().success(), "{version}");
            failures
        });
        assert_eq!(failures, [[[true; 2]; 3]; 2], "{version}");
    }
}
