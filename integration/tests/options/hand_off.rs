//! `hand_off`: which listener deals with a connection, and that no connection ends Envoy.

use std::net::SocketAddr;

use lab::access_log::{self, Source};
use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4};
use lab::client::tcp_ask;
use lab::config::static_cluster;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, Netns, To, Upstream, Version, bootstrap};
use serde_json::{Value, json};

use crate::{LISTENER, PORT, options, start};

/// Whether listeners are transparent, the rule that leads to them, and their hosts, by family.
type Kind = (bool, fn(&Netns, To, u16), [&'static str; 2]);

/// The listener whose TCP proxy had the client.
pub fn proxied_by(envoy: &Envoy, client: SocketAddr) -> String {
    let client = client.to_string();
    let find = |log: &[Value]| {
        let proxied = access_log::of(log, Source::Tcp);
        let entry = proxied
            .into_iter()
            .find(|entry| entry["downstream_remote_address"] == client);
        entry
            .and_then(|entry| entry["listener"].as_str())
            .map(str::to_owned)
    };
    find(&envoy.wait_access_log(|log| find(log).is_some())).expect("waited for")
}

#[test]
fn values() {
    let (redirected, target) = ("0.0.0.0:15001", "0.0.0.0:8080");
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let asked = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        // The option, the listener's own setting, and the listener that gets the connection.
        for (option, use_original_dst, gets_it) in [
            ("{}", false, redirected),
            ("{}", true, target),
            ("hand_off: false", false, redirected),
            ("hand_off: false", true, redirected),
            ("hand_off: true", false, target),
            ("hand_off: true", true, target),
        ] {
            let listener = Listener::new(redirected).filter(module_filter(Some(options(option))));
            let listener = listener.field("use_original_dst", json!(use_original_dst));
            let target = Listener::new(target).field("bind_to_port", json!(false));
            let envoy = start(&lab, version, bootstrap([listener.tcp(), target.tcp()], []));
            let answer = tcp_ask(&lab.client, asked).expect("an answer");
            let row = format!("{option}, use_original_dst {use_original_dst} in {version}");
            assert_eq!(answer.reached.local, asked, "{row}");
            assert_eq!(proxied_by(&envoy, answer.local), gets_it, "{row}");
        }
    }
}

/// Connections whose destination is the listener that they arrive at, or one that hands over what
/// arrives there to the first in turn. The destination's listener deals with each.
#[test]
fn to_listeners_that_hand_off() {
    let lab = Lab::new();
    let upstream = SocketAddr::new(UPSTREAM_V4, PORT);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let kinds: [Kind; 4] = [
        (false, Netns::redirect, ["0.0.0.0", "[::]"]),
        (false, Netns::redirect, ["10.1.0.1", "[fd01::1]"]),
        (true, Netns::tproxy, ["0.0.0.0", "[::]"]),
        (true, Netns::tproxy, ["10.1.0.1", "[fd01::1]"]),
    ];
    let kinds: Vec<_> = kinds.into_iter().zip((LISTENER..).step_by(2)).collect();
    let listeners = kinds.iter().flat_map(|&((transparent, _, hosts), port)| {
        let addresses = hosts
            .into_iter()
            .flat_map(move |host| [(host, port), (host, port + 1)]);
        addresses.map(move |(host, port)| {
            let options = options(&format!("{{ hand_off: true, listener_ports: [{port}] }}"));
            Listener::new(&format!("{host}:{port}"))
                .filter(module_filter(Some(options)))
                .field("transparent", json!(transparent))
                .cluster("upstream")
                .tcp()
        })
    });
    let config = bootstrap(listeners, [static_cluster("upstream", upstream)]);
    for version in Version::under_test() {
        let mut envoy = start(&lab, version, config.clone());
        for &((_, redirect, hosts), port) in &kinds {
            for crossed in [false, true] {
                lab.gateway.flush();
                lab.gateway.track();
                if crossed {
                    redirect(&lab.gateway, To::Port(port), port + 1);
                    redirect(&lab.gateway, To::Port(port + 1), port);
                }
                for (ip, host) in [GATEWAY_V4, GATEWAY_V6].into_iter().zip(hosts) {
                    let row = format!("{host}:{port}, crossed {crossed}, in {version}");
                    let unredirected = envoy.stat_sum(".unredirected").expect("a counter");
                    let answer = tcp_ask(&lab.client, SocketAddr::new(ip, port));
                    assert!(envoy.is_alive(), "{row}: {answer:?}");
                    let client = answer.expect("an answer").local;
                    assert_eq!(
                        proxied_by(&envoy, client),
                        format!("{host}:{port}"),
                        "{row}"
                    );
                    // Not handed to the listener where it is: that would count it once more.
                    let counted = unredirected + 1;
                    assert_eq!(envoy.stat_sum(".unredirected"), Some(counted), "{row}");
                }
            }
        }
    }
}
