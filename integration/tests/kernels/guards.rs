//! Every guard of the module: what it lets pass, and what it closes.

use std::net::{IpAddr, SocketAddr};

use lab::address::*;
use lab::client::tcp_ask;
use lab::config::{limited, marked, original_dst_cluster, static_cluster};
use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{Envoy, Failure, Lab, Listener, Upstream, Version, bootstrap};
use serde_json::{Value, json};

use crate::PORT;
use crate::tool::Tool;

/// The first port of the listeners, and the first that clients ask for.
const LISTENERS: u16 = 15101;
const ASKED: u16 = 8101;
/// The mark of Envoy's own connections.
const OWN: u32 = 0x2;
/// Addresses that a route makes this host's own.
const ROUTED: [&str; 2] = ["192.0.2.7", "2001:db8:77::7"];

/// What sends connections to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Redirect,
    Tproxy,
    /// REDIRECT, also of Envoy's own connections.
    RedirectEverybody,
    /// A route: the destination is this host's own.
    Route,
}

/// A listener with a guard: options in YAML, where `LISTENER` is its port, the way to it, how many
/// of the two are counted as what if a client asks for the upstream, and if it asks for the listener.
type Row = (&'static str, Way, &'static str, &'static str);

const ROWS: [Row; 7] = [
    (
        "{ unredirected_connections: CLOSE }",
        Way::Redirect,
        "restored_redirect",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, listener_ports: [LISTENER] }",
        Way::Tproxy,
        "restored_transparent",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, redirect_mark: 0x1/0x1 }",
        Way::Tproxy,
        "restored_transparent",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, redirect_mark: 0x1/0x1 }",
        Way::Redirect,
        "restored_redirect",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, destinations: { deny: [10.2.0.0/16, 'fd02::/64'] } }",
        Way::Redirect,
        "denied",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, own_mark: 0x2/0x2 }",
        Way::RedirectEverybody,
        "looped",
        "unredirected",
    ),
    (
        "{ unredirected_connections: CLOSE, recovery_methods: [LOCAL_ADDRESS], \
           local_destinations: [192.0.2.0/24, '2001:db8:77::/64'] }",
        Way::Route,
        "restored_local_address",
        "unredirected",
    ),
];

#[test]
fn what_is_let_pass_and_what_is_closed() {
    if Feature::FwmarkAccept.is_missing_for("guards::what_is_let_pass_and_what_is_closed") {
        return;
    }
    let lab = Lab::new();
    let ports: Vec<u16> = (ASKED..).take(ROWS.len()).collect();
    let _upstream = Upstream::start(&lab.upstream, &[&[PORT], &ports[..]].concat());
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    lab.gateway.ip("route add local 192.0.2.0/24 dev lo
                    route add local 2001:db8:77::/64 dev lo");
    for version in Version::under_test() {
        for &tool in Tool::all() {
            let envoy = Envoy::builder(&lab.gateway, version)
                .config(config())
                .start();
            for (number, row) in (0..).zip(ROWS) {
                set_up(&lab, tool, row.1, number);
            }
            for (number, row) in (0..).zip(ROWS) {
                check(
                    &lab,
                    &envoy,
                    number,
                    row,
                    &format!("{version}, {tool:?}, {row:?}"),
                );
            }
            drop(envoy);
            tool.flush(&lab.gateway, &["mangle", "nat"]);
        }
    }
}

fn set_up(lab: &Lab, tool: Tool, way: Way, number: u16) {
    let (host, asked, listener) = (&lab.gateway, ASKED + number, LISTENERS + number);
    match way {
        Way::Redirect => tool.redirect(host, asked, listener),
        Way::Tproxy => tool.tproxy(host, asked, listener),
        Way::RedirectEverybody => {
            tool.redirect(host, asked, listener);
            tool.redirect_output(host, asked, listener);
        }
        Way::Route => {}
    }
}

fn config() -> Value {
    let listener = |(number, (options, way, ..)): (u16, Row)| {
        let port = LISTENERS + number;
        let options = options.replace("LISTENER", &port.to_string());
        let options = serde_saphyr::from_str(&options).expect("YAML");
        let listener = Listener::new(&format!("[::]:{port}"))
            .ipv4_compat()
            .field("transparent", json!(way == Way::Tproxy))
            .filter(module_filter(Some(options)));
        match way {
            // The restored address is Envoy's own host.
            Way::Route => listener.cluster("upstream"),
            _ => listener.cluster("marked"),
        }
        .tcp()
    };
    let own = limited(marked(original_dst_cluster("marked"), OWN), 20);
    let upstream = static_cluster("upstream", SocketAddr::new(UPSTREAM_V4, PORT));
    bootstrap((0..).zip(ROWS).map(listener), [own, upstream])
}

fn check(lab: &Lab, envoy: &Envoy, number: u16, row: Row, what: &str) {
    let (_, way, redirected, direct) = row;
    let port = LISTENERS + number;
    let [routed_v4, routed_v6] = ROUTED.map(|ip| ip.parse::<IpAddr>().expect("an address"));
    for (gateway, upstream, routed) in [
        (GATEWAY_V4, UPSTREAM_V4, routed_v4),
        (GATEWAY_V6, UPSTREAM_V6, routed_v6),
    ] {
        let (asked, reached) = match way {
            Way::Route => {
                let fixed = SocketAddr::new(UPSTREAM_V4, PORT);
                (SocketAddr::new(routed, port), fixed)
            }
            _ => [SocketAddr::new(upstream, ASKED + number); 2].into(),
        };
        let expected = redirected.starts_with("restored").then_some(reached);
        connects(lab, envoy, asked, redirected, expected, what);
        connects(
            lab,
            envoy,
            SocketAddr::new(gateway, port),
            direct,
            None,
            what,
        );
    }
}

/// A connection is counted once under this name, and ends at this address, or is closed.
fn connects(
    lab: &Lab,
    envoy: &Envoy,
    asked: SocketAddr,
    counter: &str,
    expected: Option<SocketAddr>,
    what: &str,
) {
    let count = || {
        envoy
            .stat_sum(&format!(".original_dst.{counter}"))
            .unwrap_or(0)
    };
    let before = count();
    let answer = tcp_ask(&lab.client, asked);
    assert_eq!(
        count() - before,
        1,
        "{what}: {asked}: {counter}: {answer:?}"
    );
    match expected {
        Some(expected) => {
            let reached = answer.map(|answer| answer.reached.local);
            assert_eq!(reached, Ok(expected), "{what}: {asked}");
        }
        None => {
            let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
            assert!(is_closed, "{what}: {asked}: {answer:?}");
        }
    }
}
