//! Connections that came through an internal listener.

use fake_host::{Connection, Lending};

use super::{NAME, accept, closed, left, outcome, restored};

const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";
const SOURCE_IP: &str = "envoy.filters.listener.original_dst.source_ip";
const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";

/// A connection that brought a destination along, as metadata or as filter state.
fn bringing(metadata: Option<&str>, state: Option<&str>) -> Connection {
    let mut connection = Connection::internal();
    if let Some(text) = metadata {
        connection = connection.with_metadata(NAME, "local", text);
    }
    if let Some(text) = state {
        connection = connection.with_filter_state(LOCAL_IP, text);
    }
    connection
}

#[test]
fn the_first_value_that_is_there_decides() {
    let good = Some("10.2.0.3:80");
    for (metadata, state, expected) in [
        (
            Some("10.2.0.2:80"),
            None,
            restored("restored_metadata", "10.2.0.2:80"),
        ),
        (
            Some("[FD02::0:2]: +080"),
            None,
            restored("restored_metadata", "[fd02::2]:80"),
        ),
        (
            Some("[::ffff:10.2.0.2]:80"),
            None,
            restored("restored_metadata", "10.2.0.2:80"),
        ),
        (None, good, restored("restored_filter_state", "10.2.0.3:80")),
        (
            Some("10.2.0.2:80"),
            good,
            restored("restored_metadata", "10.2.0.2:80"),
        ),
        (Some("nonsense"), good, left("invalid_address")),
        (Some(""), good, left("invalid_address")),
        (None, Some("10.2.0.3"), left("invalid_address")),
        #[cfg(not(windows))]
        (Some("[fe80::a1%2]:80"), None, left("invalid_address")),
        #[cfg(not(windows))]
        (Some("[fe80::a1%lo]:80"), None, left("invalid_address")),
        (Some("[fe80::a1%nosuch]:80"), None, left("invalid_address")),
        (None, None, left("unavailable")),
    ] {
        assert_eq!(
            accept("", &mut bringing(metadata, state)),
            expected,
            "{metadata:?} {state:?}"
        );
    }
    for lending in [Lending::Null, Lending::NullWithLength, Lending::Dangling] {
        let mut connection = bringing(Some("10.2.0.2:80"), good);
        connection.lending = lending;
        assert_eq!(
            accept("", &mut connection),
            left("unavailable"),
            "{lending:?}"
        );
    }
    let mut connection = bringing(Some("10.2.0.2:80"), None);
    connection.refuses_addresses = true;
    assert_eq!(accept("", &mut connection), left("invalid_address"));
    let mut connection = Connection::internal().with_metadata(NAME, "local", b"10.2.0.2\xff:80");
    assert_eq!(accept("", &mut connection), left("invalid_address"));
}

#[test]
fn the_options_count_here_too() {
    let close = r#"{ "unrecovered_connections": "CLOSE" }"#;
    let deny = r#"{ "destinations": { "deny": ["10.2.0.2"] } }"#;
    let way = r#"{ "recovery_methods": ["TRANSPARENT"] }"#;
    for (options, metadata, expected) in [
        (close, None, closed("unavailable")),
        (close, Some("nonsense"), closed("invalid_address")),
        (deny, Some("10.2.0.2:80"), closed("denied")),
        (deny, Some("[::ffff:10.2.0.2]:80"), closed("denied")),
        (
            deny,
            Some("10.2.0.3:80"),
            restored("restored_metadata", "10.2.0.3:80"),
        ),
        (
            way,
            Some("10.2.0.3:80"),
            restored("restored_metadata", "10.2.0.3:80"),
        ),
    ] {
        assert_eq!(
            accept(options, &mut bringing(metadata, None)),
            expected,
            "{options}"
        );
    }
    for (options, was_restored, hand_off) in [
        (r#"{ "hand_off": true }"#, false, Some(true)),
        (r#"{ "hand_off": true }"#, true, None),
    ] {
        let mut connection = bringing(Some("10.2.0.2:80"), None);
        if was_restored {
            connection = connection.restored_to(([10, 9, 0, 9], 90).into());
        }
        accept(options, &mut connection);
        assert_eq!(connection.hand_off(), hand_off, "{options} {was_restored}");
    }
}

#[test]
fn the_documented_source_comes_first() {
    for (source_ip, remote_ip, counter, remote) in [
        (
            Some("10.9.0.1:1000"),
            None,
            Some("source_restored"),
            Some("10.9.0.1:1000"),
        ),
        (
            None,
            Some("[fd09::2]:1000"),
            Some("source_restored"),
            Some("[fd09::2]:1000"),
        ),
        (
            Some("10.9.0.1:1"),
            Some("10.9.0.2:2"),
            Some("source_restored"),
            Some("10.9.0.1:1"),
        ),
        (
            Some("nonsense"),
            Some("10.9.0.2:2"),
            Some("invalid_address"),
            None,
        ),
        // A source is no destination: no cluster connects to it.
        (
            Some("[fe80::a1%2]:1"),
            None,
            Some("source_restored"),
            Some("[fe80::a1%2]:1"),
        ),
        (None, None, None, None),
    ] {
        let mut connection = Connection::internal();
        for (key, value) in [(SOURCE_IP, source_ip), (REMOTE_IP, remote_ip)] {
            if let Some(value) = value {
                connection = connection.with_filter_state(key, value);
            }
        }
        let mut counters: Vec<_> = counter.into_iter().chain(["unavailable"]).collect();
        // In the order of their definition.
        counters.sort_by_key(|name| {
            ["source_restored", "unavailable", "invalid_address"]
                .iter()
                .position(|known| known == name)
        });
        assert_eq!(accept("", &mut connection), outcome(&counters, None, None));
        assert_eq!(
            connection
                .remote
                .map(|remote| remote.to_string())
                .as_deref(),
            remote
        );
    }
    let mut both =
        bringing(Some("10.2.0.2:80"), None).with_filter_state(SOURCE_IP, "10.9.0.1:1000");
    assert_eq!(
        accept("", &mut both),
        outcome(
            &["restored_metadata", "source_restored"],
            Some("10.2.0.2:80"),
            None
        )
    );
}

#[test]
fn a_source_is_for_internal_connections_only() {
    let mut connection = Connection::pipe().with_filter_state(SOURCE_IP, "10.9.0.1:1000");
    accept("", &mut connection);
    assert_eq!(connection.remote, None);
}
