//! What the module logs of connections.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use serde_json::Value;

use crate::way::Way::{self, *};
use crate::way::{config, module, with_port};
use crate::{LISTENER, PORT, logged, options, start};

const OWN: &str = "10.1.0.1:LISTENER";
const UPSTREAM: &str = "10.2.0.2:8080";

/// The lines that are not for debugging only.
fn shown(envoy: &Envoy) -> Vec<String> {
    logged(&envoy.log(), &["info", "warning", "error"])
}

/// The clients of a listener's connections, of which there have to be so many.
fn clients(envoy: &Envoy, listener: &str, count: usize) -> Vec<String> {
    let is_its = |entry: &&Value| entry["log"] == "listener" && entry["listener"] == listener;
    let log = envoy.wait_access_log(|log| log.iter().filter(is_its).count() == count);
    let client = |entry: &Value| Some(entry["downstream_remote_address"].as_str()?.to_owned());
    log.iter().filter(is_its).filter_map(client).collect()
}

#[test]
fn a_kind_of_line_comes_once_a_second() {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let options = options("destinations: { deny: [10.2.0.2] }");
    let listener = Listener::new("0.0.0.0:15001").filter(module_filter(Some(options)));
    let config = bootstrap([listener.tcp()], []);
    let denied = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let ask = || tcp_ask(&lab.client, denied).expect_err("denied");
        let clients = |count| clients(&envoy, "0.0.0.0:15001", count);
        let line = |level: &str, client: &str| {
            format!(
                "{level}: connection from {client} at 10.1.0.1:15001: destination 10.2.0.2:8080 by \
                 SO_ORIGINAL_DST: denied by the rules in destinations: deny[0] 10.2.0.2, closed"
            )
        };
        (0..4).for_each(|_| drop(ask()));
        let first = line("warning", &clients(4)[0]);
        assert_eq!(shown(&envoy), [&*first], "{version}");
        thread::sleep(Duration::from_millis(1100));
        (0..2).for_each(|_| drop(ask()));
        let clients = clients(6);
        let second = line("warning", &clients[4]) + " (3 more like this not shown)";
        assert_eq!(shown(&envoy), [first, second], "{version}");
        let each: Vec<_> = clients.iter().map(|client| line("debug", client)).collect();
        assert_eq!(logged(&envoy.log(), &["debug"]), each, "{version}");
    }
}

#[test]
fn what_is_restored_is_for_debug_only() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let listener = Listener::new("0.0.0.0:15001").filter(module_filter(None));
    let config = bootstrap([listener.tcp()], []);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for (level, lines) in [("info", 0), ("debug", 1)] {
            envoy.admin_post(&format!("/logging?dynamic_modules={level}"));
            let answer = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT));
            let client = answer.expect("an answer").local;
            let line = format!(
                "debug: connection from {client} at 10.1.0.1:15001: destination 10.2.0.2:8080 by \
                 SO_ORIGINAL_DST: restored"
            );
            let logged = logged(&envoy.log(), &["debug", "info", "warning"]);
            assert_eq!(logged, vec![line; lines], "{level} in {version}");
        }
    }
}

/// Options, way, destination, and the one line besides those of level debug: its level, and what
/// follows the client's and the listener's address.
type Row = (&'static str, Way, &'static str, &'static str, &'static str);

const ROWS: [Row; 14] = [
    (
        "{}",
        DirectUntracked,
        OWN,
        "info",
        "no destination: connection tracking has no entry (no REDIRECT or DNAT rule matched, or \
         the traffic is exempt by NOTRACK, or tracked in another zone); the listener is not \
         transparent (for TPROXY set transparent: true): not redirected, left as it came",
    ),
    (
        "{ unrecovered_connections: CLOSE, recovery_methods: [TRANSPARENT] }",
        Redirect,
        UPSTREAM,
        "info",
        "no destination: SO_ORIGINAL_DST is not among the recovery_methods; the listener is not \
         transparent (for TPROXY set transparent: true): not redirected, closed",
    ),
    (
        "recovery_methods: [SO_ORIGINAL_DST]",
        TproxyUntracked,
        UPSTREAM,
        "info",
        "no destination: connection tracking has no entry (no REDIRECT or DNAT rule matched, or \
         the traffic is exempt by NOTRACK, or tracked in another zone); the listener is \
         transparent, but TRANSPARENT is not among the recovery_methods: not redirected, left as \
         it came",
    ),
    (
        "{}",
        Metadata,
        "",
        "info",
        "no destination: neither metadata nor filter state came with this internal connection; \
         pass them through the internal_upstream transport socket: not redirected, left as it came",
    ),
    (
        "{}",
        Metadata,
        "example.com:80",
        "warning",
        "the destination by METADATA is not of the form IP:port, such as 10.2.0.2:8080: not an \
         address that this Envoy takes, left as it came",
    ),
    (
        "unrecovered_connections: CLOSE",
        FilterState,
        "10.2.0.2",
        "warning",
        "the destination by FILTER_STATE is not of the form IP:port, such as 10.2.0.2:8080: not an \
         address that this Envoy takes, closed",
    ),
    (
        "unredirected_connections: IGNORE",
        Direct,
        OWN,
        "warning",
        "destination 10.1.0.1:LISTENER by SO_ORIGINAL_DST: not redirected: the client connected to \
         this listener directly, left as it came",
    ),
    (
        "{ unredirected_connections: CLOSE, listener_ports: [LISTENER] }",
        TproxyUntracked,
        OWN,
        "warning",
        "destination 10.1.0.1:LISTENER by TRANSPARENT: not redirected: the client connected \
         directly to a listener of this Envoy, whose port is in listener_ports, closed",
    ),
    (
        "destinations: { deny: [private] }",
        Redirect,
        UPSTREAM,
        "warning",
        "destination 10.2.0.2:8080 by SO_ORIGINAL_DST: denied by the rules in destinations: deny[0] \
         private, closed",
    ),
    (
        "destinations: { allow: [link-local] }",
        Redirect,
        "[fd02::2]:8080",
        "warning",
        "destination [fd02::2]:8080 by SO_ORIGINAL_DST: denied by the rules in destinations: no \
         allow entry matches, closed",
    ),
    (
        "destinations: { deny: [private], on_denied: IGNORE }",
        TproxyUntracked,
        UPSTREAM,
        "warning",
        "destination 10.2.0.2:8080 by TRANSPARENT: denied by the rules in destinations: deny[0] \
         private, left as it came",
    ),
    (
        "destinations: { deny: [private], on_denied: AUDIT }",
        Redirect,
        UPSTREAM,
        "warning",
        "destination 10.2.0.2:8080 by SO_ORIGINAL_DST: denied by the rules in destinations: \
         deny[0] private, restored anyway",
    ),
    (
        "destinations: { deny: [private] }",
        FilterState,
        UPSTREAM,
        "warning",
        "destination 10.2.0.2:8080 by FILTER_STATE: denied by the rules in destinations: deny[0] \
         private, closed",
    ),
    (
        "destinations: { deny: [link-local] }",
        Metadata,
        "[::ffff:169.254.169.254]:80",
        "warning",
        "destination 169.254.169.254:80 by METADATA: denied by the rules in \
         destinations: deny[0] link-local, closed",
    ),
];

#[test]
fn wording() {
    let lab = Lab::new();
    let rows: Vec<_> = ROWS.into_iter().zip(LISTENER..).collect();
    let place = |&((yaml, way, to, ..), port): &(Row, _)| (module(yaml, port), way, to, port);
    let config = config(rows.iter().map(place));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let mut lines = Vec::new();
        for &((yaml, way, to, level, line), port) in &rows {
            way.set_up(&lab, port);
            let asked = way.asked(&with_port(to, port), port);
            tcp_ask(&lab.client, asked).expect_err("closed, or nobody there");
            let from = if way.is_internal() {
                "no IP address".to_owned()
            } else {
                let client = clients(&envoy, &way.listener(port), 1).remove(0);
                format!("{client} at {}", way.arrived_at(asked, port))
            };
            let line = with_port(line, port);
            lines.push(format!("{level}: connection from {from}: {line}"));
            assert_eq!(shown(&envoy), lines, "{yaml} in {version}");
        }
    }
}
