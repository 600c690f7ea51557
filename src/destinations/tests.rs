#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod model;

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::*;
use crate::config::Config;

fn rules(destinations: Value) -> Destinations {
    let config = json!({ "destinations": destinations }).to_string();
    Config::parse(config.as_bytes())
        .unwrap()
        .destinations
        .unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[track_caller]
fn check(destinations: Value, allowed: &[&str], denied: &[&str]) {
    let rules = rules(destinations);
    for text in allowed {
        assert!(rules.allow(address(text)), "{text} has to be allowed");
    }
    for text in denied {
        assert!(!rules.allow(address(text)), "{text} has to be denied");
    }
}

#[test]
fn deny_leaves_the_rest() {
    check(
        json!({ "deny": ["10.0.0.0/8", "fd00::/8"] }),
        &[
            "9.255.255.255:1",
            "11.0.0.0:1",
            "[fc00::]:1",
            "[fe00::]:1",
            "[::]:0",
            "0.0.0.0:0",
        ],
        &[
            "10.0.0.0:1",
            "10.255.255.255:65535",
            "[fd00::]:0",
            "[fdff::ffff]:1",
        ],
    );
}

#[test]
fn allow_leaves_nothing_else() {
    check(
        json!({ "allow": ["10.0.0.0/8", "2001:db8::1"] }),
        &["10.0.0.0:0", "10.255.255.255:65535", "[2001:db8::1]:443"],
        &[
            "9.255.255.255:1",
            "11.0.0.0:1",
            "[2001:db8::]:443",
            "[2001:db8::2]:443",
            "[::]:1",
        ],
    );
    check(
        json!({ "allow": ["0.0.0.0/0"] }),
        &["0.0.0.0:0", "255.255.255.255:65535"],
        &["[::1]:1"],
    );
    check(
        json!({ "allow": ["::/0"] }),
        &["[::]:0", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1"],
        &["10.0.0.1:1", "[::ffff:10.0.0.1]:1"],
    );
}

#[test]
fn deny_wins() {
    check(
        json!({ "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"] }),
        &["10.0.255.255:1", "10.2.0.0:1"],
        &["10.1.0.0:1", "10.1.255.255:1", "11.0.0.0:1"],
    );
    check(
        json!({ "allow": ["10.1.0.0/16", "10.2.0.1"], "deny": ["10.0.0.0/8"] }),
        &[],
        &["10.1.0.0:1", "10.2.0.1:1", "11.0.0.0:1"],
    );
    check(
        json!({ "allow": ["10.0.0.0/8"], "deny": ["10.0.0.0/8"] }),
        &[],
        &["10.0.0.0:1", "10.255.255.255:1", "9.0.0.0:1"],
    );
}

#[test]
fn ports() {
    let rule = json!({ "cidr": "10.0.0.0/8", "ports": ["443", "8000-8999", 8999, 9000, "1"] });
    let inside = [
        "10.0.0.1:443",
        "10.0.0.1:8000",
        "10.0.0.1:9000",
        "10.0.0.1:1",
    ];
    let outside = [
        "10.0.0.1:442",
        "10.0.0.1:444",
        "10.0.0.1:7999",
        "10.0.0.1:9001",
        "10.0.0.1:0",
    ];
    check(
        json!({ "allow": [rule] }),
        &inside,
        &[&outside as &[_], &["11.0.0.1:443"]].concat(),
    );
    check(
        json!({ "deny": [rule] }),
        &[&outside as &[_], &["11.0.0.1:443"]].concat(),
        &inside,
    );
}

#[test]
fn ports_of_rules_in_each_other() {
    let at = |cidr: &str, ports: &str| json!({ "cidr": cidr, "ports": [ports] });
    check(
        json!({
            "allow": [at("10.0.0.0/8", "80"), at("10.1.0.0/16", "443"), at("10.1.1.1", "22")],
            "deny": [at("10.1.0.0/16", "80-100"), at("0.0.0.0/0", "22-23")],
        }),
        &[
            "10.0.0.0:80",
            "10.1.0.0:443",
            "10.1.1.1:443",
            "10.2.0.0:80",
            "10.1.2.0:443",
        ],
        &[
            "10.0.0.0:443",
            "10.1.0.0:80",
            "10.1.1.1:22",
            "10.1.1.1:80",
            "10.1.1.1:81",
            "10.2.0.0:22",
        ],
    );
    check(
        json!({
            "allow": [at("10.0.0.1", "80"), at("10.0.0.1", "443"), at("10.0.0.1", "22")],
            "deny": [at("10.0.0.1", "22")],
        }),
        &["10.0.0.1:80", "10.0.0.1:443"],
        &["10.0.0.1:22"],
    );
    let deny = json!({ "deny": [at("10.0.0.0/8", "1-65535"), at("10.0.0.0/7", "1-9")] });
    check(
        deny,
        &["10.0.0.0:0", "11.0.0.0:10", "12.0.0.0:1"],
        &["10.0.0.0:65535", "11.0.0.0:9"],
    );
}

#[test]
fn classes() {
    for (class, inside, outside) in [
        (
            "loopback",
            &[
                "127.0.0.0:1",
                "127.255.255.255:1",
                "[::1]:1",
                "[::ffff:127.0.0.1]:1",
            ] as &[_],
            &[
                "126.255.255.255:1",
                "128.0.0.0:1",
                "[::]:1",
                "[::2]:1",
                "[::7f00:1]:1",
            ] as &[_],
        ),
        (
            "link-local",
            &[
                "169.254.0.0:1",
                "169.254.255.255:1",
                "[fe80::]:1",
                "[febf:ffff::1]:1",
            ],
            &[
                "169.253.255.255:1",
                "169.255.0.0:1",
                "[fe7f::]:1",
                "[fec0::]:1",
            ],
        ),
        (
            "multicast",
            &[
                "224.0.0.0:1",
                "239.255.255.255:1",
                "[ff00::]:1",
                "[ffff::1]:1",
            ],
            &["223.255.255.255:1", "240.0.0.0:1", "[feff::]:1"],
        ),
        (
            "unspecified",
            &["0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"],
            &["0.0.0.1:1", "[::1]:1"],
        ),
        (
            "private",
            &[
                "10.0.0.0:1",
                "10.255.255.255:1",
                "172.16.0.0:1",
                "172.31.255.255:1",
                "192.168.0.0:1",
                "192.168.255.255:1",
                "[fc00::]:1",
                "[fdff:ffff::1]:1",
            ],
            &[
                "9.255.255.255:1",
                "11.0.0.0:1",
                "172.15.255.255:1",
                "172.32.0.0:1",
                "192.167.255.255:1",
                "192.169.0.0:1",
                "[fbff::]:1",
                "[fe00::]:1",
            ],
        ),
    ] {
        check(json!({ "deny": [class] }), outside, inside);
        check(json!({ "allow": [class] }), inside, outside);
        check(json!({ "allow": [{ "cidr": class }] }), inside, outside);
    }
}

/// Whatever the text, in the rule or of the destination, the same address is judged the same.
#[test]
fn other_forms_of_an_address() {
    let ipv4 = [
        "10.1.2.3:80",
        "[::ffff:10.1.2.3]:80",
        "[::ffff:a01:203]:80",
        "[0:0:0:0:0:FFFF:10.1.2.3]:80",
    ];
    for rule in [
        "10.1.2.3",
        "10.1.2.3/32",
        "::ffff:10.1.2.3",
        "::FFFF:a01:203/128",
        "::ffff:10.1.2.0/120",
    ] {
        check(
            json!({ "allow": [rule] }),
            &ipv4,
            &["[::10.1.2.3]:80", "10.1.3.3:80"],
        );
    }
    let ipv6 = [
        "[fe80::1]:80",
        "[FE80:0:0:0:0:0:0:1]:80",
        "[fe80::1%7]:80",
        "[fe80::0001]:80",
    ];
    for rule in ["fe80::1", "fe80:0::0001/128", "FE80:0:0:0::1"] {
        check(json!({ "allow": [rule] }), &ipv6, &["[fe80::2]:80"]);
    }
    let flow_label = std::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 5, 7);
    assert!(rules(json!({ "allow": ["fe80::1"] })).allow(flow_label.into()));
}

#[test]
fn ipv4_mapped_prefixes() {
    check(
        json!({ "allow": ["::ffff:0:0/96"] }),
        &["0.0.0.0:1", "255.255.255.255:1", "[::ffff:1.2.3.4]:1"],
        &["[::1]:1", "[::fffe:ffff:ffff]:1"],
    );
    // Wider ones hold IPv6 addresses, which an IPv4-mapped address is not taken for.
    check(
        json!({ "deny": ["::/64"] }),
        &["10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[0:0:0:1::]:1"],
        &["[::1]:1", "[::fffe:ffff:ffff]:1"],
    );
}

#[test]
fn neighbours_and_repeats_by_other_names_are_harmless() {
    check(
        json!({ "deny": ["10.0.0.0/9", "10.128.0.0/9", "127.0.0.0/8", "loopback", "127.0.0.1"] }),
        &[
            "9.255.255.255:1",
            "11.0.0.0:1",
            "128.0.0.0:1",
            "126.255.255.255:1",
        ],
        &[
            "10.127.255.255:1",
            "10.128.0.0:1",
            "127.0.0.1:1",
            "127.0.0.2:1",
            "[::1]:1",
        ],
    );
}

/// Each rule here inherits 30,000 ranges from the one around it.
#[test]
fn ports_that_multiply_are_refused() {
    let odd: Vec<_> = (0..30_000).map(|port| 2 * port + 1).collect();
    let hosts = |count: u8| {
        (0..count).map(|host| json!({ "cidr": format!("10.0.0.{host}"), "ports": [2] }))
    };
    let config = |count| {
        let wide = json!({ "cidr": "10.0.0.0/8", "ports": odd });
        let deny: Vec<_> = std::iter::once(wide).chain(hosts(count)).collect();
        Config::parse(
            json!({ "destinations": { "deny": deny } })
                .to_string()
                .as_bytes(),
        )
    };
    assert!(config(100).is_ok());
    let error = config(150).unwrap_err().to_string();
    assert!(
        error.starts_with("destinations: {\"deny\": [{\"cidr\": \"10.0.0.0/8\", ") && error.ends_with(
            "…: the ports of rules that lie in each other come to more than 4194304 ranges: use \
             fewer or wider ranges"
        ),
        "{error}"
    );
}
