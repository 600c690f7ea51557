//! The manifests of `deploy/`: the Envoy configs in them are loaded by every Envoy, their rules are set
//! in the lab, and connections go through both.

mod envoy_gateway;
mod envoy_patch;
mod istio;
mod manifest;
mod node;
mod sidecar;

use std::net::{IpAddr, SocketAddr};

use lab::client::{http_get, tcp_ask};
use lab::{Netns, Version, validate_file};
use manifest::Manifest;

const PORT: u16 = 8080;

/// The files that a test of this suite runs.
const USED: [&str; 6] = [
    "envoy-gateway.yaml",
    "istio-workload.yaml",
    "istio.yaml",
    "sidecar-init.yaml",
    "sidecar.yaml",
    "tproxy-node.yaml",
];

#[test]
fn every_file_is_used() {
    assert_eq!(
        manifest::files(),
        USED,
        "a file without a test, or the reverse"
    );
}

/// A key of a ConfigMap that holds a whole config is a file for Envoy, as it stands.
#[test]
fn configs_are_loaded() {
    let mut loaded = 0;
    for file in USED {
        for config in Manifest::read(file).configs() {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let path = directory.path().join("envoy.yaml");
            std::fs::write(&path, config).expect("write the config");
            for version in Version::under_test() {
                if let Err(log) = validate_file(version, &path) {
                    panic!("{file} in {version}:\n{log}");
                }
            }
            loaded += 1;
        }
    }
    assert!(loaded > 0, "no configs were found: this checks nothing");
}

/// Envoy looks for the module where a volume is mounted.
#[test]
fn the_module_is_mounted() {
    for file in USED.into_iter().filter(|file| *file != "istio.yaml") {
        let text = Manifest::read(file).text;
        let path = text
            .lines()
            .find_map(|line| line.split_once("ENVOY_DYNAMIC_MODULES_SEARCH_PATH"))
            .unwrap_or_else(|| panic!("{file}: no search path"))
            .1
            .trim_start_matches([':', ',', ' '])
            .trim_start_matches("value: ")
            .trim_end_matches([' ', '}']);
        let mounts = [
            format!("mountPath: {path}, readOnly: true"),
            format!("\"mountPath\": \"{path}\", \"readOnly\": true"),
        ];
        assert!(
            mounts.iter().any(|mount| text.contains(mount)),
            "{file}: nothing is mounted read-only at {path}"
        );
    }
}

/// A connection arrives where its client asked for; the client's address.
fn arrives(from: &Netns, ip: IpAddr) -> (SocketAddr, SocketAddr) {
    let to = SocketAddr::new(ip, PORT);
    // Not with a half-closed connection: tls_inspector takes that for an end.
    let answer = http_get(from, to).unwrap_or_else(|failure| panic!("{to}: {failure}"));
    assert_eq!(answer.reached.local, to);
    assert_ne!(answer.reached.peer, answer.local, "{to}: not through Envoy");
    (answer.local, to)
}

/// A connection arrives, and not through Envoy.
fn passes_by(from: &Netns, ip: IpAddr) {
    let to = SocketAddr::new(ip, PORT);
    let answer = tcp_ask(from, to).unwrap_or_else(|failure| panic!("{to}: {failure}"));
    assert_eq!(answer.reached.peer, answer.local, "{to}");
}

/// A connection is taken, and closed without an answer.
fn is_closed(from: &Netns, to: SocketAddr) {
    let failure = tcp_ask(from, to).expect_err("a refused connection");
    assert!(failure.is_closed(), "{to}: {failure}");
}
