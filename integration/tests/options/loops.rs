//! A client that connects to the listener itself. With an `ORIGINAL_DST` cluster, Envoy connects to
//! itself for it, over and over, unless `unredirected_connections` says otherwise.

use std::net::SocketAddr;

use lab::address::{GATEWAY_UPSTREAM_V4, GATEWAY_UPSTREAM_V6, GATEWAY_V4, GATEWAY_V6};
use lab::client::tcp_ask;
use lab::config::limited;
use lab::module::builtin_filter;
use lab::{Lab, Version, eventually};

use crate::way::Way::{self, *};
use crate::way::{config, module};
use crate::{LISTENER, namespace, start};

/// So many connections of the cluster end a loop.
const LIMIT: u64 = 20;
/// The client's connection, and those.
const LOOP: u64 = 1 + LIMIT;

/// The options, or `None` for Envoy's own filter; the way; how many connections come to the
/// listener's network filters of one client's, and how many the module counts as unredirected.
type Row = (Option<&'static str>, Way, u64, u64);

/// Connects in every row, IPv4 and IPv6, in every version.
fn check(rows: &[Row]) {
    let lab = Lab::new();
    let rows: Vec<_> = rows.iter().copied().zip(LISTENER..).collect();
    let filter =
        |yaml: Option<_>, port| yaml.map_or_else(builtin_filter, |yaml| module(yaml, port));
    let place = |&((yaml, way, ..), port): &(Row, _)| (filter(yaml, port), way, "", port);
    let mut config = config(rows.iter().map(place));
    let cluster = &mut config["static_resources"]["clusters"][0];
    *cluster = limited(cluster.take(), LIMIT);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let counter = format!("{}.original_dst.unredirected", namespace(version));
        for &(row @ (_, way, connections, unredirected), port) in &rows {
            way.set_up(&lab, port);
            let listener = format!("listener.[__]_{port}");
            // What is redirected asks for the listener at another address of the gateway's own.
            let own = match way {
                Redirect => [GATEWAY_UPSTREAM_V4, GATEWAY_UPSTREAM_V6],
                _ => [GATEWAY_V4, GATEWAY_V6],
            };
            for (ip, times) in own.into_iter().zip(1..) {
                let answer = tcp_ask(&lab.client, SocketAddr::new(ip, port));
                let is_closed = answer.as_ref().is_err_and(|failure| failure.is_closed());
                assert!(is_closed, "{row:?}, {ip} in {version}: {answer:?}");
                eventually("no connection is left", || {
                    envoy.stat("cluster.original_dst.upstream_cx_active") == Some(0)
                });
                let stat = |name: &str| envoy.stat(&format!("{listener}.{name}"));
                let total = stat("downstream_cx_total").expect("every listener has it");
                // Envoy's own filter has no counters.
                let counted = stat(&counter).unwrap_or(0);
                let expected = (times * connections, times * unredirected);
                assert_eq!((total, counted), expected, "{row:?}, {ip} in {version}");
            }
        }
    }
}

#[test]
fn redirect() {
    let restore = Some("unredirected_connections: RESTORE");
    let ignore = Some("unredirected_connections: IGNORE");
    let close = Some("unredirected_connections: CLOSE");
    check(&[
        (None, Direct, LOOP, 0),
        (Some("{}"), Direct, LOOP, LOOP),
        (restore, Direct, LOOP, LOOP),
        (ignore, Direct, 1, 1),
        (close, Direct, 0, 1),
        // Redirected it is, but the connection that Envoy then makes is not.
        (None, Redirect, LOOP, 0),
        (ignore, Redirect, 2, 1),
        (close, Redirect, 1, 1),
    ]);
}

#[test]
fn transparent() {
    let restore = "{ unredirected_connections: RESTORE, listener_ports: [LISTENER] }";
    let ignore = "{ unredirected_connections: IGNORE, listener_ports: [LISTENER] }";
    let close = "{ unredirected_connections: CLOSE, listener_ports: [LISTENER] }";
    let unlisted = "unredirected_connections: CLOSE";
    let other_port = "{ unredirected_connections: CLOSE, listener_ports: [8080] }";
    check(&[
        (None, Tproxy, LOOP, 0),
        (None, TproxyUntracked, LOOP, 0),
        (Some("{}"), Tproxy, LOOP, 0),
        (Some(restore), Tproxy, LOOP, LOOP),
        (Some(restore), TproxyUntracked, LOOP, LOOP),
        (Some(ignore), Tproxy, 1, 1),
        (Some(ignore), TproxyUntracked, 1, 1),
        (Some(close), Tproxy, 0, 1),
        (Some(close), TproxyUntracked, 0, 1),
        // No accepted socket tells the port that a transparent listener is bound to.
        (Some(unlisted), Tproxy, LOOP, 0),
        (Some(unlisted), TproxyUntracked, LOOP, 0),
        (Some(other_port), Tproxy, LOOP, 0),
        (Some(other_port), TproxyUntracked, LOOP, 0),
    ]);
}
