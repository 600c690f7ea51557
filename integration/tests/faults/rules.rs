//! The rules that redirect are taken away and set again while clients connect.

use std::thread;
use std::time::Duration;

use lab::To;

use crate::site::{LISTENER, under_load};

/// Without the rules, the gateway forwards: a connection gets where it wants to either way.
#[test]
fn that_come_and_go_lead_nobody_astray() {
    under_load(
        |gateway| {
            for _ in 0..5 {
                // The chains stay: without them, packets of open connections are not translated.
                gateway.iptables("-t nat -F PREROUTING");
                gateway.ip6tables("-t nat -F PREROUTING");
                thread::sleep(Duration::from_millis(30));
                gateway.redirect(To::OtherHosts, LISTENER);
                thread::sleep(Duration::from_millis(30));
            }
        },
        |tally, what| {
            let is_mixed = tally.direct > 0 && tally.answered > tally.direct;
            assert!(is_mixed, "{what}: {tally:?}");
            // The kernel drops or resets a few that a change meets half-open, whatever the filter.
            let few = tally.connections() / 20;
            assert!((tally.failed.len() as u64) < few, "{what}: {tally:?}");
        },
    );
}
