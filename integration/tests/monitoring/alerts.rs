//! Each alert fires for its fault, within its window, and for nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::config::{marked, original_dst_cluster};
use lab::kernel::Feature;
use lab::module::module_filter_with;
use lab::{
    Envoy, FaultPoint, Lab, Listener, Load, To, Tunnel, Upstream, Version, bootstrap, eventually,
    with_internal_listeners,
};
use serde_json::json;

use crate::prometheus::{Fired, Prometheus};
use crate::scaled;
use crate::site::{Place, versions};

/// The listeners of an Envoy, by what goes wrong there.
const VANISHES: u16 = 0;
const BREAKS: u16 = 1;
const DENIES: u16 = 2;
const LOOPS: u16 = 3;
const DIRECT: u16 = 4;
const INVALID: u16 = 5;
/// The Envoy whose module fails stands apart, with one listener.
const FAILS: (Place, u16) = (Place(9), 0);

/// How long after its fault an alert fires, in minutes of the real rules, as the page says.
const WINDOWS: [(&str, u64); 7] = [
    ("OriginalDstTrafficVanished", 10),
    ("OriginalDstRedirectionBroken", 1),
    ("OriginalDstDenialsRise", 5),
    ("OriginalDstInvalidAddresses", 0),
    ("OriginalDstErrors", 0),
    ("OriginalDstLooped", 0),
    ("OriginalDstUnredirected", 5),
];
/// What a busy machine takes besides.
const SLACK: Duration = Duration::from_secs(10);

#[test]
fn each_fires_for_its_fault() {
    if Feature::FwmarkAccept.is_missing_for("alerts::each_fires_for_its_fault") {
        return;
    }
    let lab = Lab::new();
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    let places: Vec<(Place, Version)> = versions().collect();
    let ports = |place: Place| (0..10).map(move |number| place.asked(number));
    let served: Vec<u16> = places
        .iter()
        .map(|(place, _)| *place)
        .chain([FAILS.0])
        .flat_map(ports)
        .collect();
    let _upstream = Upstream::start(&lab.upstream, &served);
    let _envoys: Vec<Envoy> = places
        .iter()
        .map(|(place, version)| start(&lab, *place, *version))
        .collect();
    let fault = FaultPoint::new();
    let (failing, number) = FAILS;
    let (_, version) = places[places.len() - 1];
    let config = bootstrap([failing.with_module(number, json!({})).tcp()], []);
    let _failing = fault.arm(failing.envoy(&lab, version, config)).start();
    redirect(&lab, failing, number);
    let admins = places.iter().map(|(place, _)| place.admin());
    let admins: Vec<u16> = admins.chain([failing.admin()]).collect();
    let prometheus = Prometheus::start(&lab.gateway, &admins);

    let mut faults = Faults::new(&prometheus);
    fault.set("accept");
    faults.expect("OriginalDstErrors", failing, failing.address(number));
    let mut asked = vec![SocketAddr::new(UPSTREAM_V4, failing.asked(number))];
    for (place, _) in &places {
        asked.extend(clients(*place));
        faults.expect(
            "OriginalDstRedirectionBroken",
            *place,
            place.address(BREAKS),
        );
        faults.expect("OriginalDstDenialsRise", *place, place.address(DENIES));
        faults.expect("OriginalDstLooped", *place, place.address(LOOPS));
        faults.expect("OriginalDstUnredirected", *place, place.address(DIRECT));
        let inner = "envoy_internal_inner".to_owned();
        faults.expect("OriginalDstInvalidAddresses", *place, inner);
    }
    let load = Load::start(&lab.client, 2, &asked);
    faults.wait();
    // There has to be an hour before, or some of it, for traffic to vanish.
    let restored =
        "avg_over_time(listener:envoy_listener_original_dst_restored:rate5m[1h] offset 10m)";
    eventually("some traffic before", || {
        let series = scaled::expression(&format!("count({restored} > 0.1)"));
        // That of the loop is restored as well, before it is one.
        prometheus.value(&series) == Some(2.0 * places.len() as f64)
    });
    for (place, _) in &places {
        let (asked, listener) = (place.asked(VANISHES), place.listener(VANISHES));
        lab.gateway.iptables(&format!(
            "-t nat -D PREROUTING -i eth0 -p tcp --dport {asked} -j REDIRECT --to-ports {listener}"
        ));
        faults.expect(
            "OriginalDstTrafficVanished",
            *place,
            place.address(VANISHES),
        );
    }
    faults.wait();
    let tally = load.stop();
    assert!(tally.direct > 0, "nothing passed Envoy by: {tally:?}");
}

/// An Envoy with a listener for each fault, and the rules that lead there.
fn start(lab: &Lab, place: Place, version: Version) -> Envoy {
    let inner = Listener::internal("inner")
        .filter(module_filter_with(None))
        .tcp();
    let listeners = [
        place.with_module(VANISHES, json!({})).tcp(),
        place.with_module(BREAKS, json!({})).tcp(),
        place
            .with_module(
                DENIES,
                json!({ "destinations": { "deny": ["10.2.0.0/16"] } }),
            )
            .tcp(),
        place
            .with_module(LOOPS, json!({ "own_mark": "0x2/0x2" }))
            .cluster("marked")
            .tcp(),
        place
            .with_module(DIRECT, json!({ "unredirected_connections": "CLOSE" }))
            .tcp(),
        place.plain(INVALID).cluster("tunnel").tcp(),
        inner,
    ];
    let tunnel = Tunnel::new().host_metadata(json!({ "local": "no address" }));
    let clusters = [
        marked(original_dst_cluster("marked"), 0x2),
        tunnel.cluster("tunnel", "inner"),
    ];
    for number in [VANISHES, DENIES, LOOPS] {
        redirect(lab, place, number);
    }
    lab.gateway.notrack_port(place.listener(BREAKS));
    // A rule that does not exempt Envoy.
    lab.gateway.iptables(&format!(
        "-t nat -A OUTPUT -p tcp --dport {} -j REDIRECT --to-ports {}",
        place.asked(LOOPS),
        place.listener(LOOPS)
    ));
    let config = with_internal_listeners(bootstrap(listeners, clusters));
    place.envoy(lab, version, config).start()
}

fn redirect(lab: &Lab, place: Place, number: u16) {
    lab.gateway
        .redirect(To::Port(place.asked(number)), place.listener(number));
}

/// What clients connect to.
fn clients(place: Place) -> Vec<SocketAddr> {
    let redirected =
        [VANISHES, DENIES, LOOPS].map(|number| SocketAddr::new(UPSTREAM_V4, place.asked(number)));
    let direct =
        [BREAKS, DIRECT, INVALID].map(|number| SocketAddr::new(GATEWAY_V4, place.listener(number)));
    [redirected, direct].concat()
}

/// The alerts that are due, and since when their faults are there.
struct Faults<'a> {
    prometheus: &'a Prometheus,
    since: BTreeMap<Fired, Instant>,
    fired: BTreeMap<Fired, Duration>,
}

impl<'a> Faults<'a> {
    fn new(prometheus: &'a Prometheus) -> Self {
        Self {
            prometheus,
            since: BTreeMap::new(),
            fired: BTreeMap::new(),
        }
    }

    fn expect(&mut self, alert: &str, place: Place, listener: String) {
        let alert = (alert.to_owned(), place.admin(), listener);
        self.since.insert(alert, Instant::now());
    }

    /// Waits until all have fired. None may be late, and none that is not due.
    fn wait(&mut self) {
        eventually("each alert fires", || {
            for alert in self.prometheus.fired() {
                let since = self.since.get(&alert);
                let since = since.unwrap_or_else(|| panic!("{alert:?} fires, and should not"));
                let after = since.elapsed();
                self.fired
                    .entry(alert)
                    .or_insert_with_key(|(alert, admin, listener)| {
                        println!("{alert}, {listener} of {admin}: after {after:.1?}");
                        after
                    });
            }
            self.fired.len() == self.since.len()
        });
        for ((alert, ..), after) in &self.fired {
            let window = WINDOWS.iter().find(|(name, _)| name == alert);
            let (_, minutes) = window.unwrap_or_else(|| panic!("{alert} has no window"));
            let limit = scaled::duration(Duration::from_secs(minutes * 60)) + SLACK;
            assert!(*after < limit, "{alert}: after {after:?}, not {limit:?}");
        }
    }
}
