//! sk_lookup: a BPF program chooses the listener by the port that is asked for. `deploy/sk-lookup` has
//! the program.

use std::net::SocketAddr;
use std::process::Command;

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::client::tcp_ask;
use lab::kernel::Feature;
use lab::module::{builtin_filter, module_filter};
use lab::{Envoy, Failure, Lab, Listener, Upstream, Version, bootstrap, workspace};

use super::site::{ANY_V4, ANY_V6, LISTED, VIP_V4, VIP_V6, exempt_envoy, marked, take_addresses};
use crate::row::{filter_stats, moved};
use crate::way::Way::{self, *};
use crate::{LISTENER, options, start};

/// What is steered to the listeners: to that of the module a port and a range, to those of Envoy's own
/// filter and of none a port each, and one to a listener of the module that is bound to one address.
const STEERED: [(u16, u16, u16); 5] = [
    (LISTENER, 9000, 9000),
    (LISTENER, 8000, 8100),
    (LISTENER + 1, 8200, 8200),
    (LISTENER + 2, 8300, 8300),
    (LISTENER + 3, TO_BOUND, TO_BOUND),
];
/// Envoy tells the address of that listener as the connection's.
const TO_BOUND: u16 = 8400;
const OF_MODULE: [u16; 4] = [9000, 8000, 8050, 8100];
const NOT_STEERED: [u16; 4] = [8999, 9001, 7999, 8101];

/// Steers what asks for these ports to a listener. It ends with the listener's socket.
fn steer(lab: &Lab, (listener, first, last): (u16, u16, u16)) {
    let steer = workspace().join("target/sk-lookup/steer");
    lab.gateway.sh(&format!(
        "listener=$(ss -Hlntp 'sport = :{listener}' |
           sed 's/.*pid=\\([0-9]*\\),fd=\\([0-9]*\\).*/\\1 \\2/')
         {} $listener {first} {last}",
        steer.display()
    ));
}

fn asked(ip: &str, port: u16) -> SocketAddr {
    format!("{ip}:{port}").parse().expect("an address")
}

/// What the module counted of a connection that Envoy closed or had nowhere to send.
fn closed(lab: &Lab, envoy: &Envoy, to: SocketAddr, row: &str) -> Vec<String> {
    let before = filter_stats(envoy);
    let answer = tcp_ask(&lab.client, to);
    let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
    assert!(is_closed, "{row}: {answer:?}");
    moved(&before, &filter_stats(envoy))
}

#[test]
fn a_port_and_a_range() {
    if Feature::SkLookup.is_missing_for("local_address::steered::a_port_and_a_range") {
        return;
    }
    let make = Command::new("make")
        .args(["-s", "-C", "deploy/sk-lookup"])
        .current_dir(workspace())
        .status();
    assert!(make.expect("make runs").success());
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let ports = [&OF_MODULE[..], &NOT_STEERED, &[8200, 8300, TO_BOUND]].concat();
    let _upstream = Upstream::start(&lab.upstream, &ports);
    let methods = "recovery_methods: [SO_ORIGINAL_DST, LOCAL_ADDRESS]";
    let yaml = format!("{{ {methods}, {LISTED}, unredirected_connections: CLOSE }}");
    let module = module_filter(Some(options(&yaml)));
    let bound = Listener::new(&format!("127.0.0.1:{}", LISTENER + 3)).filter(module.clone());
    let filters = [Some(module), Some(builtin_filter()), None];
    let listeners = filters.into_iter().zip(LISTENER..).map(|(filter, port)| {
        let listener = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        filter.into_iter().fold(listener, Listener::filter).tcp()
    });
    let config = marked(bootstrap(listeners.chain([bound.tcp()]), []));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for steered in STEERED {
            steer(&lab, steered);
        }
        for way in [Direct, DirectUntracked, DirectWithoutRules] {
            way.set_up(&lab, LISTENER);
            check(&lab, &envoy, way, version);
        }
    }
}

fn check(lab: &Lab, envoy: &Envoy, way: Way, version: Version) {
    for ip in [ANY_V4, ANY_V6, VIP_V4, VIP_V6] {
        let row = |to: SocketAddr| format!("{to}, {way:?} in {version}");
        let reached = |to| tcp_ask(&lab.client, to).map(|answer| answer.reached.local);
        for to in OF_MODULE.map(|port| asked(ip, port)) {
            let before = filter_stats(envoy);
            assert_eq!(reached(to), Ok(to), "{}", row(to));
            let moved = moved(&before, &filter_stats(envoy));
            assert_eq!(moved, ["restored_local_address"], "{}", row(to));
        }
        for to in NOT_STEERED.map(|port| asked(ip, port)) {
            assert_eq!(reached(to), Err(Failure::Refused), "{}", row(to));
        }
        let of_builtin = asked(ip, 8200);
        match way {
            Direct => assert_eq!(reached(of_builtin), Ok(of_builtin), "{}", row(of_builtin)),
            _ => assert!(closed(lab, envoy, of_builtin, &row(of_builtin)).is_empty()),
        }
        let of_none = asked(ip, 8300);
        assert!(closed(lab, envoy, of_none, &row(of_none)).is_empty());
    }
    for to in [ANY_V4, VIP_V4].map(|ip| asked(ip, TO_BOUND)) {
        let before = filter_stats(envoy);
        let reached = tcp_ask(&lab.client, to).map(|answer| answer.reached.local);
        assert_eq!(reached, Ok(to), "{to}, {way:?} in {version}");
        let moved = moved(&before, &filter_stats(envoy));
        assert_eq!(
            moved,
            ["restored_local_address"],
            "{to}, {way:?} in {version}"
        );
    }
    // An address that is not listed is steered as well.
    for to in [
        (GATEWAY_V4, 8050),
        (GATEWAY_V6, 8050),
        (GATEWAY_V4, TO_BOUND),
    ]
    .map(SocketAddr::from)
    {
        let row = format!("{to}, {way:?} in {version}");
        let counted = closed(lab, envoy, to, &row);
        let wanted = match way {
            Direct => "unredirected",
            _ => "unavailable",
        };
        assert_eq!(counted, [wanted], "{row}");
    }
}
