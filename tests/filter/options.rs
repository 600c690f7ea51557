//! What the options make of connections over kernel sockets.

use fake_host::Socket;

#[cfg(not(windows))]
use super::transparent;
use super::{AT, AT_V6, accept, address, closed, left, outcome, over, redirected, restored};

#[test]
fn unredirected_connections() {
    for (option, expected) in [
        ("RESTORE", outcome(&["unredirected"], Some(AT), None)),
        ("IGNORE", left("unredirected")),
        ("CLOSE", closed("unredirected")),
    ] {
        let options = format!(r#"{{ "unredirected_connections": {option:?} }}"#);
        assert_eq!(
            accept(&options, &mut over(redirected(AT), AT)),
            expected,
            "{option}"
        );
        let mut other = over(redirected("10.2.0.2:80"), AT);
        assert_eq!(
            accept(&options, &mut other),
            restored("restored_redirect", "10.2.0.2:80")
        );
    }
}

/// The address that an earlier filter restored is not where the connection arrived. Envoy is asked
/// where that was if more than a counter depends on it.
#[test]
fn unredirected_behind_another_filter() {
    let other = "10.2.0.2:80";
    for (options, original_dst, expected) in [
        ("{}", AT, restored("restored_redirect", AT)),
        (
            r#"{ "unredirected_connections": "CLOSE" }"#,
            AT,
            closed("unredirected"),
        ),
        (
            r#"{ "hand_off": true }"#,
            AT,
            outcome(&["unredirected"], Some(AT), None),
        ),
        (
            r#"{ "publish_metadata": true }"#,
            AT,
            outcome(&["unredirected"], Some(AT), None),
        ),
        (
            r#"{ "unredirected_connections": "CLOSE" }"#,
            other,
            restored("restored_redirect", other),
        ),
    ] {
        let mut connection = over(redirected(original_dst), AT).restored_to(address(other));
        let found = accept(options, &mut connection);
        assert_eq!(
            (found.counters, found.closed),
            (expected.counters, expected.closed),
            "{options}, {original_dst}"
        );
    }
    // A destination on the listener's port, whatever the options.
    let mut connection = over(redirected(AT), AT).restored_to(address("10.2.0.2:15001"));
    let expected = outcome(&["unredirected"], Some(AT), None);
    assert_eq!(accept("{}", &mut connection).counters, expected.counters);
}

/// 127.0.0.1 is this host's, 198.51.100.1 is nobody's.
#[cfg(not(windows))]
#[test]
fn listener_ports_of_a_transparent_listener() {
    let ports = r#""listener_ports": [15001]"#;
    for (options, own, expected) in [
        (
            ports,
            "127.0.0.1:15001",
            outcome(&["unredirected"], Some("127.0.0.1:15001"), None),
        ),
        (
            ports,
            "127.0.0.1:80",
            restored("restored_transparent", "127.0.0.1:80"),
        ),
        (
            ports,
            "198.51.100.1:15001",
            restored("restored_transparent", "198.51.100.1:15001"),
        ),
        (
            r#""hand_off": false"#,
            "127.0.0.1:15001",
            restored("restored_transparent", "127.0.0.1:15001"),
        ),
    ] {
        let mut connection = over(transparent(own), own);
        assert_eq!(
            accept(&format!("{{ {options} }}"), &mut connection),
            expected,
            "{own}"
        );
    }
    let options = r#"{ "listener_ports": [15001], "unredirected_connections": "CLOSE" }"#;
    let mut connection = over(transparent("127.0.0.1:15001"), "127.0.0.1:15001");
    assert_eq!(accept(options, &mut connection), closed("unredirected"));
}

#[test]
fn unrecovered_connections() {
    let close = r#"{ "unrecovered_connections": "CLOSE" }"#;
    assert_eq!(
        accept(close, &mut over(Socket::untracked(), AT)),
        closed("unavailable")
    );
    let mut found = over(redirected("10.2.0.2:80"), AT);
    assert_eq!(
        accept(close, &mut found),
        restored("restored_redirect", "10.2.0.2:80")
    );
}

#[test]
fn destinations() {
    let to = "10.2.0.2:80";
    for (rules, expected) in [
        (
            r#""allow": ["10.2.0.0/16"]"#,
            restored("restored_redirect", to),
        ),
        (r#""allow": ["10.3.0.0/16"]"#, closed("denied")),
        (r#""deny": ["10.2.0.0/16"]"#, closed("denied")),
        (
            r#""deny": ["10.2.0.0/16"], "on_denied": "CLOSE""#,
            closed("denied"),
        ),
        (
            r#""deny": ["10.2.0.0/16"], "on_denied": "IGNORE""#,
            left("denied"),
        ),
        (
            r#""deny": ["10.2.0.0/16"], "on_denied": "AUDIT""#,
            outcome(&["denied"], Some(to), None),
        ),
        (
            r#""deny": [{ "cidr": "10.2.0.2", "ports": [81] }]"#,
            restored("restored_redirect", to),
        ),
    ] {
        let options = format!(r#"{{ "destinations": {{ {rules} }} }}"#);
        assert_eq!(
            accept(&options, &mut over(redirected(to), AT)),
            expected,
            "{rules}"
        );
    }
    // Each way of recovery is judged, in whatever form the address comes.
    for (socket, at) in [
        #[cfg(not(windows))]
        (transparent(to), to),
        #[cfg(not(windows))]
        (transparent("[::ffff:10.2.0.2]:80"), to),
        (redirected("[::ffff:10.2.0.2]:80"), AT_V6),
    ] {
        let options = r#"{ "destinations": { "deny": ["10.2.0.2"] } }"#;
        assert_eq!(accept(options, &mut over(socket, at)), closed("denied"));
    }
}

#[test]
fn what_is_unredirected_is_judged_only_if_it_would_be_restored() {
    let deny = r#""destinations": { "deny": ["10.1.0.1"] }"#;
    for (option, expected) in [
        ("RESTORE", closed("denied")),
        ("IGNORE", left("unredirected")),
        ("CLOSE", closed("unredirected")),
    ] {
        let options = format!(r#"{{ "unredirected_connections": {option:?}, {deny} }}"#);
        assert_eq!(
            accept(&options, &mut over(redirected(AT), AT)),
            expected,
            "{option}"
        );
    }
}

#[test]
fn hand_off() {
    for (options, was_restored, to, expected) in [
        ("{}", false, "10.2.0.2:80", None),
        (r#"{ "hand_off": true }"#, false, "10.2.0.2:80", Some(true)),
        (
            r#"{ "hand_off": false }"#,
            false,
            "10.2.0.2:80",
            Some(false),
        ),
        (r#"{ "hand_off": true }"#, true, "10.2.0.2:80", None),
        (r#"{ "hand_off": false }"#, true, "10.2.0.2:80", Some(false)),
        // To the listener itself.
        (r#"{ "hand_off": true }"#, false, AT, None),
    ] {
        let mut connection = over(redirected(to), AT);
        if was_restored {
            connection = connection.restored_to(address("10.9.0.9:90"));
        }
        accept(options, &mut connection);
        assert_eq!(connection.restored().as_deref(), Some(to));
        assert_eq!(
            connection.hand_off(),
            expected,
            "{options} {was_restored} {to}"
        );
    }
}

/// Envoy would accept it once more, and count it twice.
#[cfg(not(windows))]
#[test]
fn hand_off_does_not_lead_to_the_transparent_listener_itself() {
    let own = "127.0.0.1:15001";
    let options = r#"{ "hand_off": true, "listener_ports": [15001] }"#;
    let mut connection = over(transparent(own), own);
    accept(options, &mut connection);
    assert_eq!(connection.hand_off(), None);
}
