//! What the module asks the kernel, as strace(1) sees it.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PORT: u16 = 8080;
const CONNECTIONS: usize = 5;

/// The calls of `getsockopt` that Envoy makes for some redirected connections.
fn getsockopt_calls(lab: &Lab, envoy: &Envoy) -> Vec<String> {
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
    for _ in 0..CONNECTIONS {
        let _ = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT));
    }
    kill(Pid::from_raw(strace.id() as i32), Signal::SIGINT).expect("signal our own child");
    strace.wait().expect("wait for our own child");
    let text = fs::read_to_string(trace.path()).expect("the trace");
    text.lines()
        .filter(|line| line.contains("("))
        .map(str::to_owned)
        .collect()
}

#[test]
fn one_call_for_a_redirected_connection() {
    let lab = Lab::new();
    let upstream = SocketAddr::new(UPSTREAM_V4, PORT);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), 15001);
    for version in Version::under_test() {
        // A fixed cluster, so that Envoy does the same with the module and without it.
        let start = |listener: Listener| {
            let cluster = lab::config::static_cluster("upstream", upstream);
            let config = bootstrap([listener.cluster("upstream").tcp()], [cluster]);
            Envoy::builder(&lab.gateway, version).config(config).start()
        };
        let without = getsockopt_calls(&lab, &start(Listener::new("0.0.0.0:15001")));
        let envoy = start(Listener::new("0.0.0.0:15001").filter(module_filter(None)));
        let with = getsockopt_calls(&lab, &envoy);
        assert_eq!(
            envoy.stat_sum("restored_redirect"),
            Some(CONNECTIONS as u64)
        );
        // strace of Debian 12 does not know the option's name.
        let is_original_dst =
            |call: &&String| call.contains("SOL_IP, 0x50") || call.contains("SO_ORIGINAL_DST");
        let asked = with.iter().filter(is_original_dst).count();
        assert_eq!(asked, CONNECTIONS, "{version}: {with:#?}");
        assert_eq!(
            with.len(),
            without.len() + CONNECTIONS,
            "{version}: {with:#?}\n{without:#?}"
        );
    }
}
