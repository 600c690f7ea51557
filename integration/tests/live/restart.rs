//! A hot restart: a new Envoy takes over from the old one.

use std::net::SocketAddr;

use lab::address::{UPSTREAM_V4, UPSTREAM_V6};
use lab::module::module_filter;
use lab::{Builder, Envoy, Lab, Listener, Load, To, Upstream, Version, bootstrap, eventually};

pub const LISTENER: u16 = 15001;
const PORT: u16 = 8080;
/// What clients ask for.
pub const DESTINATIONS: [SocketAddr; 2] = [
    SocketAddr::new(UPSTREAM_V4, PORT),
    SocketAddr::new(UPSTREAM_V6, PORT),
];

/// One that takes the counts of the Envoy before it each `flush` seconds. It hands its own over less what
/// it has flushed itself.
pub fn envoy(lab: &Lab, version: Version, epoch: u32, flush: &str) -> Builder {
    let listener = Listener::new(&format!("[::]:{LISTENER}"))
        .ipv4_compat()
        .filter(module_filter(None))
        .tcp();
    let mut config = bootstrap([listener], []);
    config["stats_flush_interval"] = flush.into();
    Envoy::builder(&lab.gateway, version)
        .config(config)
        .restart_epoch(epoch)
        .argument("--drain-time-s")
        .argument("1")
        .argument("--parent-shutdown-time-s")
        .argument("2")
}

pub fn lab() -> (Lab, Upstream) {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let upstream = Upstream::start(&lab.upstream, &[PORT]);
    (lab, upstream)
}

/// How many connections it knows of that were restored, by those before it as well.
pub fn restored(envoy: &Envoy) -> u64 {
    let restored = envoy.stat_sum(".original_dst.restored_redirect");
    restored.unwrap_or(0)
}

#[test]
fn hot_restarts_lose_nobody() {
    let (lab, _upstream) = lab();
    for version in Version::under_test() {
        let mut old = envoy(&lab, version, 0, "5s").start();
        let load = Load::start(&lab.client, 4, &DESTINATIONS);
        for epoch in 1..=2 {
            let new = envoy(&lab, version, epoch, "5s").start();
            eventually("the old Envoy to end", || !old.is_alive());
            eventually("the new one to be asked", || restored(&new) > 100);
            old = new;
        }
        let tally = load.stop();
        assert!(tally.answered > 200, "{version}: {tally:?}");
        assert!(tally.wrong.is_empty(), "{version}: {tally:?}");
        assert!(tally.failed.is_empty(), "{version}: {tally:?}");
        assert!(old.stop().success(), "{version}");
    }
}

#[test]
fn counters_go_on() {
    let (lab, _upstream) = lab();
    for version in Version::under_test() {
        let mut old = envoy(&lab, version, 0, "60s").start();
        let load = Load::start(&lab.client, 2, &DESTINATIONS);
        eventually("connections", || restored(&old) > 100);
        let new = envoy(&lab, version, 1, "0.1s").start();
        eventually("the old Envoy to end", || !old.is_alive());
        let tally = load.stop();
        assert!(tally.failed.is_empty(), "{version}: {tally:?}");
        eventually("all are counted", || restored(&new) == tally.answered);
        assert!(new.stop().success(), "{version}");
    }
}
