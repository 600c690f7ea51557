//! Listeners in another namespace than Envoy's. Nothing can be asked there about the addresses of the
//! host: a listed port alone decides. So it does for Envoy's own namespace on a kernel that does not tell
//! namespaces apart. What dials each own address, see there.

use std::net::SocketAddr;

use lab::address::*;
use lab::client::tcp_ask;
use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, Netns, To, Upstream, Version, bootstrap};
use serde_json::json;

use crate::row::{filter_stats, moved};
use crate::{LISTENER, PORT, options};

/// Whether the listener is transparent, the rule that leads to it, and what counts what it restores.
type Way = (bool, fn(&Netns, To, u16), &'static str);

const WAYS: [Way; 2] = [
    (false, Netns::redirect, "restored_redirect"),
    (true, Netns::tproxy, "restored_transparent"),
];

/// Envoy on the gateway, or on the upstream; the listener is the gateway's.
fn start(lab: &Lab, version: Version, is_outside: bool, is_transparent: bool) -> Envoy {
    let guard = "{ unredirected_connections: CLOSE, listener_ports: [15001] }";
    let listener = Listener::new(&format!("[::]:{LISTENER}"))
        .ipv4_compat()
        .field("transparent", json!(is_transparent))
        .filter(module_filter(Some(options(guard))));
    let (host, listener) = match is_outside {
        true => (&lab.upstream, listener.within(&lab.gateway)),
        false => (&lab.gateway, listener),
    };
    let config = bootstrap([listener.tcp()], []);
    Envoy::builder(host, version).config(config).start()
}

/// Whether a connection reaches its destination, or is closed, and what counts it.
fn ask(lab: &Lab, envoy: &Envoy, to: SocketAddr) -> (bool, Vec<String>) {
    let before = filter_stats(envoy);
    let is_reached = match tcp_ask(&lab.client, to) {
        Ok(answer) => answer.reached.local == to,
        Err(failure) if failure.is_closed() => false,
        Err(failure) => panic!("{to}: {failure}"),
    };
    (is_reached, moved(&before, &filter_stats(envoy)))
}

#[test]
fn a_listed_port_alone_decides() {
    let all_alike = Feature::NetnsCookie
        .is_missing_for("other_namespace: another host's port of a listed number is restored");
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT, LISTENER]);
    for (is_transparent, redirect, counter) in WAYS {
        lab.gateway.flush();
        lab.gateway.track();
        redirect(&lab.gateway, To::OtherHosts, LISTENER);
        let restored = (true, vec![counter.to_owned()]);
        let refused = (false, vec!["unredirected".to_owned()]);
        for version in Version::under_test() {
            for is_outside in [false, true] {
                let envoy = start(&lab, version, is_outside, is_transparent);
                // Another host's port of the same number.
                let same_number = match is_outside || all_alike {
                    true => &refused,
                    false => &restored,
                };
                for (ip, own) in [(UPSTREAM_V4, GATEWAY_V4), (UPSTREAM_V6, GATEWAY_V6)] {
                    for (ip, port, wanted) in [
                        (ip, PORT, &restored),
                        (ip, LISTENER, same_number),
                        (own, LISTENER, &refused),
                    ] {
                        let to = SocketAddr::new(ip, port);
                        let row = format!("{to}, {counter}, outside: {is_outside}, in {version}");
                        assert_eq!(&ask(&lab, &envoy, to), wanted, "{row}");
                    }
                }
            }
        }
    }
}
