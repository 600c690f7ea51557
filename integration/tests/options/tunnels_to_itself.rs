//! A tunnel that names an own address of this host, with the port of the listener that leads into the
//! tunnel. Guarded, it ends there; with Envoy's own filter, Envoy connects to itself, over and over.

use std::net::SocketAddr;

use lab::address::*;
use lab::client::tcp_ask;
use lab::config::limited;
use lab::module::builtin_filter;
use lab::{Lab, Upstream, Version};

use crate::row::{filter_stats, moved};
use crate::way::{Way, config, module, with_port};
use crate::{LISTENER, start};

/// So many connections of the cluster end a loop.
const LIMIT: u64 = 20;

/// Own addresses. The interfaces of the gateway have the numbers 11 and 12.
const OWN: [&str; 11] = [
    "127.0.0.1:LISTENER",
    "127.0.0.5:LISTENER",
    "0.0.0.0:LISTENER",
    "10.1.0.1:LISTENER",
    "10.2.0.1:LISTENER",
    "192.0.2.7:LISTENER",
    "[::ffff:10.1.0.1]:LISTENER",
    "[::1]:LISTENER",
    "[::]:LISTENER",
    "[fd02::1]:LISTENER",
    "[2001:db8:77::7]:LISTENER",
];
/// An own address on one link, and another host's on the other.
const OWN_ON_ITS_LINK: &str = "[fe80::a1%11]:LISTENER";
const OTHERS_ON_ITS_LINK: &str = "[fe80::a1%12]:LISTENER";
/// Other hosts, with the same port.
const OTHERS: [&str; 2] = ["10.2.0.2:LISTENER", "[fd02::2]:LISTENER"];

fn lab() -> Lab {
    let lab = Lab::new();
    lab.gateway.ip("route add local 192.0.2.0/24 dev lo
                    route add local 2001:db8:77::/64 dev lo");
    lab
}

#[test]
fn is_unredirected() {
    let guard = "{ unredirected_connections: CLOSE, listener_ports: [LISTENER] }";
    let restored = OTHERS.map(|to| (to, "restored"));
    let addresses = OWN
        .map(|to| (to, "unredirected"))
        .into_iter()
        .chain(restored);
    let rows = addresses.flat_map(|(to, end)| {
        let by_state = (to, Way::FilterState, end, "_filter_state");
        [(to, Way::Metadata, end, "_metadata"), by_state]
    });
    let rows = rows.chain([
        (OWN_ON_ITS_LINK, Way::Metadata, "unredirected", "_metadata"),
        (OTHERS_ON_ITS_LINK, Way::Metadata, "restored", "_metadata"),
    ]);
    let rows: Vec<_> = rows
        .zip(LISTENER..)
        .map(|((to, way, end, by), port)| (with_port(to, port), way, end, by, port))
        .collect();
    let places = rows
        .iter()
        .map(|(to, way, .., port)| (module(guard, *port), *way, to.as_str(), *port));
    let config = config(places);
    let ports: Vec<_> = rows.iter().map(|(.., port)| *port).collect();
    let lab = lab();
    let _others = Upstream::start(&lab.upstream, &ports);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for (to, _, end, by, port) in &rows {
            let before = filter_stats(&envoy);
            let answer = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, *port));
            let row = format!("{to}, {by}, in {version}: {answer:?}");
            // Old Envoys would end with an address that has a scope.
            let is_invalid = version < Version::V1_39 && to.contains('%');
            let counter = match *end {
                "restored" if is_invalid => "invalid_address".to_owned(),
                "restored" => format!("restored{by}"),
                end => end.to_owned(),
            };
            assert_eq!(moved(&before, &filter_stats(&envoy)), [&*counter], "{row}");
            assert_eq!(answer.is_ok(), counter.starts_with("restored"), "{row}");
        }
    }
}

#[test]
fn loops_unguarded() {
    let lab = lab();
    for version in Version::under_test() {
        for to in [
            "127.0.0.5:15001",
            "10.2.0.1:15001",
            "[2001:db8:77::7]:15001",
        ] {
            let mut config = config([(builtin_filter(), Way::Metadata, to, LISTENER)]);
            let cluster = &mut config["static_resources"]["clusters"][0];
            *cluster = limited(cluster.take(), LIMIT);
            let envoy = start(&lab, version, config);
            let answer = tcp_ask(&lab.client, SocketAddr::new(GATEWAY_V4, LISTENER));
            let is_closed = answer.is_err_and(|failure| failure.is_closed());
            assert!(is_closed, "{to} in {version}");
            let total = format!("listener.[__]_{LISTENER}.downstream_cx_total");
            assert_eq!(envoy.stat(&total), Some(1 + LIMIT), "{to} in {version}");
        }
    }
}
