//! A module that panics: Envoy lives, its log says what and where, and only the connection ends.

use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::client::tcp_ask;
use lab::config::static_cluster;
use lab::module::module_filter_with;
use lab::{Envoy, Lab, Listener, Upstream, Version, bootstrap};
use serde_json::{Value, json};

const PORT: u16 = 8080;

/// Where cargo puts the SDK's examples, which it builds together with all tests.
fn examples() -> PathBuf {
    let test = env::current_exe().expect("our own path");
    let directory = test
        .ancestors()
        .nth(2)
        .expect("target/debug")
        .join("examples");
    let library = directory.join("libpanicking.so");
    assert!(
        library.is_file(),
        "{} is not there: run `make test`",
        library.display()
    );
    directory
}

fn panicking(config: &str) -> Value {
    let mut filter = module_filter_with(Some(json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": config,
    })));
    filter["typed_config"]["dynamic_module_config"]["name"] = json!("panicking");
    filter
}

#[test]
fn a_panic_ends_one_connection() {
    let lab = Lab::new();
    let upstream = SocketAddr::new(UPSTREAM_V4, PORT);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    for version in Version::under_test() {
        let listeners = [
            Listener::new("0.0.0.0:15001")
                .filter(panicking(""))
                .cluster("upstream")
                .tcp(),
            Listener::new("0.0.0.0:15002").cluster("upstream").tcp(),
        ];
        let config = bootstrap(listeners, [static_cluster("upstream", upstream)]);
        let envoy = Envoy::builder(&lab.gateway, version)
            .modules(&examples())
            .config(config);
        let mut envoy = envoy.start();
        for _ in 0..3 {
            let panicked = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, 15001));
            let failure = panicked.expect_err("closed");
            assert!(failure.is_closed(), "{version}: {failure}");
            let other = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, 15002));
            assert_eq!(
                other.expect("an answer").reached.local,
                upstream,
                "{version}"
            );
        }
        assert!(envoy.is_alive(), "{version}");
        let log = envoy.log();
        let line = "panic in the module at sdk/examples/panicking.rs:";
        assert_eq!(log.matches(line).count(), 3, "{version}");
        assert_eq!(
            log.matches("a panic on a connection").count(),
            3,
            "{version}"
        );
        if version > Version::V1_37 {
            envoy.wait_access_log(|log| {
                let closed = |entry: &&Value| {
                    entry["connection_termination_details"] == "dynamic_module_panic"
                };
                log.iter().filter(closed).count() == 3
            });
        }
    }
}

#[test]
fn a_panic_refuses_the_configuration() {
    let lab = Lab::new();
    for version in Version::under_test() {
        let listener = Listener::new("0.0.0.0:15001")
            .filter(panicking("config"))
            .tcp();
        let log = Envoy::builder(&lab.gateway, version)
            .modules(&examples())
            .config(bootstrap([listener], []))
            .try_start()
            .expect_err("a refused configuration");
        assert!(
            log.contains("a panic in the configuration"),
            "{version}:\n{log}"
        );
        assert!(
            log.contains("Failed to initialize dynamic module"),
            "{version}:\n{log}"
        );
    }
}
