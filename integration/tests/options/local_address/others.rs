//! The same connections with Envoy's own filter, and with none.

use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Lab, Listener, Version, bootstrap};

use super::site::LISTED;
use super::site::{ANY_V4, ANY_V6, VIP_V4, VIP_V6, exempt_envoy, marked, take_addresses, upstream};
use crate::way::Way::{self, *};
use crate::{LISTENER, options, start};

/// Envoy's own filter has a destination where connections are tracked, and the listener's own
/// address is one to it as well.
#[test]
fn reach_nothing_untracked() {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let local = format!("{{ recovery_methods: [LOCAL_ADDRESS], {LISTED} }}");
    let all = [Direct, DirectUntracked, DirectWithoutRules];
    let (tracked, none): (&[Way], &[Way]) = (&[Direct], &[]);
    let filters = [
        (Some(builtin_filter()), tracked),
        (Some(module_filter(None)), tracked),
        (None, none),
        (Some(module_filter(Some(options(&local)))), &all[..]),
    ];
    let _upstream = upstream(&lab, filters.len());
    let filters: Vec<_> = filters.into_iter().zip(LISTENER..).collect();
    let listeners = filters.iter().map(|((filter, _), port)| {
        let listener = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        filter
            .clone()
            .into_iter()
            .fold(listener, Listener::filter)
            .tcp()
    });
    let config = marked(bootstrap(listeners, []));
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        let mut unreached = 0;
        for way in all {
            way.set_up(&lab, LISTENER);
            for ((filter, reaches), port) in &filters {
                for ip in [ANY_V4, ANY_V6, VIP_V4, VIP_V6] {
                    let to = format!("{ip}:{port}").parse().expect("an address");
                    let answer = tcp_ask(&lab.client, to);
                    let row = format!("{filter:?}, {way:?}, {to} in {version}: {answer:?}");
                    match reaches.contains(&way) {
                        true => {
                            let reached = answer.map(|answer| answer.reached.local);
                            assert_eq!(reached, Ok(to), "{row}");
                        }
                        false => {
                            assert!(answer.is_err_and(|failure| failure.is_closed()), "{row}");
                            unreached += 1;
                        }
                    }
                }
            }
        }
        let unhealthy = "cluster.original_dst.upstream_cx_none_healthy";
        assert_eq!(envoy.stat(unhealthy), Some(unreached), "{version}");
    }
}
