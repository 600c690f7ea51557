//! A build of the module that panics where it is told to. Envoy lives, and only what the hook was
//! for ends.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Builder, Envoy, Lab, Listener, To, Upstream, Version, bootstrap, workspace};
use tempfile::TempDir;

const LISTENER: u16 = 15001;
const PORT: u16 = 8080;

/// Builds the module with its fault point, apart from the one under test: the directory that it is in.
pub fn build() -> PathBuf {
    let target = workspace().join("target/fault-point");
    let status = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["build", "--quiet", "--package", "envoy-original-dst"])
        .args(["--features", "fault-point", "--target-dir"])
        .arg(&target)
        .status();
    assert!(status.expect("run cargo").success());
    target.join("debug")
}

/// The file that names the hook to panic in.
struct Fault(TempDir);

impl Fault {
    fn file(&self) -> PathBuf {
        self.0.path().join("hook")
    }

    fn set(&self, hook: &str) {
        fs::write(self.file(), hook).expect("write the hook");
    }
}

fn envoy(lab: &Lab, version: Version, modules: &Path, fault: &Fault) -> Builder {
    let listener = Listener::new(&format!("0.0.0.0:{LISTENER}")).filter(module_filter(None));
    let variable = format!("ORIGINAL_DST_FAULT={}", fault.file().display());
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap([listener.tcp()], []))
        .modules(modules)
        .under(&["env", &variable])
}

#[test]
fn a_panic_ends_what_it_was_in_and_nothing_else() {
    let modules = build();
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let fault = Fault(tempfile::tempdir().expect("a temporary directory"));
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        for hook in ["init", "config"] {
            fault.set(hook);
            let log = match envoy(&lab, version, &modules, &fault).try_start() {
                // 1.37 takes a module whose first hook failed for loaded.
                Ok(envoy) if (version, hook) == (Version::V1_37, "init") => envoy.log(),
                Ok(_) => panic!("{version}, {hook}: accepted"),
                Err(log) => log,
            };
            let line = "panic in the module at src/fault_point.rs:";
            assert!(log.contains(line), "{version}, {hook}: {log}");
            assert!(
                log.contains(&format!("fault point {hook}")),
                "{version}: {log}"
            );
        }
        fault.set("");
        let mut envoy = envoy(&lab, version, &modules, &fault).start();
        let works = |what: &str| {
            let answer = tcp_ask(&lab.client, to);
            assert_eq!(answer.map(|answer| answer.reached.local), Ok(to), "{what}");
        };
        works("before");
        for (hook, errors) in [("filter", 0), ("accept", 1), ("accept", 2)] {
            fault.set(hook);
            let failure = tcp_ask(&lab.client, to).expect_err("closed");
            assert!(failure.is_closed(), "{version}, {hook}: {failure}");
            fault.set("");
            works(hook);
            let error = envoy.stat_sum(".original_dst.error");
            assert_eq!(error.unwrap_or(0), errors, "{version}, {hook}");
            envoy.wait_log(hook, |line| {
                line.contains("panic in the module at src/fault_point.rs:")
                    && line.contains(&format!("fault point {hook}"))
            });
        }
        envoy.wait_access_log(|log| {
            let closed = log.iter().filter(|entry| {
                entry["downstream_transport_failure_reason"] == "original_dst_error"
                    && (version == Version::V1_37
                        || entry["connection_termination_details"] == "original_dst_error")
            });
            closed.count() == 2
        });
        assert!(envoy.is_alive(), "{version}");
        assert!(envoy.stop().success(), "{version}");
    }
}
