//! Destinations of single requests, as filter state, on connections that an HTTP connection manager
//! pools: which state keeps the requests apart.

use std::net::{IpAddr, SocketAddr};

use lab::address::{PUBLIC_V4, UPSTREAM_V4};
use lab::client::http_get;
use lab::module::module_filter;
use lab::{
    Envoy, Lab, Listener, To, Tunnel, Upstream, Version, bootstrap, with_internal_listeners,
};
use serde_json::{Value, json};

const LISTENER: u16 = 15001;
const PORT: u16 = 8080;
const DESTINATIONS: [IpAddr; 2] = [UPSTREAM_V4, PUBLIC_V4];
const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";

/// An object of filter state: its key, and the factory that makes it of the request's `host`.
type Object = (&'static str, &'static str);

const STRING: [Object; 1] = [(LOCAL_IP, "envoy.string")];
const HASHABLE_STRING: [Object; 1] = [(LOCAL_IP, "envoy.hashable_string")];
/// The module reads the one, the pool keeps the other apart.
const STRING_AND_ADDRESS: [Object; 2] =
    [(LOCAL_IP, "envoy.string"), ("tunnel.destination", LOCAL_IP)];

/// An Envoy that sends each request through a tunnel with the address that its `host` names.
fn config(objects: &[Object]) -> Value {
    let mut outer = Listener::new(&format!("0.0.0.0:{LISTENER}"))
        .cluster("tunnel")
        .http();
    let objects = objects.iter().map(|(key, factory)| {
        json!({
            "object_key": key,
            "factory_key": factory,
            "format_string": { "text_format_source": { "inline_string": "%REQ(:AUTHORITY)%" } },
            "shared_with_upstream": "TRANSITIVE",
        })
    });
    let set = json!({
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": objects.collect::<Vec<_>>(),
        },
    });
    let filters = &mut outer["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
    let filters = filters.as_array_mut().expect("a finished listener");
    filters.insert(0, set);
    let inner = Listener::internal("inner")
        .filter(module_filter(None))
        .tcp();
    let tunnel = Tunnel::new().cluster("tunnel", "inner");
    with_internal_listeners(bootstrap([outer, inner], [tunnel]))
}

/// Where the requests of two clients end, one after the other.
fn reached(lab: &Lab, version: Version, objects: &[Object]) -> [IpAddr; 2] {
    let _envoy = Envoy::builder(&lab.gateway, version)
        .config(config(objects))
        .start();
    DESTINATIONS.map(|ip| {
        let answer = http_get(&lab.client, SocketAddr::new(ip, PORT));
        answer.expect("an answer").reached.local.ip()
    })
}

#[test]
fn requests_to_two_destinations() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    for version in Version::under_test() {
        // The pool does not look at strings: the second request takes the first one's connection.
        let mixed_up = [DESTINATIONS[0]; 2];
        assert_eq!(reached(&lab, version, &STRING), mixed_up, "{version}");
        let apart = reached(&lab, version, &STRING_AND_ADDRESS);
        assert_eq!(apart, DESTINATIONS, "{version}");
        if version == Version::V1_37 {
            let builder = Envoy::builder(&lab.gateway, version);
            let log = builder.config(config(&HASHABLE_STRING)).try_start();
            let log = log.expect_err("it has no such factory");
            let reason = "does not have an object factory";
            assert!(log.contains(reason), "{version}: {log}");
        } else {
            let apart = reached(&lab, version, &HASHABLE_STRING);
            assert_eq!(apart, DESTINATIONS, "{version}");
        }
    }
}
