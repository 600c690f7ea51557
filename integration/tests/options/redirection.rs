//! The gauge `redirection_broken`.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V6, UPSTREAM_V4};
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Lab, Listener, To, Upstream, Version, bootstrap, eventually};

use crate::{LISTENER, PORT, logged, start};

#[test]
fn a_hundred_in_a_row() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let listener = Listener::new("[::]:15001")
        .ipv4_compat()
        .filter(module_filter(None));
    let config = bootstrap([listener.tcp()], []);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let mut unavailable = 0;
        // Connections without an answer of the kernel, and what is shown then. Over IPv6: as IPv4
        // connections, those with the source port of a redirected one would have its answer.
        let mut miss = |connections| {
            lab.gateway.flush();
            lab.gateway.notrack();
            for _ in 0..connections {
                tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V6, LISTENER)).expect_err("no answer");
            }
            unavailable += connections;
            eventually("the connections are counted", || {
                envoy.stat_sum("original_dst.unavailable") == Some(unavailable)
            });
            (envoy.stat_sum("redirection_broken"), broken(&envoy.log()))
        };
        let hit = || {
            lab.gateway.flush();
            lab.gateway.redirect(To::Port(PORT), LISTENER);
            tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT)).expect("an answer");
            (envoy.stat_sum("redirection_broken"), mended(&envoy.log()))
        };
        assert_eq!(miss(99), (Some(0), 0), "{version}");
        assert_eq!(hit(), (Some(0), 0), "{version}");
        assert_eq!(miss(99), (Some(0), 0), "{version}");
        assert_eq!(miss(1), (Some(1), 1), "{version}");
        assert_eq!(miss(101), (Some(1), 1), "{version}");
        assert_eq!(hit(), (Some(0), 1), "{version}");
        assert_eq!(hit(), (Some(0), 1), "{version}");
    }
}

/// How often the log says that redirection is broken, with the likely cause.
fn broken(log: &str) -> usize {
    let line = "at [fd01::1]:15001: the last 100 connections had no original destination: redirection \
                is broken; likely the iptables rules of this network namespace are gone, or exempt \
                the traffic from connection tracking";
    count(log, "warning", line)
}

fn mended(log: &str) -> usize {
    count(log, "info", "at 10.1.0.1:15001: redirection works again")
}

/// How many lines about some client's connection end so.
fn count(log: &str, level: &str, end: &str) -> usize {
    let begin = format!("{level}: connection from ");
    let is_it = |line: &&String| line.starts_with(&begin) && line.ends_with(end);
    logged(log, &[level]).iter().filter(is_it).count()
}
