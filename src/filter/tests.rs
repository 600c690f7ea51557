//! The filter on connections that no Envoy has accepted.

#![allow(clippy::unwrap_used)]

mod fake;

use envoy_proxy_dynamic_modules_rust_sdk::abi::envoy_dynamic_module_type_address_type as AddressType;

use super::*;
use fake::{Connection, Metrics};

const LOCAL: (&str, &str) = ("envoy.filters.listener.original_dst", "local");
const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";
const SOURCE_IP: &str = "envoy.filters.listener.original_dst.source_ip";
const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";

fn filter(options: &str) -> (Filter, Metrics) {
    let mut metrics = Metrics::default();
    let filter = Filter::new(&mut metrics, options.as_bytes()).unwrap();
    (filter, metrics)
}

/// A connection that came through an internal listener.
fn internal() -> Connection {
    Connection::new(AddressType::EnvoyInternal)
}

/// What became of a connection: the counters that moved, where it leads, why it was closed.
fn accept(options: &str, connection: &mut Connection) -> (Vec<String>, Option<String>) {
    let (filter, metrics) = filter(options);
    let status = filter.on_accept(connection);
    let is_closed = connection.closed.is_some();
    assert_eq!(
        status == Status::StopIteration,
        is_closed,
        "a closed connection must stop"
    );
    assert_eq!(connection.failure_reason, connection.closed);
    let restored = connection
        .is_restored
        .then(|| connection.local.clone().unwrap());
    let restored = restored.map(|(ip, port)| format!("{ip} {port}"));
    (metrics.moved(connection), restored)
}

#[test]
fn metadata_comes_first_even_if_it_is_bad() {
    for (metadata, state, counter, restored) in [
        (
            Some("10.2.0.2:80"),
            None,
            "restored_metadata",
            Some("10.2.0.2 80"),
        ),
        (
            Some("[fd02::2]:80"),
            None,
            "restored_metadata",
            Some("fd02::2 80"),
        ),
        (
            None,
            Some("10.2.0.3:80"),
            "restored_filter_state",
            Some("10.2.0.3 80"),
        ),
        (
            Some("10.2.0.2:80"),
            Some("10.2.0.3:80"),
            "restored_metadata",
            Some("10.2.0.2 80"),
        ),
        (
            Some("nonsense"),
            Some("10.2.0.3:80"),
            "invalid_address",
            None,
        ),
        (Some(""), Some("10.2.0.3:80"), "invalid_address", None),
        (None, Some("nonsense"), "invalid_address", None),
        (None, None, "unavailable", None),
    ] {
        let mut connection = internal();
        if let Some(metadata) = metadata {
            connection.set_dynamic_metadata_string(LOCAL.0, LOCAL.1, metadata);
        }
        if let Some(state) = state {
            connection
                .filter_state
                .insert(LOCAL_IP.into(), state.into());
        }
        let (counters, local) = accept("", &mut connection);
        assert_eq!(counters, [format!("original_dst.{counter}")]);
        assert_eq!(local.as_deref(), restored);
    }
}

#[test]
fn the_documented_source_comes_first() {
    for (source_ip, remote_ip, counter, source) in [
        (
            Some("10.9.0.1:1000"),
            None,
            Some("source_restored"),
            "10.9.0.1",
        ),
        (
            None,
            Some("10.9.0.2:1000"),
            Some("source_restored"),
            "10.9.0.2",
        ),
        (
            Some("10.9.0.1:1000"),
            Some("10.9.0.2:1000"),
            Some("source_restored"),
            "10.9.0.1",
        ),
        (
            Some("nonsense"),
            Some("10.9.0.2:1000"),
            Some("invalid_address"),
            "10.1.0.2",
        ),
        (None, None, None, "10.1.0.2"),
    ] {
        let mut connection = internal();
        for (key, value) in [(SOURCE_IP, source_ip), (REMOTE_IP, remote_ip)] {
            if let Some(value) = value {
                connection.filter_state.insert(key.into(), value.into());
            }
        }
        let (counters, _) = accept("", &mut connection);
        let expected: Vec<_> = ["unavailable"].into_iter().chain(counter).collect();
        for counter in expected {
            assert!(
                counters.contains(&format!("original_dst.{counter}")),
                "{counters:?}"
            );
        }
        assert_eq!(connection.remote.unwrap().0, source);
    }
}

#[test]
fn what_envoy_does_not_take_is_invalid() {
    let mut connection = internal();
    connection.takes_addresses = false;
    connection.set_dynamic_metadata_string(LOCAL.0, LOCAL.1, "10.2.0.2:80");
    assert_eq!(
        accept("", &mut connection),
        (vec!["original_dst.invalid_address".into()], None)
    );
}

#[test]
fn rules_decide_what_is_restored() {
    let deny = r#"{ "destinations": { "deny": ["link-local"] } }"#;
    let ignore = r#"{ "destinations": { "deny": ["link-local"], "on_denied": "IGNORE" } }"#;
    let audit = r#"{ "destinations": { "deny": ["link-local"], "on_denied": "AUDIT" } }"#;
    for (options, counter, restored, closed) in [
        ("", "restored_metadata", true, None),
        (deny, "denied", false, Some("original_dst_denied")),
        (ignore, "denied", false, None),
        (audit, "denied", true, None),
    ] {
        for text in [
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[fe80::1]:80",
        ] {
            let mut connection = internal();
            connection.set_dynamic_metadata_string(LOCAL.0, LOCAL.1, text);
            let (counters, local) = accept(options, &mut connection);
            assert_eq!(
                counters,
                [format!("original_dst.{counter}")],
                "{options} {text}"
            );
            assert_eq!(
                (local.is_some(), connection.closed.as_deref()),
                (restored, closed)
            );
        }
    }
}

#[test]
fn without_a_destination_the_options_decide() {
    let close = r#"{ "unrecovered_connections": "CLOSE" }"#;
    for (mut connection, counter, details) in [
        (internal(), "unavailable", "original_dst_unavailable"),
        (
            Connection::new(AddressType::Pipe),
            "unavailable",
            "original_dst_unavailable",
        ),
        (
            Connection::new(AddressType::Unknown),
            "unavailable",
            "original_dst_unavailable",
        ),
    ] {
        for (options, closed) in [("", None), (close, Some(details))] {
            connection.counted.borrow_mut().clear();
            let (counters, local) = accept(options, &mut connection);
            assert_eq!(counters, [format!("original_dst.{counter}")]);
            assert_eq!((local, connection.closed.as_deref()), (None, closed));
        }
    }
}

#[test]
fn hand_off_is_not_switched_on_twice() {
    for (options, was_restored, hand_off) in [
        ("", false, None),
        (r#"{ "hand_off": true }"#, false, Some(true)),
        (r#"{ "hand_off": true }"#, true, None),
        (r#"{ "hand_off": false }"#, false, Some(false)),
        (r#"{ "hand_off": false }"#, true, Some(false)),
    ] {
        let mut connection = internal();
        connection.is_restored = was_restored;
        connection.set_dynamic_metadata_string(LOCAL.0, LOCAL.1, "10.2.0.2:80");
        accept(options, &mut connection);
        assert_eq!(connection.hand_off, hand_off, "{options} {was_restored}");
    }
}

#[test]
fn metadata_says_what_was_found() {
    let mut connection = internal();
    connection.set_dynamic_metadata_string(LOCAL.0, LOCAL.1, "10.2.0.2:80");
    accept(
        r#"{ "publish_metadata": true, "stat_prefix": "a.b" }"#,
        &mut connection,
    );
    for (key, value) in [
        ("verdict", "RESTORED"),
        ("method", "METADATA"),
        ("destination", "10.2.0.2:80"),
        ("source", "10.1.0.2:1000"),
    ] {
        let published = connection.get_dynamic_metadata_string("original_dst", key);
        assert_eq!(published, Some(value.as_bytes()), "{key}");
    }
}

#[test]
fn a_kernel_socket_without_an_answer_is_watched() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (filter, metrics) = filter(r#"{ "recovery_methods": ["TRANSPARENT"] }"#);
    for connections in 1..=120 {
        let mut connection = Connection::kernel(&listener);
        assert_eq!(filter.on_accept(&mut connection), Status::Continue);
        assert_eq!(metrics.moved(&connection), ["original_dst.unavailable"]);
        let gauge = connection.gauges.borrow().values().copied().next();
        assert_eq!(gauge, (connections == 100).then_some(1), "{connections}");
    }
}

#[test]
fn a_panic_closes_and_counts() {
    let (filter, metrics) = filter("");
    let mut connection = internal();
    filter.on_panic(&mut connection);
    assert_eq!(metrics.moved(&connection), ["original_dst.error"]);
    assert_eq!(connection.closed.as_deref(), Some("original_dst_error"));
}
