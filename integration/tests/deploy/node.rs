//! `tproxy-node.yaml`: the gateway is the node, the client a pod.

use std::fs;
use std::net::SocketAddr;
use std::process::Child;

use lab::address::{GATEWAY_V4, GATEWAY_V6, PUBLIC_V4, PUBLIC_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::{Envoy, Lab, Upstream, Version, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::manifest::{Manifest, container};
use crate::{PORT, arrives, is_closed, passes_by};

#[test]
fn node() {
    let manifest = Manifest::read("tproxy-node.yaml");
    let rules = Rules::new(&manifest);
    for version in Version::under_test() {
        let lab = Lab::new();
        let _servers = [&lab.upstream, &lab.gateway].map(|host| Upstream::start(host, &[PORT]));
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(manifest.config())
            .start();
        // The second finds what the first has left.
        rules.start(&lab).kill().expect("kill our own child");
        let mut container = rules.start(&lab);
        for ip in [UPSTREAM_V4, UPSTREAM_V6] {
            let (client, to) = arrives(&lab.client, ip);
            let line = format!("{client} -> {to} -");
            envoy.wait_output(&line, |logged| logged == line);
        }
        for ip in [PUBLIC_V4, PUBLIC_V6, GATEWAY_V4, GATEWAY_V6] {
            passes_by(&lab.client, ip);
        }
        for metadata_service in ["169.254.169.254:80", "[fd00:ec2::254]:80"] {
            is_closed(&lab.client, metadata_service.parse().expect("an address"));
        }
        is_closed(&lab.client, SocketAddr::new(GATEWAY_V4, 15001));
        for (counter, count) in [
            ("restored_transparent", 2),
            ("denied", 2),
            ("unredirected", 1),
        ] {
            let counted = envoy.stat_sum(&format!("original_dst.{counter}"));
            assert_eq!(counted, Some(count), "{version}: {counter}");
        }
        kill(Pid::from_raw(container.id() as i32), Signal::SIGTERM).expect("signal our own child");
        assert!(
            container.wait().expect("wait for our own child").success(),
            "{version}"
        );
        passes_by(&lab.client, UPSTREAM_V4);
        passes_by(&lab.client, UPSTREAM_V6);
        let left = lab
            .gateway
            .sh("iptables-save; ip6tables-save; ip rule; ip -6 rule");
        assert!(
            !left.contains("ORIGINAL_DST") && !left.contains("fwmark"),
            "{version}: {left}"
        );
    }
}

/// The container that sets the rules, and its volume.
struct Rules {
    volume: TempDir,
    script: String,
}

impl Rules {
    fn new(manifest: &Manifest) -> Self {
        let volume = tempfile::tempdir().expect("a temporary directory");
        let mounted = |script: &str| {
            let path = volume.path().display();
            script.replace(". /rules/", &format!(". {path}/"))
        };
        let scripts = &manifest.object("ConfigMap", "original-dst-rules")["data"];
        for (name, script) in scripts.as_object().expect("data") {
            let script = mounted(script.as_str().expect("a script"));
            fs::write(volume.path().join(name), script).expect("write the script");
        }
        let container = container(manifest.object("DaemonSet", "original-dst-node"), "rules");
        let variables = [("POD_INTERFACE", "cni0"), ("EXEMPT", "")];
        for ((name, value), variable) in variables.into_iter().zip(array(&container["env"])) {
            assert_eq!(
                (&variable["name"], &variable["value"]),
                (&name.into(), &value.into())
            );
        }
        let script = mounted(container["args"][0].as_str().expect("a script"));
        Self { volume, script }
    }

    /// Starts it, and waits until the rules are set.
    fn start(&self, lab: &Lab) -> Child {
        assert!(self.volume.path().join("set").is_file());
        let mut command = lab.gateway.command("sh");
        let child = command
            .args(["-ec", &self.script])
            .env("POD_INTERFACE", "eth0")
            .env("EXEMPT", format!("{PUBLIC_V4}/24 {PUBLIC_V6}/64"))
            .spawn()
            .expect("run nsenter");
        eventually("the rules are set", || catches_sigterm(child.id()));
        child
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// Whether a process has a handler for SIGTERM: the script sets it after the rules.
fn catches_sigterm(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("our own child runs");
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .expect("a mask");
    let mask = u64::from_str_radix(caught.trim(), 16).expect("a mask in hexadecimal");
    mask & 1 << (Signal::SIGTERM as u32 - 1) != 0
}
