//! Rules that change while connections are open: the filter alone, by file (ECDS), and, for contrast, its
//! whole listener (LDS).

mod fetch;
mod site;

use std::net::{SocketAddr, TcpStream};

use lab::address::GATEWAY_V6;
use lab::client::{http_ask, tcp_ask};
use lab::{Client, Lab, Load, To, eventually};
use serde_json::json;

use crate::in_every_version;
use site::{ASKED, By, DISCOVERY, LISTENER, PORT, Site, flip, is_as_wanted, refuses};

const FLIPS: u64 = 40;
const OPEN: usize = 50;
const UPDATES: u64 = 200;

/// Connections that stay open, each of which has been answered.
fn open(lab: &Lab) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = Client::new(&lab.client).connect(ASKED).expect("open");
        http_ask(&mut stream).expect("an answer");
        stream
    };
    (0..OPEN).map(connect).collect()
}

/// How many of them are still answered.
fn live(open: &mut [TcpStream]) -> usize {
    open.iter_mut().filter_map(|s| http_ask(s).ok()).count()
}

#[test]
fn the_next_connection_meets_the_new_rules() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Ecds, flip(0));
        let mut open = open(&site.lab);
        for update in 1..=FLIPS {
            site.update(flip(update));
            let first = site.ask();
            assert!(is_as_wanted(first.clone(), update), "{version}: {first:?}");
            assert_eq!(live(&mut open), OPEN, "{version}, update {update}");
        }
        // If there were a listener before this one, it would end them now.
        eventually("no listener drains", || !site.drains());
        assert_eq!(live(&mut open), OPEN, "{version}");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

/// For contrast: an update of the listener ends what is open, once its drain time is over.
#[test]
fn an_update_of_the_listener_ends_what_is_open() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Lds, flip(0));
        let mut open = open(&site.lab);
        for update in 1..=FLIPS {
            site.update(flip(update));
            eventually("the new rules", || is_as_wanted(site.ask(), update));
        }
        eventually("the open connections have ended", || live(&mut open) == 0);
        assert!(site.envoy.stop().success(), "{version}");
    });
}

#[test]
fn updates_under_load_lose_none() {
    in_every_version(|version| {
        let rules = |update| flip(2 * update);
        let mut site = Site::start(version, By::Ecds, rules(0));
        let load = Load::start(&site.lab.client, 4, &[ASKED]);
        for update in 1..=UPDATES {
            // What differs is of no matter to the clients.
            let mut options = rules(update);
            options["publish_metadata"] = json!(refuses(update));
            site.update(options);
        }
        let tally = load.stop();
        assert!(tally.answered > UPDATES, "{version}: {tally:?}");
        assert_eq!(tally.connections(), tally.answered, "{version}: {tally:?}");
        let counted = site.stat(".original_dst.restored_redirect");
        assert_eq!(counted, tally.answered, "{version}");
        println!("{version}: {UPDATES} updates, {counted} connections");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

#[test]
fn a_bad_update_leaves_the_rules_as_they_were() {
    in_every_version(|version| {
        let mut site = Site::start(version, By::Ecds, flip(0));
        site.update(flip(1));
        let rejected = |site: &Site| site.stat(&format!("{DISCOVERY}.update_rejected"));
        assert_eq!(rejected(&site), 0, "{version}");
        site.put(json!({ "destinations": { "deny": ["NONSENSE"] } }));
        eventually("a refusal", || rejected(&site) == 1);
        assert_eq!(
            site.stat(&format!("{DISCOVERY}.config_fail")),
            1,
            "{version}"
        );
        site.envoy.wait_log("why", |line| {
            line.contains("destinations.deny[0]: \"NONSENSE\": expected an address")
        });
        // All that a control plane would hear.
        site.envoy.wait_log("what Envoy makes of it", |line| {
            line.ends_with(
                "update rejected: Failed to create filter config: Failed to initialize dynamic module \
                 listener filter config",
            )
        });
        let asked = site.ask();
        assert!(is_as_wanted(asked.clone(), 1), "{version}: {asked:?}");
        assert_eq!(site.version_text(), "1", "{version}");
        // What it shows is what it was sent, not what is in force.
        let dump = site.envoy.admin("/config_dump?resource=ecds_filters");
        assert!(dump.contains("NONSENSE"), "{version}: {dump}");
        site.update(flip(2));
        let asked = site.ask();
        assert!(is_as_wanted(asked.clone(), 2), "{version}: {asked:?}");
        assert_eq!(site.version_text(), "3", "{version}");
        assert!(site.envoy.stop().success(), "{version}");
    });
}

/// What was broken before an update is mended by the first connection after it.
#[test]
fn the_gauge_is_right_across_updates() {
    in_every_version(|version| {
        for by in [By::Ecds, By::Lds] {
            let mut site = Site::start(version, by, flip(0));
            let gauge = |site: &Site| site.envoy.stat_sum(".redirection_broken");
            // Over IPv6: as IPv4 connections, those with the source port of a redirected one would have
            // its answer.
            site.lab.gateway.flush();
            site.lab.gateway.notrack();
            for _ in 0..200 {
                let direct = SocketAddr::new(GATEWAY_V6, LISTENER);
                tcp_ask(&site.lab.client, direct).expect_err("no destination");
            }
            eventually("redirection is broken", || gauge(&site) == Some(1));
            site.update(json!({}));
            eventually("the listener before has gone", || !site.drains());
            site.lab.gateway.flush();
            site.lab.gateway.redirect(To::Port(PORT), LISTENER);
            site.ask().expect("an answer");
            assert_eq!(gauge(&site), Some(0), "{version}, {by:?}");
            assert!(site.envoy.stop().success(), "{version}");
        }
    });
}
