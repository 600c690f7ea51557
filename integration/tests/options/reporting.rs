//! `publish_metadata` and `stat_prefix`. What is published: see the rows.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Lab, Listener, To, Upstream, Version, bootstrap};

use crate::{LISTENER, PORT, namespace, options, start};

const COUNTERS: [&str; 12] = [
    "denied",
    "error",
    "invalid_address",
    "looped",
    "restored_filter_state",
    "restored_local_address",
    "restored_metadata",
    "restored_redirect",
    "restored_transparent",
    "source_restored",
    "unavailable",
    "unredirected",
];

#[test]
fn publish_metadata() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    for version in Version::under_test() {
        for (yaml, published) in [
            ("{}", false),
            ("publish_metadata: false", false),
            ("publish_metadata: true", true),
        ] {
            let filter = module_filter(Some(options(yaml)));
            let listener = Listener::new("0.0.0.0:15001").filter(filter);
            let envoy = start(&lab, version, bootstrap([listener.tcp()], []));
            tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT)).expect("an answer");
            for entry in envoy.wait_access_log(|log| log.len() == 2) {
                assert_eq!(
                    entry["original_dst"].is_object(),
                    published,
                    "{yaml} in {version}"
                );
            }
        }
    }
}

#[test]
fn stats_and_stat_prefix() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let rows = [
        ("{}", ""),
        ("stat_prefix: egress", "egress."),
        ("stat_prefix: a-B.7_c", "a-B.7_c."),
    ];
    for version in Version::under_test() {
        for (yaml, prefix) in rows {
            let filter = module_filter(Some(options(yaml)));
            let listener = Listener::new("0.0.0.0:15001").filter(filter);
            let envoy = start(&lab, version, bootstrap([listener.tcp()], []));
            tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT)).expect("an answer");

            let path = format!("{}.{prefix}original_dst", namespace(version));
            let name = |stat| format!("listener.0.0.0.0_15001.{path}.{stat}");
            let value = |stat| u64::from(stat == "restored_redirect");
            let all = || {
                COUNTERS
                    .into_iter()
                    .chain(["destination_rules", "redirection_broken"])
            };
            let mut stats = envoy.stats();
            stats.retain(|name, _| name.starts_with("listener.") && name.contains("original_dst."));
            assert_eq!(
                stats,
                all().map(|stat| (name(stat), value(stat))).collect(),
                "{version}"
            );

            let prometheus = envoy.admin("/stats/prometheus");
            for stat in all() {
                let kind = if COUNTERS.contains(&stat) {
                    "counter"
                } else {
                    "gauge"
                };
                let name = format!("envoy_listener_{path}_{stat}").replace(['.', '-'], "_");
                let address = "envoy_listener_address=\"0.0.0.0_15001\"";
                let lines = format!(
                    "# TYPE {name} {kind}\n{name}{{{address}}} {}\n",
                    value(stat)
                );
                assert!(
                    prometheus.contains(&lines),
                    "{lines} in {version}:\n{prometheus}"
                );
            }
        }
    }
}
