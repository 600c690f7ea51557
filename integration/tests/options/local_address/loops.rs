//! Envoy connects to a listed address, which is this host's own: the connection comes back, unless it is
//! told from others or led away.

use lab::client::tcp_ask;
use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, Version, bootstrap};
use serde_json::Value;

use super::site::{ANY_V4, ANY_V6, LISTED, exempt_envoy, marked, take_addresses, upstream};
use crate::own_mark::LIMIT;
use crate::{LISTENER, namespace, options, start};

/// A listener whose options list the addresses, and these besides.
fn config(more: &str) -> Value {
    let methods = "recovery_methods: [SO_ORIGINAL_DST, LOCAL_ADDRESS]";
    let close = "unredirected_connections: CLOSE";
    let yaml = format!("{{ {methods}, {LISTED}, {close}, {more} }}");
    let listener = Listener::new(&format!("[::]:{LISTENER}")).ipv4_compat();
    let listener = listener.filter(module_filter(Some(options(&yaml)))).tcp();
    marked(bootstrap([listener], []))
}

/// How many connections the module restored, and how many it found to be nobody's.
fn counts(envoy: &Envoy, version: Version) -> [u64; 2] {
    let stats = envoy.idle_stats();
    let place = format!("listener.[__]_{LISTENER}.{}", namespace(version));
    ["restored_local_address", "unredirected"]
        .map(|counter| stats[&format!("{place}.original_dst.{counter}")])
}

/// Asks for each address: whether somebody answers, and what one connection counts.
fn check(lab: &Lab, more: &str, answers: bool, counted: [u64; 2]) {
    for version in Version::under_test() {
        let envoy = start(lab, version, config(more));
        let mut before = [0; 2];
        for ip in [ANY_V4, ANY_V6] {
            let to = format!("{ip}:{LISTENER}").parse().expect("an address");
            let answer = tcp_ask(&lab.client, to);
            let row = format!("{more}, {to} in {version}: {answer:?}");
            assert_eq!(answer.is_ok(), answers, "{row}");
            let after = counts(&envoy, version);
            assert_eq!(
                [0, 1].map(|index| after[index] - before[index]),
                counted,
                "{row}"
            );
            before = after;
        }
    }
}

#[test]
fn unguarded() {
    let lab = Lab::new();
    take_addresses(&lab);
    check(&lab, "", false, [1 + LIMIT, 0]);
}

#[test]
fn with_the_mark_of_a_rule() {
    if Feature::FwmarkAccept.is_missing_for("local_address::loops::with_the_mark_of_a_rule") {
        return;
    }
    let lab = Lab::new();
    take_addresses(&lab);
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    let rule = "-t mangle -A PREROUTING -i eth0 -p tcp -j MARK --set-mark 0x1/0x1";
    lab.gateway.ip46tables(rule);
    check(&lab, "redirect_mark: '0x1/0x1'", false, [1, 1]);
}

#[test]
fn led_around_the_local_table() {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let _upstream = upstream(&lab, 1);
    check(&lab, "", true, [1, 0]);
}
