//! The rules that redirect are taken away and set again while clients connect.

use std::thread;
use std::time::Duration;

use lab::{Load, To, Version};

use crate::site::{LISTENER, Site, counted, filters};

/// Without the rules, the gateway forwards: a connection gets where it wants to either way.
#[test]
fn that_come_and_go_lead_nobody_astray() {
    let site = Site::new();
    for version in Version::under_test() {
        for (name, filter) in filters() {
            site.gateway().redirect(To::OtherHosts, LISTENER);
            let mut envoy = site.envoy(version, filter).start();
            site.works("before");
            let load = Load::start(&site.lab.client, 8, &site.destinations());
            for _ in 0..5 {
                // The chains stay: without them, packets of open connections are not translated.
                site.gateway().iptables("-t nat -F PREROUTING");
                site.gateway().ip6tables("-t nat -F PREROUTING");
                thread::sleep(Duration::from_millis(30));
                site.gateway().redirect(To::OtherHosts, LISTENER);
                thread::sleep(Duration::from_millis(30));
            }
            let tally = load.stop();
            let is_mixed = tally.direct > 0 && tally.answered > tally.direct;
            assert!(is_mixed, "{version}, {name}: {tally:?}");
            assert!(tally.wrong.is_empty(), "{version}, {name}: {tally:?}");
            // The kernel drops or resets a few that a change meets half-open, whatever the filter.
            let few = tally.connections() / 20;
            assert!(
                (tally.failed.len() as u64) < few,
                "{version}, {name}: {tally:?}"
            );
            site.works("after");
            assert!(envoy.is_alive(), "{version}, {name}");
            if name == "the module" {
                let came = envoy.stat_sum(&format!("_{LISTENER}.downstream_cx_total"));
                assert_eq!(Some(counted(&envoy)), came, "{version}");
            }
            site.gateway().flush();
        }
    }
}
