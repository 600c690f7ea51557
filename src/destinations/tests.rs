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
        json!({ "allow": ["10.0.0.0/7"], "deny": ["10.0.0.0/8"] }),
        &["11.0.0.0:1"],
        &["10.1.0.0:1", "10.2.0.1:1", "12.0.0.0:1"],
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
            "allow": [at("10.0.0.0/8", "80"), at("10.1.0.0/16", "443"), at("10.1.1.1", "22-24")],
            "deny": [at("10.1.0.0/16", "80-100"), at("0.0.0.0/0", "22-23")],
        }),
        &[
            "10.0.0.0:80",
            "10.1.0.0:443",
            "10.1.1.1:443",
            "10.1.1.1:24",
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
            "allow": [at("10.0.0.1", "80"), at("10.0.0.1", "443"), at("10.0.0.1", "22-23")],
            "deny": [at("10.0.0.1", "22")],
        }),
        &["10.0.0.1:80", "10.0.0.1:443", "10.0.0.1:23"],
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
                "0.0.0.0:1",
                "[::]:1",
                "[::1]:1",
                "[::ffff:127.0.0.1]:1",
                "[::ffff:0.0.0.0]:1",
            ] as &[_],
            &[
                "126.255.255.255:1",
                "128.0.0.0:1",
                "0.0.0.1:1",
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

/// Linux connects the unspecified address to 127.0.0.1 or `::1`, and to no other loopback address.
#[test]
fn the_unspecified_address_is_where_it_leads_to() {
    for rule in ["127.0.0.0/8", "127.0.0.0/24", "127.0.0.1", "126.0.0.0/7"] {
        check(
            json!({ "allow": [rule] }),
            &["0.0.0.0:1", "127.0.0.1:1"],
            &["[::]:1", "0.0.0.1:1"],
        );
        check(
            json!({ "deny": [rule] }),
            &["[::]:1"],
            &["0.0.0.0:1", "[::ffff:0.0.0.0]:1"],
        );
    }
    for rule in ["127.0.0.2", "127.0.1.0/24", "127.128.0.0/9"] {
        check(json!({ "deny": [rule] }), &["0.0.0.0:1", "[::]:1"], &[]);
    }
    for rule in ["::1", "::/127", "::/8"] {
        check(
            json!({ "allow": [rule] }),
            &["[::]:1", "[::1]:1"],
            &["0.0.0.0:1", "127.0.0.1:1"],
        );
    }
    // Its ports are those of the place, and what the place is excepted from it is too.
    check(
        json!({ "deny": [{ "cidr": "127.0.0.1", "ports": [9901] }, { "cidr": "::1", "ports": [1] }] }),
        &["0.0.0.0:1", "[::]:9901"],
        &["0.0.0.0:9901", "[::]:1"],
    );
    check(
        json!({ "deny": [{ "cidr": "loopback", "except": ["127.0.0.1", "::1"] }] }),
        &["0.0.0.0:1", "[::]:1", "127.0.0.1:1", "[::1]:1"],
        &["127.0.0.2:1"],
    );
    check(
        json!({ "allow": [{ "cidr": "0.0.0.0/0", "except": ["loopback"] }] }),
        &["0.0.0.1:1", "126.255.255.255:1", "128.0.0.0:1"],
        &["0.0.0.0:1", "127.0.0.1:1", "[::]:1"],
    );
    // It is no other name for itself: a rule about it alone is not about loopback.
    check(
        json!({ "deny": ["unspecified"] }),
        &["127.0.0.1:1", "[::1]:1"],
        &["0.0.0.0:1", "[::]:1"],
    );
}

#[test]
fn exceptions() {
    let private = json!({
        "cidr": "private",
        "except": ["10.77.2.0/24", { "cidr": "10.77.3.0/24", "ports": ["80", "8080"] }, "fd00::1"],
    });
    let inside = [
        "10.77.1.255:1",
        "10.77.3.0:81",
        "10.77.3.255:79",
        "10.77.4.0:80",
        "192.168.0.1:80",
        "[fd00::]:1",
        "[fd00::2]:1",
    ];
    let outside = [
        "10.77.2.0:1",
        "10.77.2.255:65535",
        "10.77.3.0:80",
        "10.77.3.255:8080",
        "[fd00::1]:1",
        "11.0.0.0:1",
    ];
    check(json!({ "deny": [private] }), &outside, &inside);
    check(json!({ "allow": [private] }), &inside, &outside);
    // Another rule may be about what this one excepts.
    check(
        json!({ "deny": [private, { "cidr": "10.77.2.7", "ports": [443] }] }),
        &["10.77.2.7:80", "10.77.2.6:443"],
        &["10.77.2.7:443"],
    );
    // Of a rule's ports, some may be excepted.
    check(
        json!({ "allow": [{
            "cidr": "10.0.0.0/8",
            "ports": ["8000-8999"],
            "except": [{ "cidr": "10.0.0.0/9", "ports": ["8080-9000", 1] }, "10.255.0.0/16"],
        }] }),
        &["10.0.0.0:8079", "10.128.0.0:8080", "10.254.255.255:8999"],
        &[
            "10.0.0.0:8080",
            "10.0.0.0:1",
            "10.128.0.0:9000",
            "10.255.0.0:8000",
        ],
    );
}

#[test]
fn exceptions_that_multiply_are_refused() {
    let parse = |count: u64| {
        let hosts = (1..=count).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let hosts: Vec<_> = hosts
            .map(|bits| std::net::Ipv6Addr::from_bits(u128::from(bits) << 64).to_string())
            .collect();
        let deny = json!([{ "cidr": "::/0", "except": hosts }]);
        Config::parse(
            json!({ "destinations": { "deny": deny } })
                .to_string()
                .as_bytes(),
        )
    };
    assert!(parse(100).is_ok());
    let error = parse(12_000).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "…: except leaves more than 1048576 prefixes of the entry: use fewer or wider ones"
        ),
        "{error}"
    );
}

#[test]
fn what_denies_has_a_name() {
    let rules = rules(json!({
        "allow": ["0.0.0.0/0", { "cidr": "::/0", "except": ["2001:db8::/32"] }],
        "deny": [
            "loopback",
            { "cidr": "10.0.0.0/8", "ports": [80], "except": ["10.9.0.0/16"] },
            { "cidr": "private", "ports": ["443"] },
            "::ffff:169.254.0.0/112",
            "10.1.2.3/32",
            "10.1.2.0/24",
            "fe80::0/10",
            "127.0.0.1",
            "10.1.2.3",
        ],
    }));
    let no_entry = Some("no allow entry matches");
    for (destination, denial) in [
        ("192.0.2.1:80", None),
        ("10.0.0.1:81", None),
        ("10.9.0.1:80", None),
        ("[2001:db8::1]:80", no_entry),
        ("127.0.0.1:1", Some("deny[0] loopback")),
        ("0.0.0.0:1", Some("deny[0] loopback")),
        ("[::ffff:127.9.9.9]:1", Some("deny[0] loopback")),
        ("10.0.0.1:80", Some("deny[1] 10.0.0.0/8")),
        ("10.9.0.1:443", Some("deny[2] private")),
        ("[fd00::1]:443", Some("deny[2] private")),
        ("169.254.169.254:80", Some("deny[3] 169.254.0.0/16")),
        ("10.1.2.3:1", Some("deny[5] 10.1.2.0/24")),
        ("10.1.2.3:443", Some("deny[2] private")),
        ("[febf::1%7]:1", Some("deny[6] fe80::/10")),
    ] {
        let destination = address(destination);
        let name = rules.denial(destination).map(|denial| denial.to_string());
        assert_eq!(name.as_deref(), denial, "{destination}");
        assert_eq!(rules.allow(destination), denial.is_none(), "{destination}");
    }
    assert_eq!(rules.rules(), 11);
}

#[test]
fn a_rule_about_loopback_denies_the_unspecified_address_by_its_name() {
    let names = |deny: Value, destination: &str| {
        let denial = rules(json!({ "deny": deny })).denial(address(destination));
        denial.unwrap().to_string()
    };
    assert_eq!(
        names(json!(["127.0.0.1"]), "0.0.0.0:1"),
        "deny[0] 127.0.0.1"
    );
    assert_eq!(
        names(json!(["126.0.0.0/7"]), "0.0.0.0:1"),
        "deny[0] 126.0.0.0/7"
    );
    assert_eq!(names(json!(["10.0.0.1", "::1"]), "[::]:1"), "deny[1] ::1");
    assert_eq!(
        names(json!(["0.0.0.0/0"]), "0.0.0.0:1"),
        "deny[0] 0.0.0.0/0"
    );
    assert_eq!(names(json!(["::/0"]), "[::]:1"), "deny[0] ::/0");
}

#[test]
fn places() {
    let list = json!(["10.0.0.0/8", { "cidr": "fe80::/10", "ports": [80] }, "10.0.0.0/8"]);
    let places: Places = serde_json::from_value(list).unwrap();
    for text in ["10.1.2.3:1", "[::ffff:10.1.2.3]:1", "[fe80::1%7]:80"] {
        assert!(places.contains(address(text)), "{text}");
    }
    for text in [
        "11.0.0.0:1",
        "[fe80::1]:81",
        "[::10.1.2.3]:1",
        "0.0.0.0:1",
        "[::]:80",
    ] {
        assert!(!places.contains(address(text)), "{text}");
    }
    let refused = serde_json::from_value::<Places>(json!([]))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("expected a list of at least one entry"),
        "{refused}"
    );
}

/// A rule in the middle of many is named like any other.
#[test]
fn one_of_many_rules_has_a_name() {
    let host = |number: u32| std::net::Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1));
    let deny: Vec<_> = (0..20_000).map(|number| host(number).to_string()).collect();
    let rules = rules(json!({ "deny": deny }));
    for number in [0, 1, 7_777, 19_999] {
        let denial = rules.denial((host(number), 1).into()).unwrap();
        assert_eq!(
            denial.to_string(),
            format!("deny[{number}] {}", host(number))
        );
    }
    assert_eq!(rules.denial((host(20_000), 1).into()), None);
}

#[test]
fn neighbours_and_repeats_are_harmless() {
    check(
        json!({ "deny": [
            "10.0.0.0/9", "10.128.0.0/9", "127.0.0.0/8", "loopback", "127.0.0.1", "10.0.0.0/9",
            "loopback", { "cidr": "loopback", "ports": [80] }, { "cidr": "loopback", "ports": [80] },
        ] }),
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
