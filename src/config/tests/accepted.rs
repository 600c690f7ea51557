//! Configurations that are accepted, in both of their forms.

use super::*;
use crate::destinations::OnDenied;

fn both(text: &str) -> [Config; 2] {
    assert!(is_valid(text), "the schema refuses {text}");
    let wire = encode(&serde_json::from_str(text).unwrap());
    [text.as_bytes(), &wire].map(|bytes| Config::parse(bytes).unwrap())
}

#[track_caller]
fn same_as_default(config: &Config) {
    use RecoveryMethod::{SoOriginalDst, Transparent};
    assert_eq!(*config.recovery_methods, [SoOriginalDst, Transparent]);
    assert_eq!(
        config.unredirected_connections,
        UnredirectedConnections::Restore
    );
    assert!((0..=u16::MAX).all(|port| !config.listener_ports.contains(&port)));
    assert_eq!((config.redirect_mark, config.own_mark), (None, None));
    assert_eq!(
        config.unrecovered_connections,
        UnrecoveredConnections::Continue
    );
    assert!(config.destinations.is_none());
    assert_eq!(config.hand_off, None);
    assert!(!config.publish_metadata);
    assert_eq!(config.stat_prefix, "");
}

#[test]
fn nothing_is_the_built_in_filter() {
    same_as_default(&Config::default());
    same_as_default(&Config::parse(b"").unwrap());
    same_as_default(&Config::parse(b" \n{ }\n").unwrap());
    both("{}").iter().for_each(same_as_default);
}

#[test]
fn recovery_methods() {
    use RecoveryMethod::{SoOriginalDst, Transparent};
    for (text, methods) in [
        (r#"["SO_ORIGINAL_DST"]"#, &[SoOriginalDst] as &[_]),
        (r#"["TRANSPARENT"]"#, &[Transparent]),
        (
            r#"["SO_ORIGINAL_DST", "TRANSPARENT"]"#,
            &[SoOriginalDst, Transparent],
        ),
        (
            r#"["TRANSPARENT", "SO_ORIGINAL_DST"]"#,
            &[Transparent, SoOriginalDst],
        ),
    ] {
        for config in both(&format!(r#"{{"recovery_methods": {text}}}"#)) {
            assert_eq!(*config.recovery_methods, *methods);
        }
    }
}

#[test]
fn what_becomes_of_connections() {
    for (text, expected) in [
        ("RESTORE", UnredirectedConnections::Restore),
        ("IGNORE", UnredirectedConnections::Ignore),
        ("CLOSE", UnredirectedConnections::Close),
    ] {
        for config in both(&format!(r#"{{"unredirected_connections": "{text}"}}"#)) {
            assert_eq!(config.unredirected_connections, expected);
        }
    }
    for (text, expected) in [
        ("CONTINUE", UnrecoveredConnections::Continue),
        ("CLOSE", UnrecoveredConnections::Close),
    ] {
        for config in both(&format!(r#"{{"unrecovered_connections": "{text}"}}"#)) {
            assert_eq!(config.unrecovered_connections, expected);
        }
    }
    for (text, expected) in [
        ("CLOSE", OnDenied::Close),
        ("IGNORE", OnDenied::Ignore),
        ("AUDIT", OnDenied::Audit),
    ] {
        let text = format!(r#"{{"destinations": {{"deny": ["private"], "on_denied": "{text}"}}}}"#);
        for config in both(&text) {
            assert_eq!(config.destinations.unwrap().on_denied, expected);
        }
    }
    for config in both(r#"{"destinations": {"deny": ["private"]}}"#) {
        assert_eq!(config.destinations.unwrap().on_denied, OnDenied::Close);
    }
}

#[test]
fn listener_ports() {
    for config in both(r#"{"listener_ports": [15006, 1, 65535, 15001.0, 1.0e4]}"#) {
        let ports: Vec<_> = (0..=u16::MAX)
            .filter(|port| config.listener_ports.contains(port))
            .collect();
        assert_eq!(ports, [1, 10000, 15001, 15006, 65535]);
    }
}

#[test]
fn marks() {
    for (text, shown) in [
        (r#""0x1""#, "0x1"),
        (r#""0x1/0xff""#, "0x1/0xff"),
        (r#""1337""#, "0x539"),
        ("1337", "0x539"),
        ("1337.0", "0x539"),
        ("4294967295", "0xffffffff"),
    ] {
        for config in both(&format!(
            r#"{{"redirect_mark": {text}, "own_mark": {text}}}"#
        )) {
            for mark in [config.redirect_mark, config.own_mark] {
                assert_eq!(mark.map(|mark| mark.to_string()).as_deref(), Some(shown));
            }
        }
    }
}

#[test]
fn flags_and_names() {
    for value in [true, false] {
        for config in both(&format!(
            r#"{{"hand_off": {value}, "publish_metadata": {value}}}"#
        )) {
            assert_eq!(config.hand_off, Some(value));
            assert_eq!(config.publish_metadata, value);
        }
    }
    let longest = "a".repeat(64);
    for prefix in ["x", "a.b-c_D.0", "..", &longest] {
        for config in both(&format!(r#"{{"stat_prefix": "{prefix}"}}"#)) {
            assert_eq!(config.stat_prefix, prefix);
        }
    }
}

#[test]
fn every_option_at_once() {
    let text = r#"
        {
            "recovery_methods": ["TRANSPARENT"],
            "unredirected_connections": "CLOSE",
            "listener_ports": [15001],
            "redirect_mark": "0x1/0xff",
            "own_mark": "0x539",
            "unrecovered_connections": "CLOSE",
            "destinations": {
                "allow": [
                    "11.0.0.0/8",
                    "192.0.2.1",
                    "2001:db8::/32",
                    "2001:db8::1",
                    "192.0.2.1/32",
                    "::ffff:198.51.100.0/120",
                    "0.0.0.0/0",
                    "::/0",
                    { "cidr": "203.0.113.0/24" },
                    { "cidr": "203.0.113.1", "ports": ["443", "8000-8999", 80, "65535", "1-1"] }
                ],
                "deny": [
                    "loopback",
                    "link-local",
                    "multicast",
                    "unspecified",
                    "loopback",
                    {
                        "cidr": "private",
                        "ports": ["1-1023"],
                        "except": ["10.0.0.0/9", "10.0.0.0/9", { "cidr": "fd00::/8", "ports": [80] }]
                    }
                ],
                "on_denied": "AUDIT"
            },
            "hand_off": true,
            "publish_metadata": true,
            "stat_prefix": "egress"
        }"#;
    for config in both(text) {
        assert_eq!(*config.recovery_methods, [RecoveryMethod::Transparent]);
        assert_eq!(
            config.unredirected_connections,
            UnredirectedConnections::Close
        );
        assert!(config.listener_ports.contains(&15001));
        assert_eq!(
            config.unrecovered_connections,
            UnrecoveredConnections::Close
        );
        assert_eq!(config.destinations.unwrap().on_denied, OnDenied::Audit);
        assert_eq!(config.hand_off, Some(true));
        assert!(config.publish_metadata);
        assert_eq!(config.stat_prefix, "egress");
    }
}

/// The workers read one configuration at the same time.
#[test]
fn a_configuration_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Config>();
}
