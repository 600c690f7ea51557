//! The text form of an address, "IP:port": each text as metadata, as an address object, and as a
//! string object.

use lab::Version;

use super::internal::{ADDRESS, LEFT, LOCAL_IP, READS_NO_OBJECTS, READS_STRINGS, STRING};
use super::special::SCOPE;
use crate::build::scenario;
use crate::scenario::{Bench, Expected, Scenario};
use crate::site::FIXED_UPSTREAM;

/// Texts that are addresses: the text, the address, and where the upstream is reached, if it is.
const ACCEPTED: [(&str, &str, Option<&str>); 31] = [
    ("10.2.0.2:8080", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("[fd02::2]:8080", "[fd02::2]:8080", Some("[fd02::2]:8080")),
    ("[FD02::2]:8080", "[fd02::2]:8080", Some("[fd02::2]:8080")),
    (
        "[fd02:0:0:0:0:0:0:2]:8080",
        "[fd02::2]:8080",
        Some("[fd02::2]:8080"),
    ),
    (
        "[fd02:0000::0002]:8080",
        "[fd02::2]:8080",
        Some("[fd02::2]:8080"),
    ),
    (
        "[fd02::0.0.0.2]:8080",
        "[fd02::2]:8080",
        Some("[fd02::2]:8080"),
    ),
    ("10.2.0.2:08080", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    (
        "10.2.0.2:00000000008080",
        "10.2.0.2:8080",
        Some("10.2.0.2:8080"),
    ),
    ("10.2.0.2:+8080", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("10.2.0.2: 8080", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("10.2.0.2:8080 ", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("10.2.0.2:\t8080\t", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("10.2.0.2:8080\n", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("10.2.0.2:\r\n8080", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    (
        "10.2.0.2:\u{b}8080\u{c}",
        "10.2.0.2:8080",
        Some("10.2.0.2:8080"),
    ),
    ("10.2.0.2: +8080 ", "10.2.0.2:8080", Some("10.2.0.2:8080")),
    ("[fd02::2]: 8080 ", "[fd02::2]:8080", Some("[fd02::2]:8080")),
    ("[fd02::2]:+08080", "[fd02::2]:8080", Some("[fd02::2]:8080")),
    ("10.2.0.2:0", "10.2.0.2:0", None),
    ("10.2.0.2:+0", "10.2.0.2:0", None),
    ("10.2.0.2:65535", "10.2.0.2:65535", Some("10.2.0.2:65535")),
    ("0.0.0.0:8080", "0.0.0.0:8080", Some("127.0.0.1:8080")),
    ("[::]:8080", "[::]:8080", Some("[::1]:8080")),
    ("127.0.0.1:8080", "127.0.0.1:8080", Some("127.0.0.1:8080")),
    ("[::1]:8080", "[::1]:8080", Some("[::1]:8080")),
    ("224.0.0.1:8080", "224.0.0.1:8080", None),
    ("[ff02::1]:8080", "[ff02::1]:8080", None),
    ("255.255.255.255:8080", "255.255.255.255:8080", None),
    ("[::10.2.0.2]:8080", "[::10.2.0.2]:8080", None),
    ("[fe80::a1]:8080", "[fe80::a1]:8080", None),
    ("[fe80::a1%0]:8080", "[fe80::a1]:8080", None),
];

/// Texts with a scope; not for an `ORIGINAL_DST` cluster before 1.39.
const SCOPED: [(&str, &str, Option<&str>); 12] = [
    (
        "[fe80::a1%eth1]:8080",
        "[fe80::a1%12]:8080",
        Some("[fe80::a1%2]:8080"),
    ),
    (
        "[fe80::a1%12]:8080",
        "[fe80::a1%12]:8080",
        Some("[fe80::a1%2]:8080"),
    ),
    (
        "[FE80::A1%0012]:8080",
        "[fe80::a1%12]:8080",
        Some("[fe80::a1%2]:8080"),
    ),
    ("[fe80::a1%lo]:8080", "[fe80::a1%1]:8080", None),
    ("[ff02::1%lo]:8080", "[ff02::1%1]:8080", None),
    ("[ff01::1%lo]:8080", "[ff01::1%1]:8080", None),
    ("[ff12::1%lo]:8080", "[ff12::1%1]:8080", None),
    ("[fe80::a1%99]:8080", "[fe80::a1%99]:8080", None),
    (
        "[fe80::a1%4294967295]:8080",
        "[fe80::a1%4294967295]:8080",
        None,
    ),
    (
        "[fd02::2%12]:8080",
        "[fd02::2%12]:8080",
        Some("[fd02::2]:8080"),
    ),
    (
        "[fd02::2%99]:8080",
        "[fd02::2%99]:8080",
        Some("[fd02::2]:8080"),
    ),
    ("[::1%1]:8080", "[::1%1]:8080", Some("[::1]:8080")),
];

/// Texts with a NUL byte, which ends the address for Envoy.
const NUL: [(&str, &str); 4] = [
    ("10.2.0.2\0:8080", "10.2.0.2:8080"),
    ("10.2.0.2\0nonsense:8080", "10.2.0.2:8080"),
    ("[fd02::2\0]:8080", "[fd02::2]:8080"),
    ("[fd02::2\0nonsense]:8080", "[fd02::2]:8080"),
];
const NO_NUL: &str = "the module takes no text with a NUL byte for an address";

/// Why the module restores no v4-mapped address.
pub const NO_MAPPED: &str = "the module restores a v4-mapped address as IPv4, so that a cluster of \
                         every version connects to it";

/// Texts that are no addresses.
const REFUSED: [&str; 69] = [
    "",
    ":",
    ":8080",
    "8080",
    "10.2.0.2",
    "10.2.0.2:",
    "10.2.0.2: ",
    "10.2.0.2:+",
    "10.2.0.2:++8080",
    "10.2.0.2:+-8080",
    "10.2.0.2:+ 8080",
    "10.2.0.2:80 80",
    "10.2.0.2:65536",
    "10.2.0.2:4294975376",
    "10.2.0.2:18446744073709559696",
    "10.2.0.2:-1",
    "10.2.0.2:-0",
    "10.2.0.2:0x1f90",
    "10.2.0.2:http",
    "10.2.0.2:8080.0",
    "10.2.0.2:8080x",
    "10.2.0.2:8080/",
    "10.2.0.2:8080:8080",
    "10.2.0.2,8080",
    "10.2.0.2;8080",
    " 10.2.0.2:8080",
    "\t10.2.0.2:8080",
    "10.2.0.2 :8080",
    "10. 2.0.2:8080",
    "+10.2.0.2:8080",
    "x10.2.0.2:8080",
    "10.2.0.2x:8080",
    "10.2.0.2.:8080",
    ".10.2.0.2:8080",
    "10.2..2:8080",
    "010.2.0.2:8080",
    "10.2.0.02:8080",
    "0x0a.2.0.2:8080",
    "10.2.2:8080",
    "10.131074:8080",
    "167903234:8080",
    "10.2.0.256:8080",
    "10.2.0.2.2:8080",
    "10.2.0.2%12:8080",
    "localhost:8080",
    "upstream.example:8080",
    "[10.2.0.2]:8080",
    "fd02::2:8080",
    "fd02::2",
    "[fd02::2]",
    "[fd02::2]8080",
    "[fd02::2:8080",
    "fd02::2]:8080",
    "[[fd02::2]]:8080",
    "x[fd02::2]:8080",
    "[fd02::2]x:8080",
    "[ fd02::2]:8080",
    "[fd02::2 ]:8080",
    "[]:8080",
    "[fd02:::2]:8080",
    "[fd02::2::]:8080",
    "[fd02::12345]:8080",
    "[1:2:3:4:5:6:7:8:9]:8080",
    "[fd02::10.2.0.256]:8080",
    "envoy://inner",
    "10.2.0.2:\u{a0}8080",
    "10.2.0.2:8080\u{2003}",
    "10.2.0.2:\u{ff18}080",
    "10.2.0.\u{662}:8080",
];

/// Texts whose scope is none.
const REFUSED_SCOPES: [&str; 13] = [
    "[fe80::a1%]:8080",
    "[fe80::a1%no-such-interface]:8080",
    "[fe80::a1%eth9]:8080",
    "[fe80::a1%ETH1]:8080",
    "[fe80::a1%+12]:8080",
    "[fe80::a1%-1]:8080",
    "[fe80::a1%0x0c]:8080",
    "[fe80::a1%4294967296]:8080",
    "[fd02::2%eth1]:8080",
    "[fe80::a1%eth1%eth1]:8080",
    "[ff00::1%lo]:8080",
    "[ff03::1%lo]:8080",
    "[ff05::1%lo]:8080",
];

/// Every text in every form.
pub fn scenarios() -> Vec<Scenario> {
    let accepted = ACCEPTED.into_iter().flat_map(accepted);
    let scoped = SCOPED.into_iter().flat_map(scoped);
    let nul = NUL.into_iter().map(nul);
    let refused = REFUSED.into_iter().chain(REFUSED_SCOPES).flat_map(refused);
    accepted
        .chain(scoped)
        .chain(nul)
        .chain(refused)
        .chain(mapped())
        .chain(fatal())
        .collect()
}

fn metadata(text: &str) -> Scenario {
    scenario(format!("text {text:?}, metadata"))
        .metadata(text)
        .ask("10.1.0.1:L")
}

fn object(text: &str) -> Scenario {
    scenario(format!("text {text:?}, address object"))
        .since(Version::V1_40)
        .state(LOCAL_IP, LOCAL_IP, text)
        .ask("10.1.0.1:L")
}

fn string(text: &str) -> Scenario {
    scenario(format!("text {text:?}, string object"))
        .state(LOCAL_IP, STRING, text)
        .ask("10.1.0.1:L")
}

fn accepted((text, local, upstream): (&str, &str, Option<&str>)) -> [Scenario; 3] {
    let expected = || Expected::new(local, upstream);
    [
        metadata(text).expect(expected()),
        object(text).expect(expected()),
        string(text)
            .left_at(LEFT)
            .but_module(expected(), READS_STRINGS),
    ]
}

fn scoped((text, local, upstream): (&str, &str, Option<&str>)) -> Vec<Scenario> {
    let expected = || Expected::new(local, upstream);
    let old = |scenario: Scenario| {
        let name = format!("{}, old Envoys", scenario.name);
        Scenario {
            name,
            ..scenario.until(Version::V1_38)
        }
    };
    vec![
        metadata(text).since(Version::V1_39).expect(expected()),
        object(text).expect(expected()),
        string(text)
            .since(Version::V1_39)
            .left_at(LEFT)
            .but_module(expected(), READS_STRINGS),
        old(metadata(text))
            .fixed()
            .restored_to(local)
            .but_module(Expected::new(LEFT, Some(FIXED_UPSTREAM)), SCOPE)
            .counted("invalid_address"),
        old(string(text)).left_at(LEFT).counted("invalid_address"),
    ]
}

fn nul((text, local): (&str, &str)) -> Scenario {
    metadata(text)
        .restored_to(local)
        .but_module(Expected::new(LEFT, None), NO_NUL)
        .counted("invalid_address")
}

fn refused(text: &str) -> [Scenario; 3] {
    [
        metadata(text).left_at(LEFT).counted("invalid_address"),
        object(text).left_at(LEFT),
        string(text).left_at(LEFT).counted("invalid_address"),
    ]
}

/// A v4-mapped address: Envoy keeps it, and connects to it from 1.39 on.
fn mapped() -> Vec<Scenario> {
    let (text, scoped, plain) = (
        "[::ffff:10.2.0.2]:8080",
        "[::ffff:10.2.0.2%12]:8080",
        ADDRESS,
    );
    let differs = |scenario: Scenario, local: &str, upstream: Option<&str>| {
        let name = format!("{}, v4-mapped", scenario.name);
        let expected = Expected::new(local, upstream);
        let module = Expected::new(plain, upstream.or(Some(plain)));
        Scenario {
            name,
            ..scenario.expect(expected).but_module(module, NO_MAPPED)
        }
    };
    let old = |scenario: Scenario| {
        let name = format!("{}, old Envoys", scenario.name);
        Scenario {
            name,
            ..scenario.until(Version::V1_38)
        }
    };
    vec![
        differs(metadata(text).since(Version::V1_39), text, Some(plain)),
        differs(old(metadata(text)), text, None),
        differs(object(text), text, Some(plain)),
        differs(metadata(scoped).since(Version::V1_39), scoped, Some(plain)),
        differs(old(metadata(scoped)).fixed(), scoped, Some(FIXED_UPSTREAM)),
        string(text)
            .left_at(LEFT)
            .but_module(Expected::new(plain, Some(plain)), READS_STRINGS)
            .named("text, v4-mapped, string object"),
    ]
}

/// Texts that end an old Envoy whose cluster is of the kind `ORIGINAL_DST`.
fn fatal() -> [Scenario; 4] {
    let fatal = |scenario: Scenario, reason| {
        let name = format!("{}, ORIGINAL_DST cluster, old Envoys", scenario.name);
        let scenario = scenario.until(Version::V1_38).bench(Bench::Alone).dies();
        let scenario = scenario.but_module(Expected::new(LEFT, None), reason);
        Scenario { name, ..scenario }
    };
    let scoped = "[fe80::a1%eth1]:8080";
    let object = scenario(format!("text {scoped:?}, address object"));
    let object = object.state(LOCAL_IP, LOCAL_IP, scoped).ask("10.1.0.1:L");
    [
        fatal(metadata(scoped), SCOPE).counted("invalid_address"),
        fatal(metadata("[fe80::a1%99]:8080"), SCOPE).counted("invalid_address"),
        fatal(metadata("[::1%1]:8080"), SCOPE).counted("invalid_address"),
        fatal(object, READS_NO_OBJECTS).counted("unavailable"),
    ]
}
