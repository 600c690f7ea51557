//! Connections through a patched sidecar.

use std::net::{IpAddr, SocketAddr};

use lab::address::{CLIENT_V4, CLIENT_V6, GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::http_get;
use lab::{Envoy, Netns, Version};

use super::pilot::Mode;
use super::sidecar::{OTHER, Pod, SERVICE_V4, SERVICE_V6, config, patched};
use crate::PORT;

/// With REDIRECT, the application sees the address that the rules exempt.
#[test]
fn redirect() {
    let seen = ["127.0.0.6", "::6"].map(|ip| ip.parse().expect("an address"));
    goes_through(Mode::Redirect, "restored_redirect", seen);
}

/// With TPROXY, it sees the client's: original_src stands behind the module.
#[test]
fn tproxy() {
    goes_through(Mode::Tproxy, "restored_transparent", [CLIENT_V4, CLIENT_V6]);
}

fn goes_through(mode: Mode, inbound: &str, seen: [IpAddr; 2]) {
    let pod = Pod::new(mode);
    let (outside, inside) = (&pod.lab.client, &pod.lab.gateway);
    for version in Version::under_test() {
        let envoy = mode
            .envoy(inside, version)
            .config(config(patched(mode)))
            .start();
        for (to, peer) in [GATEWAY_V4, GATEWAY_V6].into_iter().zip(seen) {
            let peer_seen = through(
                &envoy,
                outside,
                (to, PORT),
                to,
                "virtualInbound-catchall-http",
            );
            assert_eq!(peer_seen, peer, "{version}");
        }
        for to in [UPSTREAM_V4, UPSTREAM_V6] {
            through(
                &envoy,
                inside,
                (to, OTHER),
                to,
                "virtualOutbound-catchall-tcp",
            );
        }
        for (to, listener) in [(UPSTREAM_V4, "0.0.0.0_8080"), (UPSTREAM_V6, "[::]_8080")] {
            through(&envoy, inside, (to, PORT), to, listener);
        }
        for (to, pod, listener) in [
            (SERVICE_V4, GATEWAY_V4, "192.0.2.10_8080"),
            (SERVICE_V6, GATEWAY_V6, "[2001:db8:96::10]_8080"),
        ] {
            through(&envoy, inside, (to, PORT), pod, listener);
        }
        for (counter, connections) in [
            ("outbound.original_dst.restored_redirect".to_owned(), 6),
            // From outside, and from the sidecar itself, which is an endpoint of the service.
            (format!("inbound.original_dst.{inbound}"), 4),
        ] {
            let counted = envoy.stat_sum(&format!(".{counter}"));
            assert_eq!(counted, Some(connections), "{version}: {counter}");
        }
        assert_eq!(
            envoy.stat_sum("original_dst.unredirected"),
            Some(0),
            "{version}"
        );
        let refused = envoy.access_log();
        let refused: Vec<_> = refused
            .iter()
            .filter(|entry| entry.get("refused").is_some())
            .collect();
        assert!(refused.is_empty(), "{version}: {refused:?}");
    }
}

/// A connection reaches this address, and the log of the listener or chain knows where it was going;
/// the address that it came from, as the application sees it.
fn through(envoy: &Envoy, from: &Netns, to: (IpAddr, u16), reaches: IpAddr, by: &str) -> IpAddr {
    let to = SocketAddr::from(to);
    let answer = http_get(from, to).unwrap_or_else(|failure| panic!("{to}: {failure}"));
    assert_eq!(answer.reached.local, SocketAddr::new(reaches, to.port()));
    assert_ne!(answer.reached.peer, answer.local, "{to}: not through Envoy");
    envoy.wait_access_log(|log| {
        log.iter().any(|entry| {
            entry["listener"] == by
                && entry["downstream_remote_address"] == answer.local.to_string()
                && entry["downstream_local_address"] == to.to_string()
        })
    });
    answer.reached.peer.ip()
}
