//! Internal listeners: metadata, filter state, and which of them decides.

use lab::Version;
use serde_json::{Value, json};

use super::filters::tlv_rule;
use super::texts::NO_MAPPED;
use crate::build::scenario;
use crate::scenario::Holder::{Cluster, Host};
use crate::scenario::{Expected, Scenario, Without};
use crate::site::FIXED_UPSTREAM;
use crate::traffic::{How, proxy_header};

/// Keys of filter state, which are factories of address objects as well.
pub const LOCAL_IP: &str = "envoy.filters.listener.original_dst.local_ip";
const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";
/// The key that Envoy documents for the source; no factory.
const SOURCE_IP: &str = "envoy.filters.listener.original_dst.source_ip";
/// The factory of string objects.
pub const STRING: &str = "envoy.string";

/// Reasons of differences on purpose.
pub const READS_STRINGS: &str = "the module also reads filter state that is a string object";
/// Before 1.40.
pub const READS_NO_OBJECTS: &str =
    "before 1.40, Envoy gives no module the filter state that is an address object";
const READS_SOURCE_IP: &str = "the module reads the source under the documented key source_ip";

/// An internal connection whose addresses are not restored.
pub const LEFT: &str = "envoy://inner:L/";

/// Where the upstream is.
pub const ADDRESS: &str = "10.2.0.2:8080";
const OTHER: &str = "198.51.100.10:8080";
const SOURCE: &str = "192.0.2.7:7777";

/// Through internal listeners.
pub fn scenarios() -> Vec<Scenario> {
    [destination(), precedence(), odd_values(), source(), tlv()].concat()
}

fn internal(name: &str) -> Scenario {
    scenario(format!("internal, {name}"))
}

fn left() -> Expected {
    Expected::new(LEFT, None)
}

fn ask(scenario: Scenario) -> Scenario {
    scenario.ask("10.1.0.1:L")
}

fn destination() -> Vec<Scenario> {
    vec![
        ask(internal("metadata").metadata(ADDRESS))
            .restored_to(ADDRESS)
            .counted("restored_metadata"),
        internal("metadata, HTTP")
            .http()
            .metadata(ADDRESS)
            .say("10.1.0.1:L", How::KeptHttp)
            .restored_to(ADDRESS),
        ask(internal("metadata, IPv6").metadata("[fd02::2]:8080")).restored_to("[fd02::2]:8080"),
        ask(internal("metadata, a destination that nobody has")
            .fixed()
            .metadata("198.51.100.99:1"))
        .restored_to("198.51.100.99:1"),
        ask(internal("filter state, address object")
            .since(Version::V1_40)
            .state(LOCAL_IP, LOCAL_IP, ADDRESS))
        .restored_to(ADDRESS)
        .counted("restored_filter_state"),
        ask(internal("filter state, address object, IPv6")
            .since(Version::V1_40)
            .state(LOCAL_IP, LOCAL_IP, "[fd02::2]:8080"))
        .restored_to("[fd02::2]:8080"),
        ask(internal("filter state, address object, before 1.40")
            .until(Version::V1_39)
            .state(LOCAL_IP, LOCAL_IP, ADDRESS))
        .restored_to(ADDRESS)
        .but_module(left(), READS_NO_OBJECTS)
        .counted("unavailable"),
        ask(internal("filter state, object of the other factory")
            .since(Version::V1_40)
            .state(LOCAL_IP, REMOTE_IP, ADDRESS))
        .restored_to(ADDRESS),
        ask(internal("filter state, string object").state(LOCAL_IP, STRING, ADDRESS))
            .left_at(LEFT)
            .but_module(Expected::new(ADDRESS, Some(ADDRESS)), READS_STRINGS)
            .counted("restored_filter_state"),
        ask(internal("nothing"))
            .through_tunnel()
            .left_at(LEFT)
            .counted("unavailable"),
        ask(internal("nothing, fixed upstream").fixed())
            .through_tunnel()
            .left_at(LEFT),
        ask(internal("no internal_upstream")
            .metadata(ADDRESS)
            .state(LOCAL_IP, LOCAL_IP, ADDRESS)
            .plain_tunnel())
        .left_at(LEFT),
        ask(internal("another key in the namespace").passing(Host, json!({ "remote": ADDRESS })))
            .left_at(LEFT),
    ]
}

fn precedence() -> Vec<Scenario> {
    let local = |address: &str| json!({ "local": address });
    vec![
        ask(internal("metadata and an address object")
            .metadata(ADDRESS)
            .state(LOCAL_IP, LOCAL_IP, OTHER))
        .restored_to(ADDRESS),
        ask(internal("metadata and a string object")
            .metadata(ADDRESS)
            .state(LOCAL_IP, STRING, OTHER))
        .restored_to(ADDRESS),
        ask(
            internal("metadata that is no address, and an address object")
                .metadata("nonsense")
                .state(LOCAL_IP, LOCAL_IP, OTHER),
        )
        .left_at(LEFT)
        .counted("invalid_address"),
        ask(internal("metadata that is no address, and a string object")
            .metadata("nonsense")
            .state(LOCAL_IP, STRING, OTHER))
        .left_at(LEFT),
        ask(internal("empty metadata and an address object")
            .metadata("")
            .state(LOCAL_IP, LOCAL_IP, OTHER))
        .left_at(LEFT),
        ask(internal("metadata of the cluster").passing(Cluster, local(ADDRESS)))
            .restored_to(ADDRESS),
        ask(internal("metadata of host, then cluster")
            .passing(Host, local(OTHER))
            .passing(Cluster, local(ADDRESS)))
        .restored_to(ADDRESS),
        ask(internal("metadata of cluster, then host")
            .passing(Cluster, local(OTHER))
            .passing(Host, local(ADDRESS)))
        .restored_to(ADDRESS),
        ask(
            internal("metadata of host, then of the cluster without the key")
                .passing(Host, local(ADDRESS))
                .passing(Cluster, json!({ "remote": ADDRESS })),
        )
        .left_at(LEFT),
        ask(
            internal("metadata that is no address of host, then good of the cluster")
                .passing(Host, local("nonsense"))
                .passing(Cluster, local(ADDRESS)),
        )
        .restored_to(ADDRESS),
    ]
}

/// A value that is not a string counts as absent.
fn odd_values() -> Vec<Scenario> {
    let values: [(&str, Value); 6] = [
        ("number", json!(8080)),
        ("true", json!(true)),
        ("null", Value::Null),
        ("struct", json!({ "address": ADDRESS })),
        ("list", json!([ADDRESS])),
        ("empty struct", json!({})),
    ];
    let odd = |(name, value): (&str, Value)| {
        let metadata =
            |with: &str| internal(&format!("metadata is a {name}, {with}")).metadata(value.clone());
        [
            ask(metadata("no filter state"))
                .through_tunnel()
                .left_at(LEFT)
                .counted("unavailable"),
            ask(metadata("an address object")
                .since(Version::V1_40)
                .state(LOCAL_IP, LOCAL_IP, ADDRESS))
            .restored_to(ADDRESS),
            ask(metadata("a string object").state(LOCAL_IP, STRING, ADDRESS))
                .left_at(LEFT)
                .but_module(Expected::new(ADDRESS, Some(ADDRESS)), READS_STRINGS),
        ]
    };
    values.into_iter().flat_map(odd).collect()
}

fn source() -> Vec<Scenario> {
    let restored = || Expected::new(ADDRESS, Some(ADDRESS));
    let remote = |address: &str, expected: Expected| Expected {
        remote: Some(address.to_owned()),
        ..expected
    };
    let with_metadata = |name: &str| internal(name).metadata(ADDRESS);
    vec![
        ask(with_metadata("source, address object").since(Version::V1_40).state(REMOTE_IP, REMOTE_IP, SOURCE))
            .restored_to(ADDRESS)
            .remote(SOURCE)
            .counted("source_restored"),
        ask(with_metadata("source, address object, IPv6")
            .since(Version::V1_40)
            .state(REMOTE_IP, REMOTE_IP, "[2001:db8::7]:7777"))
        .restored_to(ADDRESS)
        .remote("[2001:db8::7]:7777"),
        ask(with_metadata("source, address object, before 1.40")
            .until(Version::V1_39)
            .state(REMOTE_IP, REMOTE_IP, SOURCE))
        .restored_to(ADDRESS)
        .remote(SOURCE)
        .but_module(restored(), READS_NO_OBJECTS),
        ask(with_metadata("source, string object").state(REMOTE_IP, STRING, SOURCE))
            .restored_to(ADDRESS)
            .but_module(remote(SOURCE, restored()), READS_STRINGS)
            .counted("source_restored"),
        ask(with_metadata("source, string object, with a scope").state(
            REMOTE_IP,
            STRING,
            "[fe80::7%12]:7777",
        ))
        .restored_to(ADDRESS)
        .but_module(remote("[fe80::7%12]:7777", restored()), READS_STRINGS),
        ask(with_metadata("source, string object, v4-mapped").state(
            REMOTE_IP,
            STRING,
            "[::ffff:192.0.2.7]:7777",
        ))
        .restored_to(ADDRESS)
        .but_module(remote(SOURCE, restored()), READS_STRINGS),
        ask(with_metadata("source, address object, with a scope").since(Version::V1_40).state(
            REMOTE_IP,
            REMOTE_IP,
            "[fe80::7%12]:7777",
        ))
        .restored_to(ADDRESS)
        .remote("[fe80::7%12]:7777"),
        ask(with_metadata("source, address object, v4-mapped").since(Version::V1_40).state(
            REMOTE_IP,
            REMOTE_IP,
            "[::ffff:192.0.2.7]:7777",
        ))
        .restored_to(ADDRESS)
        .remote("[::ffff:192.0.2.7]:7777")
        .but_module(remote(SOURCE, restored()), NO_MAPPED),
        ask(with_metadata("source under source_ip, string object").state(SOURCE_IP, STRING, SOURCE))
            .restored_to(ADDRESS)
            .but_module(remote(SOURCE, restored()), READS_SOURCE_IP),
        ask(with_metadata("source under source_ip, address object")
            .since(Version::V1_40)
            .state(SOURCE_IP, REMOTE_IP, SOURCE))
        .restored_to(ADDRESS)
        .but_module(remote(SOURCE, restored()), READS_SOURCE_IP),
        ask(with_metadata("source under both keys")
            .since(Version::V1_40)
            .state(SOURCE_IP, REMOTE_IP, SOURCE)
            .state(REMOTE_IP, REMOTE_IP, "192.0.2.8:8888"))
        .restored_to(ADDRESS)
        .remote("192.0.2.8:8888")
        .but_module(remote(SOURCE, restored()), READS_SOURCE_IP),
        ask(internal("source without a destination")
            .since(Version::V1_40)
            .fixed()
            .state(REMOTE_IP, REMOTE_IP, SOURCE))
        .expect(Expected::new(LEFT, Some(FIXED_UPSTREAM)))
        .remote(SOURCE)
        .without(Without::Reached),
        ask(internal("source, and metadata that is no address")
            .since(Version::V1_40)
            .fixed()
            .metadata("nonsense")
            .state(REMOTE_IP, REMOTE_IP, SOURCE))
        .expect(Expected::new(LEFT, Some(FIXED_UPSTREAM)))
        .remote(SOURCE)
        .without(Without::Reached),
        ask(with_metadata("source, a string that is no address").state(REMOTE_IP, STRING, "nonsense"))
            .restored_to(ADDRESS)
            .counted("invalid_address"),
        ask(internal("source and destination, address objects")
            .since(Version::V1_40)
            .state(LOCAL_IP, LOCAL_IP, ADDRESS)
            .state(REMOTE_IP, REMOTE_IP, SOURCE))
        .restored_to(ADDRESS)
        .remote(SOURCE),
        ask(internal("source of the other family")
            .since(Version::V1_40)
            .metadata("[fd02::2]:8080")
            .state(REMOTE_IP, REMOTE_IP, SOURCE))
        .restored_to("[fd02::2]:8080")
        .remote(SOURCE),
    ]
}

/// Metadata out of a PROXY header.
fn tlv() -> Vec<Scenario> {
    let says = |scenario: Scenario, tlv: &str| {
        let header = proxy_header([192, 0, 2, 1], [192, 0, 2, 2], tlv);
        scenario
            .before(tlv_rule())
            .say("10.1.0.1:L", How::After(header))
    };
    vec![
        says(internal("metadata of a TLV").through_tunnel(), ADDRESS)
            .restored_to(ADDRESS)
            .remote("192.0.2.1:1111")
            .without(Without::Unreached),
        // proxy_protocol adds keys, but replaces none.
        says(
            internal("metadata of a TLV and of the tunnel: the tunnel's stays").metadata(OTHER),
            ADDRESS,
        )
        .restored_to(OTHER)
        .remote("192.0.2.1:1111")
        .without(Without::Unreached),
        says(
            internal("metadata of a TLV beside another key of the tunnel"),
            ADDRESS,
        )
        .passing(Host, json!({ "remote": OTHER }))
        .restored_to(ADDRESS)
        .remote("192.0.2.1:1111")
        .without(Without::Unreached),
        says(
            internal("metadata of a TLV that is no address")
                .through_tunnel()
                .fixed(),
            "nonsense",
        )
        .left_at("192.0.2.2:2222")
        .remote("192.0.2.1:1111")
        .counted("invalid_address"),
        says(
            internal("metadata of a TLV and a source object").since(Version::V1_40),
            ADDRESS,
        )
        .state(REMOTE_IP, REMOTE_IP, SOURCE)
        .restored_to(ADDRESS)
        .remote(SOURCE)
        .without(Without::Unreached),
    ]
}
