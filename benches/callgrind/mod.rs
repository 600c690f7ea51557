//! Instructions, as valgrind's callgrind counts them: the same in each run, on whatever machine.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::Command;
use std::thread;

/// The instructions that a program takes for each of `count` times that it does what `arguments`
/// say. It is told as its last argument how many times, and does all else however many there are.
///
/// # Panics
/// If valgrind is missing, or the program fails.
pub fn instructions(program: &Path, arguments: &[&str], count: u64) -> u64 {
    thread::scope(|scope| {
        let without = scope.spawn(|| run(program, arguments, 0));
        let with = run(program, arguments, count);
        (with - without.join().expect("a count")) / count
    })
}

/// The instructions of a whole run.
fn run(program: &Path, arguments: &[&str], count: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(arguments)
        .arg(count.to_string())
        .output()
        .expect("valgrind, which counts the instructions, is not installed: run `make setup`");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let total = report
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    total
        .expect("valgrind to report a total")
        .1
        .trim()
        .parse()
        .expect("a number")
}
