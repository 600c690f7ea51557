//! One Prometheus for every version of Envoy, and for two prefixes: an upgrade, and another
//! `stat_prefix`, break no query.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::{Envoy, Lab, Load, To, Upstream, Version, bootstrap, eventually};
use serde_json::json;

use crate::prometheus::Prometheus;
use crate::site::{Place, versions};
use crate::{queries, scaled};

/// What is upgraded, from the oldest version to the newest.
const UPGRADED: Place = Place(8);

fn start(lab: &Lab, place: Place, version: Version, prefix: &str) -> Envoy {
    let options = json!({ "stat_prefix": prefix, "destinations": { "deny": ["203.0.113.0/24"] } });
    let listener = place.with_module(0, options).tcp();
    place.envoy(lab, version, bootstrap([listener], [])).start()
}

#[test]
fn no_query_breaks() {
    let lab = Lab::new();
    let prefixes = ["egress", "ingress"].iter().cycle();
    let envoys: Vec<(Place, Envoy)> = versions()
        .zip(prefixes)
        .map(|((place, version), prefix)| (place, start(&lab, place, version, prefix)))
        .collect();
    let (oldest, newest) = {
        let versions = Version::under_test();
        (versions[0], versions[versions.len() - 1])
    };
    let old = start(&lab, UPGRADED, oldest, "egress");
    let places: Vec<Place> = envoys
        .iter()
        .map(|(place, _)| *place)
        .chain([UPGRADED])
        .collect();
    for place in &places {
        lab.gateway
            .redirect(To::Port(place.asked(0)), place.listener(0));
    }
    let asked: Vec<u16> = places.iter().map(|place| place.asked(0)).collect();
    let _upstream = Upstream::start(&lab.upstream, &asked);
    let admins: Vec<u16> = places.iter().map(|place| place.admin()).collect();
    let prometheus = Prometheus::start(&lab.gateway, &admins);
    let asked: Vec<SocketAddr> = asked
        .iter()
        .map(|port| SocketAddr::new(UPSTREAM_V4, *port))
        .collect();
    let load = Load::start(&lab.client, 2, &asked);
    answers(&prometheus, places.len());

    assert!(old.stop().success());
    let _new = start(&lab, UPGRADED, newest, "ingress");
    // While there are samples of both, and with those of the new one alone.
    for count in [2.0, 1.0] {
        let selector = format!("{{instance=\"127.0.0.1:{}\"}}", UPGRADED.admin());
        let of_prefixes = format!(
            "count(sum by (original_dst_prefix) (rate(envoy_listener_original_dst{selector}[5m])) > 0)"
        );
        let of_prefixes = scaled::expression(&of_prefixes);
        eventually("the series of the new Envoy", || {
            prometheus.value(&of_prefixes) == Some(count)
        });
        answers(&prometheus, places.len());
    }
    labels(&prometheus);
    // Across the upgrade: as many as were answered, but for those between two scrapes.
    let counted = scaled::expression("sum(increase(envoy_listener_original_dst[1h]))");
    let tally = load.stop();
    assert!(tally.wrong.is_empty(), "{tally:?}");
    eventually("all are counted", || {
        let counted = prometheus.value(&counted).unwrap_or_default();
        counted > 0.9 * tally.answered as f64 && counted < 1.1 * tally.connections() as f64
    });
    let fired = prometheus.fired();
    assert!(fired.is_empty(), "{fired:?}");
}

/// Every query is answered, and says of each Envoy that all its connections are restored.
fn answers(prometheus: &Prometheus, envoys: usize) {
    let restored = "sum by (instance) (rate(envoy_listener_original_dst{original_dst_outcome=~\"restored_.+\"}[5m]))";
    let all = "sum by (instance) (rate(envoy_listener_original_dst[5m]))";
    let rates = scaled::expression(&format!("count({restored} > 0)"));
    let shares = scaled::expression(&format!("count({restored} / {all} == 1)"));
    let scraped = "sum(up)".to_owned();
    for expression in [scraped, rates, shares] {
        eventually(&expression, || {
            prometheus.value(&expression) == Some(envoys as f64)
        });
    }
    for query in queries::all() {
        let place = &query.place;
        eventually(
            &format!("an answer to {place}: {}", query.expression),
            || query.is_alert || !prometheus.query(&query.expression).is_empty(),
        );
        if query.is_alert {
            let series = prometheus.query(&query.expression);
            assert!(series.is_empty(), "{place}: {series:?}");
        }
    }
    let (metric, label) = queries::variable();
    assert_eq!(prometheus.labels(&metric, &label).len(), envoys);
}

/// The labels are the same in every version.
fn labels(prometheus: &Prometheus) {
    let namespaces = Version::under_test()
        .into_iter()
        .map(|version| match version {
            Version::V1_37 => "dynamic_module_listener_filter",
            _ => "dynamicmodulescustom",
        });
    for metric in [
        "",
        "_source_restored",
        "_redirection_broken",
        "_destination_rules",
    ] {
        let metric = format!("envoy_listener_original_dst{metric}");
        let found = |label| prometheus.labels(&metric, label);
        let expected: BTreeSet<String> = namespaces.clone().map(str::to_owned).collect();
        assert_eq!(found("original_dst_namespace"), expected, "{metric}");
        let expected = ["egress", "ingress"].map(str::to_owned).into();
        assert_eq!(found("original_dst_prefix"), expected, "{metric}");
        let expected: BTreeSet<String> = match metric.ends_with("_dst") {
            true => OUTCOMES.map(str::to_owned).into(),
            false => [String::new()].into(),
        };
        assert_eq!(found("original_dst_outcome"), expected, "{metric}");
    }
}

const OUTCOMES: [&str; 11] = [
    "restored_redirect",
    "restored_transparent",
    "restored_local_address",
    "restored_metadata",
    "restored_filter_state",
    "unredirected",
    "looped",
    "unavailable",
    "denied",
    "invalid_address",
    "error",
];
