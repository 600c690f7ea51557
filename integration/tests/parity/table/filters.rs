//! Other listener filters beside the one under test, and matches on addresses.

use lab::config::listener_filter;
use serde_json::{Value, json};

use crate::build::scenario;
use crate::rules::Rules::*;
use crate::scenario::{Expected, Own, Scenario, Without};
use crate::site::FIXED_UPSTREAM;
use crate::traffic::{How, TLV};

/// With other filters, and with matches.
pub fn scenarios() -> Vec<Scenario> {
    [proxy_protocol(), inspectors(), matches()].concat()
}

/// The addresses in these headers are nobody's.
const HEADER_V4: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n";
const HEADER_V6: &[u8] = b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 2222\r\n";

fn says(header: &[u8]) -> How {
    How::After(header.to_vec())
}

fn proxy_protocol() -> Vec<Scenario> {
    let before = |name: &str| {
        scenario(format!("proxy_protocol before, {name}"))
            .fixed()
            .before(listener_filter("proxy_protocol", json!({})))
    };
    let after = |name: &str| {
        scenario(format!("proxy_protocol after, {name}"))
            .fixed()
            .after(listener_filter("proxy_protocol", json!({})))
    };
    vec![
        before("REDIRECT: the kernel wins for the local address")
            .rule(Redirect)
            .say("10.2.0.2:D", says(HEADER_V4))
            .restored()
            .remote("192.0.2.1:1111"),
        before("REDIRECT, IPv6: the kernel wins for the local address")
            .rule(Redirect)
            .on("[::]")
            .say("[fd02::2]:D", says(HEADER_V6))
            .restored()
            .remote("[2001:db8::1]:1111"),
        before("REDIRECT, ORIGINAL_DST cluster")
            .not_fixed()
            .rule(Redirect)
            .say("10.2.0.2:D", says(HEADER_V4))
            .restored()
            .remote("192.0.2.1:1111")
            // Restored by proxy_protocol, to what nobody has.
            .without(Without::Unreached),
        before("TPROXY, NOTRACK: the socket wins for the local address")
            .rule(Tproxy)
            .rule(NotrackDestination)
            .transparent()
            .say("10.2.0.2:D", says(HEADER_V4))
            .restored()
            .remote("192.0.2.1:1111"),
        before("direct, NOTRACK: its address stays")
            .rule(NotrackListener)
            .say("10.1.0.1:L", says(HEADER_V4))
            .left_at("192.0.2.2:2222")
            .remote("192.0.2.1:1111"),
        before("direct, tracked: the kernel wins")
            .say("10.1.0.1:L", says(HEADER_V4))
            .restored()
            .remote("192.0.2.1:1111"),
        before("an IPv6 header on IPv4: the kernel is asked for IPv6")
            .rule(Redirect)
            .say("10.2.0.2:D", says(HEADER_V6))
            .left_at("[2001:db8::2]:2222")
            .remote("[2001:db8::1]:1111"),
        before("an IPv4 header on IPv6: the kernel is asked for IPv4")
            .rule(Redirect)
            .on("[::]")
            .say("[fd02::2]:D", says(HEADER_V4))
            .left_at("192.0.2.2:2222")
            .remote("192.0.2.1:1111"),
        before("an IPv6 header on IPv4 of a dual-stack listener")
            .rule(Redirect)
            .dual_stack()
            .say("10.2.0.2:D", says(HEADER_V6))
            .left_at("[2001:db8::2]:2222")
            .remote("[2001:db8::1]:1111"),
        before("an IPv6 header on IPv4, transparent listener")
            .rule(Tproxy)
            .transparent()
            .say("10.2.0.2:D", says(HEADER_V6))
            .left_at("[2001:db8::2]:2222")
            .remote("[2001:db8::1]:1111"),
        before("an IPv6 header on IPv4, transparent dual-stack listener")
            .rule(Tproxy)
            .dual_stack()
            .transparent()
            .say("10.2.0.2:D", says(HEADER_V6))
            .restored()
            .remote("[2001:db8::1]:1111"),
        before("an IPv4 header on IPv6, transparent listener")
            .rule(Tproxy)
            .on("[::]")
            .transparent()
            .say("[fd02::2]:D", says(HEADER_V4))
            .restored()
            .remote("192.0.2.1:1111"),
        before("UNKNOWN")
            .rule(Redirect)
            .say("10.2.0.2:D", says(b"PROXY UNKNOWN\r\n"))
            .restored(),
        after("REDIRECT: its addresses win")
            .rule(Redirect)
            .say("10.2.0.2:D", says(HEADER_V4))
            .expect(Expected::new("192.0.2.2:2222", Some(FIXED_UPSTREAM)))
            .remote("192.0.2.1:1111")
            .without(Without::Same),
        after("TPROXY: its addresses win")
            .rule(Tproxy)
            .transparent()
            .say("10.2.0.2:D", says(HEADER_V4))
            .expect(Expected::new("192.0.2.2:2222", Some(FIXED_UPSTREAM)))
            .remote("192.0.2.1:1111")
            .without(Without::Same),
        after("UNKNOWN: what was restored stays")
            .rule(Redirect)
            .say("10.2.0.2:D", says(b"PROXY UNKNOWN\r\n"))
            .restored(),
    ]
}

fn inspectors() -> Vec<Scenario> {
    let tls = || listener_filter("tls_inspector", json!({}));
    let http = || listener_filter("http_inspector", json!({}));
    let redirected = |name: &str| scenario(name).rule(Redirect);
    vec![
        redirected("two of these filters in a row")
            .own(Own::Twice)
            .ask("10.2.0.2:D")
            .restored(),
        redirected("two of these filters in a row, IPv6, HTTP")
            .own(Own::Twice)
            .on("[::]")
            .http()
            .ask("[fd02::2]:D")
            .restored(),
        scenario("two of these filters in a row, TPROXY, NOTRACK")
            .rule(Tproxy)
            .rule(NotrackDestination)
            .transparent()
            .own(Own::Twice)
            .ask("10.2.0.2:D")
            .restored(),
        redirected("tls_inspector before")
            .before(tls())
            .say("10.2.0.2:D", says(b""))
            .restored(),
        redirected("tls_inspector after")
            .after(tls())
            .say("10.2.0.2:D", says(b""))
            .restored(),
        redirected("http_inspector before")
            .before(http())
            .http()
            .ask("10.2.0.2:D")
            .restored(),
        redirected("http_inspector after")
            .after(http())
            .http()
            .ask("10.2.0.2:D")
            .restored(),
        redirected("both inspectors around")
            .before(tls())
            .after(http())
            .http()
            .ask("10.2.0.2:D")
            .restored(),
        redirected("by ECDS")
            .own(Own::Discovered)
            .ask("10.2.0.2:D")
            .restored(),
    ]
}

fn matches() -> Vec<Scenario> {
    vec![
        scenario("filter chain match on the destination port")
            .rule(Redirect)
            .fixed()
            .edit(|listener, site| {
                match_chain(
                    listener,
                    json!({ "destination_port": site.ports.destination }),
                );
            })
            .ask("10.2.0.2:D")
            .restored()
            .without(Without::Unreached),
        scenario("filter chain match on a destination prefix")
            .rule(Redirect)
            .fixed()
            .edit(|listener, _| {
                let prefix = json!([{ "address_prefix": "10.2.0.0", "prefix_len": 24 }]);
                match_chain(listener, json!({ "prefix_ranges": prefix }));
            })
            .ask("10.2.0.2:D")
            .restored()
            .without(Without::Unreached),
        scenario("filter chain match on an IPv6 destination prefix")
            .rule(Redirect)
            .on("[::]")
            .fixed()
            .edit(|listener, _| {
                let prefix = json!([{ "address_prefix": "fd02::", "prefix_len": 64 }]);
                match_chain(listener, json!({ "prefix_ranges": prefix }));
            })
            .ask("[fd02::2]:D")
            .restored()
            .without(Without::Unreached),
        scenario("filter chain match on another destination prefix")
            .rule(Redirect)
            .fixed()
            .edit(|listener, _| {
                let prefix = json!([{ "address_prefix": "10.1.0.0", "prefix_len": 24 }]);
                match_chain(listener, json!({ "prefix_ranges": prefix }));
            })
            .ask("10.2.0.2:D")
            .expect(Expected {
                connections: 0,
                ..Expected::new("", None)
            })
            .without(Without::Reached),
        scenario("RBAC on the destination")
            .rule(Redirect)
            .fixed()
            .edit(|listener, _| {
                let allowed = json!({ "address_prefix": "10.2.0.0", "prefix_len": 24 });
                permit(listener, json!({ "destination_ip": allowed }));
            })
            .ask("10.2.0.2:D")
            .restored()
            .without(Without::Unreached),
        scenario("RBAC on the destination port, denied")
            .rule(Redirect)
            .fixed()
            .edit(|listener, site| {
                permit(listener, json!({ "destination_port": site.ports.listener }));
            })
            .ask("10.2.0.2:D")
            .expect(Expected::new("=", None))
            .without(Without::Reached),
        scenario("filter_disabled for the original destination: it is not known yet")
            .rule(Redirect)
            .edit_filter(|filter, site| disable(filter, site.ports.destination))
            .ask("10.2.0.2:D")
            .restored(),
        scenario("filter_disabled for where it arrived")
            .rule(Redirect)
            .edit_filter(|filter, site| disable(filter, site.ports.listener))
            .ask("10.2.0.2:D")
            .left_at("10.1.0.1:L"),
        scenario("filter_disabled for the destination, TPROXY: the socket has it")
            .rule(Tproxy)
            .transparent()
            .edit_filter(|filter, site| disable(filter, site.ports.destination))
            .ask("10.2.0.2:D")
            .left_at("="),
    ]
}

/// proxy_protocol with a rule: what TLV 0xE0 says becomes the metadata that names the destination.
pub fn tlv_rule() -> Value {
    let mut filter = listener_filter("proxy_protocol", json!({}));
    filter["typed_config"]["rules"] = json!([{
        "tlv_type": TLV,
        "on_tlv_present": {
            "metadata_namespace": "envoy.filters.listener.original_dst",
            "key": "local",
        },
    }]);
    filter
}

/// Closes what the one filter chain does not match.
fn match_chain(listener: &mut Value, condition: Value) {
    listener["filter_chains"][0]["filter_chain_match"] = condition;
}

/// Lets the network filters go on with connections that have the permission only.
fn permit(listener: &mut Value, permission: Value) {
    let filter = json!({
        "name": "envoy.filters.network.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
            "stat_prefix": "rbac",
            "rules": { "policies": { "permit": {
                "permissions": [permission],
                "principals": [{ "any": true }],
            }}},
        },
    });
    let filters = listener["filter_chains"][0]["filters"].as_array_mut();
    filters.expect("a finished listener").insert(0, filter);
}

/// Switches a filter off for one destination port.
fn disable(filter: &mut Value, port: u16) {
    let range = json!({ "start": port, "end": port + 1 });
    filter["filter_disabled"] = json!({ "destination_port_range": range });
}
