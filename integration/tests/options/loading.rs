//! What the module makes of its configuration when Envoy loads it.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::{module_filter, module_filter_with};
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use serde_json::{Value, json};

use crate::{LISTENER, PORT, logged, options, start};

const PROTOBUF: &str = "type.googleapis.com/google.protobuf";
const ORIGINAL_DST: &str =
    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst";

fn config(filter: Value) -> Value {
    bootstrap([Listener::new("0.0.0.0:15001").filter(filter).tcp()], [])
}

fn named(name: &str) -> Value {
    let mut filter = module_filter(None);
    filter["typed_config"]["filter_name"] = json!(name);
    filter
}

#[test]
fn accepted() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let denies = options("destinations: { deny: [10.2.0.2] }");
    let text = denies.to_string();
    let base64 = "eyJkZXN0aW5hdGlvbnMiOnsiZGVueSI6WyIxMC4yLjAuMiJdfX0=";
    let with = |config| module_filter_with(Some(config));
    // Each with the counter that a connection to 10.2.0.2 moves.
    let forms = [
        (module_filter(None), "restored_redirect"),
        (with(json!({ "@type": ORIGINAL_DST })), "restored_redirect"),
        (named(ORIGINAL_DST), "restored_redirect"),
        (module_filter(Some(json!({}))), "restored_redirect"),
        (module_filter(Some(denies)), "denied"),
        (
            with(json!({ "@type": format!("{PROTOBUF}.StringValue"), "value": text })),
            "denied",
        ),
        (
            with(json!({ "@type": format!("{PROTOBUF}.BytesValue"), "value": base64 })),
            "denied",
        ),
    ];
    for version in Version::under_test() {
        for (filter, counter) in &forms {
            let envoy = start(&lab, version, config(filter.clone()));
            let answer = tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT));
            assert_eq!(
                answer.is_ok(),
                *counter != "denied",
                "{filter} in {version}"
            );
            let counted = envoy.stat_sum(&format!("original_dst.{counter}"));
            assert_eq!(counted, Some(1), "{filter} in {version}");
        }
    }
}

#[test]
fn refused() {
    let lab = Lab::new();
    let text = |value| {
        let config = json!({ "@type": format!("{PROTOBUF}.StringValue"), "value": value });
        module_filter_with(Some(config))
    };
    let yaml = |yaml| module_filter(Some(options(yaml)));
    let rows = [
        (
            yaml("recovery_methods: [TPROXY]"),
            "filter_config: recovery_methods[0]: \"TPROXY\": expected one of SO_ORIGINAL_DST, \
             TRANSPARENT, LOCAL_ADDRESS",
        ),
        (
            yaml("unredirected_connections: DROP"),
            "filter_config: unredirected_connections: \"DROP\": expected one of RESTORE, IGNORE, \
             CLOSE",
        ),
        (
            yaml("listener_ports: [15001, 0]"),
            "filter_config: listener_ports[1]: 0: expected a port number from 1 to 65535",
        ),
        (
            yaml("unrecovered_connections: IGNORE"),
            "filter_config: unrecovered_connections: \"IGNORE\": expected one of CONTINUE, CLOSE",
        ),
        (
            yaml("destinations: { deny: [10.1.2.3/8] }"),
            "filter_config: destinations.deny[0]: \"10.1.2.3/8\": host bits are set: write \
             \"10.0.0.0/8\"",
        ),
        (
            yaml("destinations: {}"),
            "filter_config: destinations: {}: expected allow, deny or both",
        ),
        (
            // The fields of a Struct come in any order.
            text(
                r#"{"destinations":{"deny":[{"cidr":"private","except":["10.0.0.0/9","8.8.8.8"]}]}}"#,
            ),
            "filter_config: destinations.deny[0]: {\"cidr\": \"private\", \"except\": \
             [\"10.0.0.0/9\", \"8.8.8.8\"]}: except[1] 8.8.8.8 lies outside of the entry",
        ),
        (
            text(r#"{"destinations":{"allow":["private","10.1.0.0/16"],"deny":["10.0.0.0/8"]}}"#),
            "filter_config: destinations: {\"allow\": [\"private\", \"10.1.0.0/16\"], \"deny\": \
             [\"10.0.0.0/8\"]}: allow[1] 10.1.0.0/16 can never apply: deny[0] 10.0.0.0/8 covers it",
        ),
        (
            yaml("hand_off: 'true'"),
            "filter_config: hand_off: \"true\": expected true or false",
        ),
        (
            yaml("stat_prefix: a b"),
            "filter_config: stat_prefix: \"a b\": expected 1 to 64 characters of A-Z, a-z, 0-9, \
             _, . and -",
        ),
        (
            yaml("unredirected: CLOSE"),
            "filter_config: unredirected: \"CLOSE\": unknown field: accepted are \
             recovery_methods, local_destinations, unredirected_connections, listener_ports, \
             redirect_mark, own_mark, unrecovered_connections, destinations, hand_off, \
             publish_metadata, publish_filter_state, stat_prefix",
        ),
        (
            text("hand_off: true"),
            "filter_config: \"hand_off: true\": not JSON: expected value at line 1 column 1",
        ),
        (
            named("envoy.filters.listener.tls_inspector"),
            "filter_name \"envoy.filters.listener.tls_inspector\": must be \
             \"type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst\" \
             or \"envoy.filters.listener.original_dst\"",
        ),
    ];
    for version in Version::under_test() {
        for (filter, line) in &rows {
            let envoy = Envoy::builder(&lab.gateway, version).config(config(filter.clone()));
            let log = envoy.try_start().expect_err("a refused configuration");
            assert_eq!(
                logged(&log, &["error"]),
                [format!("error: {line}")],
                "{version}"
            );
            assert!(
                log.contains("Failed to initialize dynamic module"),
                "{version}:\n{log}"
            );
        }
    }
}
