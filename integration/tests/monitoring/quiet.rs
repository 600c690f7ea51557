//! Good connections alarm nobody, also while their listener is updated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lab::address::UPSTREAM_V4;
use lab::module::library;
use lab::{Envoy, Lab, Load, To, Upstream, Version, Watched, bootstrap, eventually};
use serde_json::json;

use crate::prometheus::Prometheus;
use crate::scaled;
use crate::site::{Place, versions};

const CONNECTIONS: f64 = 10_000.0;
/// As long as the slowest alert takes, and more.
const AT_LEAST: Duration = Duration::from_secs(20 * 60);
const LISTENERS: &str = "listeners.json";

/// An Envoy whose listener is updated: its rules change, and its `stat_prefix`.
struct Updated {
    place: Place,
    files: Watched,
    envoy: Envoy,
}

impl Updated {
    fn start(lab: &Lab, place: Place, version: Version) -> Self {
        let files = Watched::new();
        put(&files, place, 0);
        let config = files.with_listeners(bootstrap([], []), LISTENERS);
        let envoy = place.envoy(lab, version, config);
        let envoy = envoy
            // The config itself does not name the module.
            .modules(library().parent().expect("in a directory"))
            // Listeners that are replaced stay for as long.
            .argument("--drain-time-s")
            .argument("1")
            .start();
        lab.gateway
            .redirect(To::Port(place.asked(0)), place.listener(0));
        Self {
            place,
            files,
            envoy,
        }
    }

    fn update(&self, number: u64) {
        put(&self.files, self.place, number);
        eventually("the update", || {
            let updates = self.envoy.stat("listener_manager.lds.update_success");
            updates == Some(number + 1)
        });
    }
}

fn put(files: &Watched, place: Place, number: u64) {
    let deny = format!("203.0.113.{number}");
    let options = json!({
        "stat_prefix": format!("update_{number}"),
        "destinations": { "deny": [deny] },
    });
    let listener = place.with_module(0, options).tcp();
    files.put_listeners(LISTENERS, number, &[listener]);
}

#[test]
fn good_connections_alarm_nobody() {
    let lab = Lab::new();
    let envoys: Vec<Updated> = versions()
        .map(|(place, version)| Updated::start(&lab, place, version))
        .collect();
    let asked: Vec<u16> = envoys.iter().map(|envoy| envoy.place.asked(0)).collect();
    let _upstream = Upstream::start(&lab.upstream, &asked);
    let admins: Vec<u16> = envoys.iter().map(|envoy| envoy.place.admin()).collect();
    let prometheus = Prometheus::start(&lab.gateway, &admins);
    let asked: Vec<SocketAddr> = asked
        .iter()
        .map(|port| SocketAddr::new(UPSTREAM_V4, *port))
        .collect();
    let (load, since) = (Load::start(&lab.client, 2, &asked), Instant::now());
    let restored = scaled::expression("increase(envoy_listener_original_dst[1h])");
    let restored = format!("sum({restored})");
    for part in 1..=3 {
        eventually("a third of the connections", || {
            let (count, time) = (prometheus.value(&restored), since.elapsed());
            let done = f64::from(part) / 3.0;
            count.is_some_and(|count| count > CONNECTIONS * done)
                && time > scaled::duration(AT_LEAST).mul_f64(done)
        });
        if part < 3 {
            envoys
                .iter()
                .for_each(|envoy| envoy.update(u64::from(part as u8)));
        }
    }
    let fired = prometheus.fired();
    let tally = load.stop();
    println!("{} connections", tally.connections());
    assert!(fired.is_empty(), "{fired:?}");
    assert!(tally.answered as f64 > CONNECTIONS, "{tally:?}");
    assert!(tally.failed.is_empty(), "{tally:?}");
    assert_eq!(tally.direct, 0, "{tally:?}");
}
