//! `freebind`: listeners that are bound to addresses before the host has them.

use std::net::SocketAddr;

use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Failure, Lab, Listener, Version, bootstrap};
use serde_json::json;

use super::site::{LISTED, exempt_envoy, marked, upstream};
use crate::row::{filter_stats, moved};
use crate::way::Way::*;
use crate::{LISTENER, options, start};

#[test]
fn addresses_that_come_later() {
    let lab = Lab::new();
    exempt_envoy(&lab);
    lab.upstream.ip("addr add 203.0.113.9/32 dev lo
                     addr add 2001:db8:78::9/128 dev lo nodad");
    let yaml = format!("{{ recovery_methods: [SO_ORIGINAL_DST, LOCAL_ADDRESS], {LISTED} }}");
    let module = module_filter(Some(options(&yaml)));
    let filters = [Some(module), Some(builtin_filter()), None];
    let _upstream = upstream(&lab, filters.len());
    let at = |port| {
        [
            format!("203.0.113.9:{port}"),
            format!("[2001:db8:78::9]:{port}"),
        ]
    };
    let listeners = filters
        .into_iter()
        .zip(LISTENER..)
        .flat_map(|(filter, port)| {
            at(port).map(|address| {
                let listener = Listener::new(&address).field("freebind", json!(true));
                filter
                    .clone()
                    .into_iter()
                    .fold(listener, Listener::filter)
                    .tcp()
            })
        });
    let config = marked(bootstrap(listeners, []));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        lab.gateway.ip("addr add 203.0.113.9/32 dev lo
                        addr add 2001:db8:78::9/128 dev lo nodad");
        lab.gateway.wait_for_addresses();
        for way in [Direct, DirectUntracked, DirectWithoutRules] {
            way.set_up(&lab, LISTENER);
            for (port, reaches) in (LISTENER..).zip([true, way == Direct, false]) {
                for to in at(port) {
                    let to: SocketAddr = to.parse().expect("an address");
                    let before = filter_stats(&envoy);
                    let answer = tcp_ask(&lab.client, to);
                    let row = format!("{to}, {way:?} in {version}: {answer:?}");
                    match reaches {
                        true => assert_eq!(answer.map(|a| a.reached.local), Ok(to), "{row}"),
                        false => assert!(answer.as_ref().is_err_and(Failure::is_closed), "{row}"),
                    }
                    let counted = moved(&before, &filter_stats(&envoy));
                    let wanted: &[&str] = match port {
                        LISTENER => &["restored_local_address"],
                        _ => &[],
                    };
                    assert_eq!(counted, wanted, "{row}");
                }
            }
        }
        drop(envoy);
        lab.gateway.ip("addr del 203.0.113.9/32 dev lo
                        addr del 2001:db8:78::9/128 dev lo");
    }
}
