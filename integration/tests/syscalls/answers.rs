//! A BPF program answers `SO_ORIGINAL_DST` in the kernel's place.

use std::net::{IpAddr, SocketAddr};

use lab::address::{UPSTREAM_V4, UPSTREAM_V6};
use lab::client::tcp_ask;
use lab::module::module_filter;
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};

use crate::redirector::Redirector;
use crate::trace::{getsockopt_calls, is_original_dst};

const LISTENER: u16 = 15001;
/// The ports whose answers are addresses: as long as they are; in IPv6's form; as long as the room.
const ANSWERED: [u16; 3] = [8080, 8081, 8082];
/// The ports whose answers are none: five lengths that no address has, another family.
const HOSTILE: [u16; 6] = [8083, 8084, 8085, 8086, 8087, 8088];
/// A port that only rules of the kernel redirect.
const OF_KERNEL: u16 = 9090;

/// Listeners of one family each, or one of both.
const BOUND: [&[&str]; 2] = [&["0.0.0.0", "[::]"], &["both"]];

fn start(lab: &Lab, redirector: &Redirector, version: Version, bound: &[&str]) -> Envoy {
    let listener = |host: &&str| match *host {
        "both" => Listener::new(&format!("[::]:{LISTENER}")).ipv4_compat(),
        host => Listener::new(&format!("{host}:{LISTENER}")),
    };
    let listeners = bound.iter().map(listener);
    let listeners = listeners.map(|listener| listener.filter(module_filter(None)).tcp());
    let group = redirector.envoys();
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap(listeners, []))
        .under(&group.each_ref().map(String::as_str))
        .start()
}

#[test]
fn addresses_of_either_family() {
    let lab = Lab::new();
    let redirector = Redirector::new(&lab);
    let served = [&ANSWERED[..], &HOSTILE, &[OF_KERNEL]].concat();
    let _upstream = Upstream::start(&lab.upstream, &served);
    lab.gateway.redirect(To::Port(OF_KERNEL), LISTENER);
    let asked = |port| [UPSTREAM_V4, UPSTREAM_V6].map(|ip: IpAddr| SocketAddr::new(ip, port));
    for version in Version::under_test() {
        for bound in BOUND {
            let envoy = start(&lab, &redirector, version, bound);
            let count = |counter: &str| envoy.stat_sum(&format!("original_dst.{counter}"));
            for (to, nth) in ANSWERED.into_iter().flat_map(asked).zip(1..) {
                let row = format!("{to} at {bound:?} in {version}");
                let reached = redirector.ask(&lab, to);
                assert_eq!(reached.map(|reached| reached.local), Some(to), "{row}");
                assert_eq!(count("restored_redirect"), Some(nth), "{row}");
            }
            for (to, nth) in HOSTILE.into_iter().flat_map(asked).zip(1..) {
                let row = format!("{to} at {bound:?} in {version}");
                assert_eq!(redirector.ask(&lab, to), None, "{row}");
                assert_eq!(count("invalid_address"), Some(nth), "{row}");
            }
            // What the program does not know, the kernel answers.
            for to in asked(OF_KERNEL) {
                let answer = tcp_ask(&lab.client, to);
                assert_eq!(
                    answer.map(|answer| answer.reached.local),
                    Ok(to),
                    "{version}"
                );
            }
            let restored = 2 * ANSWERED.len() as u64 + 2;
            assert_eq!(count("restored_redirect"), Some(restored), "{version}");
        }
    }
}

/// One question, whether the answer is good or not.
#[test]
fn one_call_for_each() {
    let lab = Lab::new();
    let redirector = Redirector::new(&lab);
    let _upstream = Upstream::start(&lab.upstream, &ANSWERED);
    for version in Version::under_test() {
        let envoy = start(&lab, &redirector, version, BOUND[1]);
        let ports = [&ANSWERED[..], &HOSTILE].concat();
        let calls = getsockopt_calls(&envoy, || {
            for ip in [UPSTREAM_V4, UPSTREAM_V6] {
                for &port in &ports {
                    redirector.ask(&lab, SocketAddr::new(ip, port));
                }
            }
        });
        let asked = calls.iter().filter(is_original_dst).count();
        assert_eq!(asked, 2 * ports.len(), "{version}: {calls:#?}");
    }
}
