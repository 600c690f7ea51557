//! What the module refuses, beside Istio's own chains, and where it is seen.

use std::iter;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::http_get;
use lab::{Answer, Envoy, Netns, Upstream, Version, eventually};
use serde_json::{Value, json};

use super::pilot::{Mode, virtual_inbound, virtual_outbound};
use super::sidecar::{Pod, config, patched};
use crate::PORT;

const LOOPBACK_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Calls to the listeners themselves, and how many connections come of one with Istio's chains alone.
/// What comes from outside comes to virtualInbound, whatever its port.
const CALLS: [(From, [IpAddr; 2], u16, u64); 6] = [
    (From::Outside, [GATEWAY_V4, GATEWAY_V6], 15001, 2),
    (From::Outside, [GATEWAY_V4, GATEWAY_V6], 15006, 1),
    (From::Pod, [GATEWAY_V4, GATEWAY_V6], 15001, 1),
    (From::Pod, [GATEWAY_V4, GATEWAY_V6], 15006, 1),
    (From::Pod, [LOOPBACK_V4, LOOPBACK_V6], 15001, 1),
    (From::Pod, [LOOPBACK_V4, LOOPBACK_V6], 15006, 1),
];

#[derive(Clone, Copy, Debug)]
enum From {
    Outside,
    Pod,
}

#[test]
fn redirect() {
    nothing_loops(Mode::Redirect);
}

#[test]
fn tproxy() {
    nothing_loops(Mode::Tproxy);
}

/// Istio's chains end what they are meant to end. The module ends it before there is a connection, with
/// those chains or without.
fn nothing_loops(mode: Mode) {
    let pod = Pod::new(mode);
    for version in Version::under_test() {
        let alone = [virtual_outbound(mode), virtual_inbound(mode)];
        let without_chains = patched(mode).map(without_blackhole);
        let guarded = [patched(mode), without_chains].map(|listeners| (listeners, true));
        for (listeners, is_guarded) in iter::once((alone, false)).chain(guarded) {
            let envoy = mode
                .envoy(&pod.lab.gateway, version)
                .config(config(listeners))
                .start();
            let mut wanted = [0, 0];
            for (from, ips, port, connections) in CALLS {
                for ip in ips {
                    let to = SocketAddr::new(ip, port);
                    let failure = http_get(from.host(&pod), to).expect_err("nobody is there");
                    assert!(failure.is_closed() || !is_guarded, "{version}: {failure}");
                    wanted[0] += if is_guarded { 0 } else { connections };
                    wanted[1] += u64::from(is_guarded);
                    // More would stay more. A connection that ends at once is counted after that.
                    let call = format!("{from:?} to {to} in {version}, guarded: {is_guarded}");
                    eventually(&call, || counts(&envoy) == wanted);
                }
            }
        }
    }
}

fn without_blackhole(mut listener: Value) -> Value {
    let chains = listener["filter_chains"].as_array_mut().expect("chains");
    let all = chains.len();
    chains.retain(|chain| {
        !chain["name"]
            .as_str()
            .expect("a name")
            .ends_with("-blackhole")
    });
    assert_eq!(chains.len(), all - 1);
    listener
}

/// What goes to these ports of another host ends in Istio's chains, as it does without the module: Envoy
/// hands what asks for port 15006 to virtualInbound.
#[test]
fn other_hosts() {
    for mode in [Mode::Redirect, Mode::Tproxy] {
        let pod = Pod::new(mode);
        let _peer = Upstream::start(&pod.lab.upstream, &[15001, 15006]);
        let alone = [virtual_outbound(mode), virtual_inbound(mode)];
        for version in Version::under_test() {
            for listeners in [alone.clone(), patched(mode)] {
                let envoy = mode
                    .envoy(&pod.lab.gateway, version)
                    .config(config(listeners))
                    .start();
                for ip in [UPSTREAM_V4, UPSTREAM_V6] {
                    for port in [15001, 15006] {
                        is_closed(&pod.lab.gateway, SocketAddr::new(ip, port));
                    }
                }
                eventually("four connections, none refused", || {
                    counts(&envoy) == [4, 0]
                });
            }
        }
    }
}

/// The connections that the listeners' chains were given, and those that the module refused.
fn counts(envoy: &Envoy) -> [u64; 2] {
    let stats = envoy.idle_stats();
    let sum = |suffixes: &[&str]| {
        let is_counted = |name: &str| suffixes.iter().any(|suffix| name.ends_with(suffix));
        let counted = stats.iter().filter(|(name, _)| is_counted(name));
        counted.map(|(_, count)| count).sum()
    };
    [
        sum(&["_15001.downstream_cx_total", "_15006.downstream_cx_total"]),
        sum(&[".original_dst.unredirected"]),
    ]
}

/// Istio's listener log has an entry for what no chain matches, and none for a refusal; the log that the
/// file adds has it the other way round.
#[test]
fn access_log() {
    let mode = Mode::Redirect;
    let pod = Pod::new(mode);
    let [outbound, mut inbound] = patched(mode);
    // As with mutual TLS alone: no chain for plain text.
    let chains = inbound["filter_chains"].as_array_mut().expect("chains");
    chains.retain(|chain| chain["filter_chain_match"]["transport_protocol"] != "raw_buffer");
    for version in Version::under_test() {
        let config = config([outbound.clone(), inbound.clone()]);
        let envoy = mode.envoy(&pod.lab.gateway, version).config(config).start();
        is_closed(&pod.lab.client, SocketAddr::new(GATEWAY_V4, PORT));
        let to = SocketAddr::new(GATEWAY_V4, 15001);
        is_closed(&pod.lab.client, to);
        let log = envoy.wait_access_log(|log| log.len() >= 2);
        let [unmatched, refused] = &log[..] else {
            panic!("{version}: {log:#?}");
        };
        assert_eq!(unmatched["listener"], "virtualInbound", "{version}");
        assert_eq!(unmatched["response_flags"], "NR", "{version}");
        assert_eq!(refused["refused"], "original_dst_unredirected", "{version}");
        assert_eq!(refused["destination"], to.to_string(), "{version}");
    }
}

/// A denied destination is counted by AUDIT, which the file says, and refused by CLOSE. IGNORE does not
/// keep clients from it: Envoy's own filter stands behind the module.
#[test]
fn denied() {
    let mode = Mode::Redirect;
    let pod = Pod::new(mode);
    pod.lab.upstream.ip("addr add 169.254.169.254/32 dev lo");
    pod.lab
        .gateway
        .ip("route add 169.254.169.254/32 via 10.2.0.2");
    let to = SocketAddr::from(([169, 254, 169, 254], PORT));
    for version in Version::under_test() {
        for (on_denied, reaches) in [("AUDIT", true), ("CLOSE", false), ("IGNORE", true)] {
            let mut listeners = patched(mode);
            let action = on_denied_of(&mut listeners[0]);
            match on_denied {
                "AUDIT" => assert_eq!(action, "AUDIT"),
                other => *action = json!(other),
            }
            let envoy = mode
                .envoy(&pod.lab.gateway, version)
                .config(config(listeners))
                .start();
            let answer = http_get(&pod.lab.gateway, to);
            let reached = answer.clone().map(|answer: Answer| answer.reached.local);
            assert_eq!(
                reached.ok(),
                reaches.then_some(to),
                "{version}: {on_denied}: {answer:?}"
            );
            let counted = envoy.stat_sum(".outbound.original_dst.denied");
            assert_eq!(counted, Some(1), "{version}: {on_denied}");
            if !reaches {
                let log = envoy.wait_access_log(|log| !log.is_empty());
                assert_eq!(log[0]["refused"], "original_dst_denied", "{version}");
                assert_eq!(log[0]["destination"], to.to_string(), "{version}");
            }
        }
    }
}

fn on_denied_of(outbound: &mut Value) -> &mut Value {
    let option = "/listener_filters/0/typed_config/filter_config/value/destinations/on_denied";
    outbound.pointer_mut(option).expect("the file says it")
}

/// Not with a half-closed connection: the inspectors take that for its end.
fn is_closed(from: &Netns, to: SocketAddr) {
    let failure = http_get(from, to).expect_err("nobody answers");
    assert!(failure.is_closed(), "{to}: {failure}");
}

impl From {
    fn host(self, pod: &Pod) -> &Netns {
        match self {
            Self::Outside => &pod.lab.client,
            Self::Pod => &pod.lab.gateway,
        }
    }
}
