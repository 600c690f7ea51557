//! The hooks under valgrind's memcheck: no access out of bounds or after a free, no decision by
//! what nobody wrote, and nothing lost that was allocated.

#![allow(clippy::expect_used)]

use std::process::Command;

mod build;

/// Runs tests of another file once more. They are not built anew.
fn check(test: &str, arguments: &[&str]) {
    let program = build::program(&["test", "--no-run", "--test", test]);
    let output = Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args([
            "--errors-for-leak-kinds=definite,indirect",
            "--num-callers=30",
        ])
        .arg(program)
        .arg("--test-threads=1")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("valgrind is not installed: run `make setup`");
    let report = String::from_utf8_lossy(&output.stderr);
    let tests = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{tests}");
    assert!(!tests.contains("running 0 tests"), "{tests}");
}

/// All but the one that has to be done within a second.
#[test]
fn the_filter() {
    check("filter", &["--skip", "the_log_is_not_flooded"]);
}

#[test]
fn what_fuzzers_found() {
    check("corpus", &["what_was_found_before"]);
}
