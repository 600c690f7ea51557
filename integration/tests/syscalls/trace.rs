//! strace(1) of an Envoy.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lab::Envoy;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The calls of `getsockopt` and `getsockname` that Envoy makes meanwhile.
pub fn getsockopt_calls(envoy: &Envoy, ask: impl FnOnce()) -> Vec<String> {
    let trace = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut strace = Command::new("strace")
        .args(["-f", "-e", "trace=getsockopt,getsockname", "-o"])
        .arg(trace.path())
        .args(["-p", &envoy.pid().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs: `make setup` installs it");
    let attached = || {
        let status = fs::read_to_string(format!("/proc/{}/status", envoy.pid())).expect("alive");
        !status.contains("TracerPid:\t0\n")
    };
    while !attached() {
        thread::sleep(Duration::from_millis(10));
    }
    // Threads are attached one after the other.
    thread::sleep(Duration::from_millis(300));
    ask();
    kill(Pid::from_raw(strace.id() as i32), Signal::SIGINT).expect("signal our own child");
    strace.wait().expect("wait for our own child");
    let text = fs::read_to_string(trace.path()).expect("the trace");
    text.lines()
        .filter(|line| line.contains("("))
        .map(str::to_owned)
        .collect()
}

/// Whether a call asks for the original destination. strace of Debian 12 does not know the option's
/// name of either family.
pub fn is_original_dst(call: &&String) -> bool {
    let names = ["SOL_IP, 0x50", "SOL_IPV6, 0x50", "SO_ORIGINAL_DST"];
    names.iter().any(|name| call.contains(name))
}
