//! What becomes of a restored address: the listener that is bound to it, or the filter chain for it.

use std::net::SocketAddr;

use lab::access_log::{self, Source};
use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Envoy, Failure, Lab, Listener, Version, bootstrap};
use serde_json::{Value, json};

use super::site::{ANY_V4, ANY_V6, LISTED, VIP_V4, exempt_envoy, marked, take_addresses, upstream};
use crate::hand_off::proxied_by;
use crate::way::Way::{self, *};
use crate::{LISTENER, options, start};

const WAYS: [Way; 3] = [Direct, DirectUntracked, DirectWithoutRules];

fn local(hand_off: bool) -> Value {
    let methods = "recovery_methods: [SO_ORIGINAL_DST, LOCAL_ADDRESS]";
    module_filter(Some(options(&format!(
        "{{ {methods}, {LISTED}, hand_off: {hand_off} }}"
    ))))
}

fn at(ip: &str, port: u16) -> SocketAddr {
    format!("{ip}:{port}").parse().expect("an address")
}

/// Asks, and gets there by the TCP proxy whose log has this name.
fn is_proxied_by(lab: &Lab, envoy: &Envoy, to: SocketAddr, name: &str, row: &str) {
    let answer = tcp_ask(&lab.client, to).unwrap_or_else(|failure| panic!("{row}: {failure}"));
    assert_eq!(answer.reached.local, to, "{row}");
    assert_eq!(proxied_by(envoy, answer.local), name, "{row}");
}

/// Asks in vain: it stays at the listener, whose cluster does not know where to.
fn is_left(lab: &Lab, to: SocketAddr, row: &str) {
    let answer = tcp_ask(&lab.client, to);
    let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
    assert!(is_closed, "{row}, {to}: {answer:?}");
}

#[test]
fn hand_off() {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let _upstream = upstream(&lab, 4);
    let port = LISTENER;
    let wildcard = |port, filter| {
        let listener = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        listener.filter(filter).tcp()
    };
    let target = |ip, port| {
        let target = Listener::new(&at(ip, port).to_string());
        target.field("bind_to_port", json!(false)).tcp()
    };
    let mut builtin = wildcard(port + 2, builtin_filter());
    builtin["use_original_dst"] = json!(true);
    let none = Listener::new(&format!("[::]:{}", port + 3)).ipv4_compat();
    let config = marked(bootstrap(
        [
            wildcard(port, local(true)),
            wildcard(port + 1, local(false)),
            target(ANY_V4, port),
            target(ANY_V6, port),
            builtin,
            target(ANY_V4, port + 2),
            none.tcp(),
            target(ANY_V4, port + 3),
        ],
        [],
    ));
    for version in Version::under_test() {
        let mut envoy = start(&lab, version, config.clone());
        for way in WAYS {
            way.set_up(&lab, port);
            let row = format!("{way:?} in {version}");
            for ip in [ANY_V4, ANY_V6] {
                let (to, not_handed) = (at(ip, port), at(ip, port + 1));
                is_proxied_by(&lab, &envoy, to, &to.to_string(), &row);
                let stays = format!("[::]:{}", port + 1);
                is_proxied_by(&lab, &envoy, not_handed, &stays, &row);
            }
            let (by_builtin, by_none) = (at(ANY_V4, port + 2), at(ANY_V4, port + 3));
            match way {
                Direct => is_proxied_by(&lab, &envoy, by_builtin, &by_builtin.to_string(), &row),
                _ => is_left(&lab, by_builtin, &row),
            }
            is_left(&lab, by_none, &row);
            // No listener is bound to it but the one where it is.
            let stays = format!("[::]:{port}");
            is_proxied_by(&lab, &envoy, at(VIP_V4, port), &stays, &row);
            assert!(envoy.is_alive(), "{row}");
        }
    }
}

/// Chains match the connection's own address with any filter and with none. The cluster knows only what
/// was restored.
#[test]
fn filter_chains() {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let _upstream = upstream(&lab, 3);
    let filters = [Some(local(false)), Some(builtin_filter()), None];
    let listeners = filters.into_iter().zip(LISTENER..).map(|(filter, port)| {
        let listener = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        let listener = filter.into_iter().fold(listener, Listener::filter).tcp();
        with_chains(listener, &["192.0.2.0/24", "203.0.113.0/24"])
    });
    let config = marked(bootstrap(listeners, []));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for way in WAYS {
            way.set_up(&lab, LISTENER);
            let row = format!("{way:?} in {version}");
            for (ip, chain) in [(ANY_V4, "192.0.2.0/24"), (VIP_V4, "203.0.113.0/24")] {
                is_proxied_by(&lab, &envoy, at(ip, LISTENER), chain, &row);
            }
            for port in [LISTENER + 1, LISTENER + 2] {
                let to = at(ANY_V4, port);
                match way == Direct && port == LISTENER + 1 {
                    true => is_proxied_by(&lab, &envoy, to, "192.0.2.0/24", &row),
                    false => is_left(&lab, to, &row),
                }
            }
        }
    }
}

/// The listener with its one chain for each of these prefixes instead, whose name is in its log.
fn with_chains(mut listener: Value, prefixes: &[&str]) -> Value {
    let chain = listener["filter_chains"][0].take();
    let chain = |prefix: &&str| {
        let mut chain = chain.clone();
        let (ip, length) = prefix.split_once('/').expect("a prefix");
        let length: u32 = length.parse().expect("a length");
        chain["name"] = json!(prefix);
        chain["filter_chain_match"] =
            json!({ "prefix_ranges": [{ "address_prefix": ip, "prefix_len": length }] });
        let log = access_log::access_log(Source::Tcp, prefix);
        chain["filters"][0]["typed_config"]["access_log"] = log;
        chain
    };
    listener["filter_chains"] = prefixes.iter().map(chain).collect();
    listener
}
