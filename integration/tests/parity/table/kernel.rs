//! Kernel sockets: what netfilter did to a connection.

use lab::Listener;
use lab::kernel::Feature;
use serde_json::json;

use crate::build::scenario;
use crate::rules::Rules::*;
use crate::scenario::{Bench, Scenario, Without};
use crate::traffic::How;

/// Redirected, by every rule and to every kind of listener.
pub fn scenarios() -> Vec<Scenario> {
    [redirected(), local(), transparent(), untouched()].concat()
}

fn redirected() -> Vec<Scenario> {
    vec![
        scenario("REDIRECT, TCP")
            .rule(Redirect)
            .ask("10.2.0.2:D")
            .ask("198.51.100.10:D")
            .restored(),
        scenario("REDIRECT, HTTP")
            .rule(Redirect)
            .http()
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, IPv6, TCP")
            .rule(Redirect)
            .on("[::]")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("REDIRECT, IPv6, HTTP")
            .rule(Redirect)
            .on("[::]")
            .http()
            .ask("[fd02::2]:D")
            .ask("[2001:db8:89::10]:D")
            .restored(),
        scenario("REDIRECT, dual-stack listener")
            .rule(Redirect)
            .dual_stack()
            .ask("10.2.0.2:D")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("REDIRECT, dual-stack listener, HTTP")
            .rule(Redirect)
            .dual_stack()
            .http()
            .ask("10.2.0.2:D")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("REDIRECT, listener on one IPv4 address")
            .rule(Redirect)
            .on("10.1.0.1")
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, listener on one IPv6 address")
            .rule(Redirect)
            .on("[fd01::1]")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("REDIRECT, fixed upstream")
            .rule(Redirect)
            .fixed()
            .ask("10.2.0.2:D")
            .restored(),
        scenario("DNAT, wildcard listener")
            .rule(Dnat("10.1.0.1"))
            .ask("10.2.0.2:D")
            .restored(),
        scenario("DNAT, listener on one address")
            .rule(Dnat("10.1.0.1"))
            .on("10.1.0.1")
            .http()
            .ask("198.51.100.10:D")
            .restored(),
        scenario("DNAT, IPv6, listener on one address")
            .rule(Dnat("fd01::1"))
            .on("[fd01::1]")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("DNAT, dual-stack listener")
            .rule(Dnat("10.1.0.1"))
            .rule(Dnat("fd01::1"))
            .dual_stack()
            .ask("10.2.0.2:D")
            .ask("[fd02::2]:D")
            .restored(),
        scenario("REDIRECT, second address of a listener")
            .rule(Redirect)
            .on("127.0.0.9")
            .edit(|listener, site| {
                let address = json!({ "address": "0.0.0.0", "port_value": site.ports.listener });
                listener["additional_addresses"] =
                    json!([{ "address": { "socket_address": address } }]);
            })
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, one accepting socket for all workers")
            .rule(Redirect)
            .with(|listener| listener.field("enable_reuse_port", json!(false)))
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, balanced over workers")
            .rule(Redirect)
            .with(|listener| {
                listener.field("connection_balance_config", json!({ "exact_balance": {} }))
            })
            .ask("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, a destination that nobody has")
            .rule(Redirect)
            .fixed()
            .ask("198.51.100.99:D")
            .restored(),
        scenario("REDIRECT, destination port 0")
            .rule(RedirectPort(0))
            .fixed()
            .ask("10.2.0.2:0")
            .restored(),
        scenario("REDIRECT, destination port 65535")
            .rule(RedirectPort(65_535))
            .ask("10.2.0.2:65535")
            .restored(),
    ]
}

fn local() -> Vec<Scenario> {
    let output = |name: &str| scenario(format!("OUTPUT REDIRECT, {name}")).rule(RedirectOutput);
    vec![
        output("another host").ask_beside("10.2.0.2:D").restored(),
        output("another host, IPv6")
            .on("[::]")
            .ask_beside("[fd02::2]:D")
            .restored(),
        output("another host, dual-stack listener")
            .dual_stack()
            .ask_beside("10.2.0.2:D")
            .ask_beside("[fd02::2]:D")
            .restored(),
        output("loopback").ask_beside("127.0.0.1:D").restored(),
        output("loopback, IPv6")
            .on("[::]")
            .ask_beside("[::1]:D")
            .restored(),
        scenario("OUTPUT DNAT")
            .rule(OutputDnat("10.1.0.1"))
            .on("10.1.0.1")
            .ask_beside("10.2.0.2:D")
            .restored(),
        output("an own address").ask_beside("10.1.0.1:D").restored(),
        output("an own address, IPv6")
            .on("[::]")
            .ask_beside("[fd01::1]:D")
            .restored(),
    ]
}

fn transparent() -> Vec<Scenario> {
    let on_ip = |name: &str, ip: &'static str, bound: &str| {
        let name = format!("TPROXY to a listener on one address, {name}");
        scenario(name).rule(TproxyOnIp(ip)).transparent().on(bound)
    };
    let tproxy = |name: &str| {
        scenario(format!("TPROXY, {name}"))
            .rule(Tproxy)
            .transparent()
    };
    let untracked = |name: &str| tproxy(name).rule(NotrackDestination);
    vec![
        tproxy("tracked, TCP")
            .ask("10.2.0.2:D")
            .ask("198.51.100.10:D")
            .restored(),
        tproxy("tracked, HTTP").http().ask("10.2.0.2:D").restored(),
        tproxy("tracked, IPv6")
            .on("[::]")
            .ask("[fd02::2]:D")
            .restored(),
        tproxy("tracked, dual-stack listener")
            .dual_stack()
            .ask("10.2.0.2:D")
            .ask("[fd02::2]:D")
            .restored(),
        untracked("NOTRACK, TCP")
            .ask("10.2.0.2:D")
            .ask("198.51.100.10:D")
            .restored(),
        untracked("NOTRACK, IPv6")
            .on("[::]")
            .ask("[fd02::2]:D")
            .restored(),
        untracked("NOTRACK, dual-stack listener, HTTP")
            .dual_stack()
            .http()
            .ask("10.2.0.2:D")
            .ask("[fd02::2]:D")
            .restored(),
        tproxy("no tracking in the namespace")
            .bench(Bench::Untracked)
            .dual_stack()
            .ask("10.2.0.2:D")
            .ask("[2001:db8:89::10]:D")
            .restored(),
        on_ip("IPv4", "127.0.0.1", "127.0.0.1")
            .ask("10.2.0.2:D")
            .restored(),
        on_ip("IPv6", "::1", "[::1]").ask("[fd02::2]:D").restored(),
        on_ip("IPv4, NOTRACK", "127.0.0.1", "127.0.0.1")
            .rule(NotrackDestination)
            .http()
            .ask("10.2.0.2:D")
            .restored(),
        on_ip("IPv6, NOTRACK", "::1", "[::1]")
            .rule(NotrackDestination)
            .ask("[fd02::2]:D")
            .restored(),
        tproxy("a destination that nobody has")
            .http()
            .ask("198.51.100.99:D")
            .restored_in_vain("="),
        scenario("TPROXY, listener not transparent")
            .rule(Tproxy)
            .say("10.2.0.2:D", How::Never)
            .nothing_arrives(),
    ]
}

/// Not redirected, or redirected in a way that the kernel does not tell.
fn untouched() -> Vec<Scenario> {
    vec![
        scenario("direct, tracked: restored to where it arrived")
            .fixed()
            .ask("10.1.0.1:L")
            .restored()
            .without(Without::Same),
        scenario("direct, tracked, IPv6")
            .on("[::]")
            .fixed()
            .ask("[fd01::1]:L")
            .restored()
            .without(Without::Same),
        scenario("direct, tracked, dual-stack listener")
            .dual_stack()
            .fixed()
            .ask("10.1.0.1:L")
            .ask("[fd01::1]:L")
            .restored()
            .without(Without::Same),
        scenario("direct, tracked: an ORIGINAL_DST cluster loops")
            .bench(Bench::Alone)
            .edit(|listener, _| {
                listener["filter_chains"][0]["filters"][0]["typed_config"]["cluster"] =
                    json!("looping");
            })
            .ask("10.1.0.1:L")
            .loops("10.1.0.1:L"),
        scenario("direct, NOTRACK")
            .rule(NotrackListener)
            .ask("10.1.0.1:L")
            .left_at("=")
            .counted("unavailable"),
        scenario("direct, NOTRACK, HTTP")
            .rule(NotrackListener)
            .http()
            .ask("10.1.0.1:L")
            .left_at("="),
        scenario("direct, NOTRACK, IPv6")
            .rule(NotrackListener)
            .on("[::]")
            .ask("[fd01::1]:L")
            .left_at("="),
        scenario("direct, no tracking in the namespace")
            .bench(Bench::Untracked)
            .dual_stack()
            .ask("10.1.0.1:L")
            .ask("[fd01::1]:L")
            .left_at("="),
        scenario("direct, no tracking in the namespace, fixed upstream")
            .bench(Bench::Untracked)
            .fixed()
            .ask("10.1.0.1:L")
            .left_at("="),
        scenario("direct, NOTRACK, transparent listener")
            .rule(NotrackListener)
            .transparent()
            .fixed()
            .ask("10.1.0.1:L")
            .restored()
            .without(Without::Same)
            .counted("restored_transparent"),
        scenario("direct, tracked, transparent listener")
            .transparent()
            .fixed()
            .ask("10.1.0.1:L")
            .restored()
            .without(Without::Same),
        scenario("REDIRECT, tracked in another zone")
            .rule(Redirect)
            .rule(OtherZone)
            .ask("10.2.0.2:D")
            .left_at("10.1.0.1:L")
            .counted("unavailable"),
        scenario("REDIRECT, tracked in another zone, fixed upstream")
            .rule(Redirect)
            .rule(OtherZone)
            .fixed()
            .ask("10.2.0.2:D")
            .left_at("10.1.0.1:L"),
        scenario("REDIRECT, tracked in another zone, IPv6")
            .rule(Redirect)
            .rule(OtherZone)
            .on("[::]")
            .ask("[fd02::2]:D")
            .left_at("[fd01::1]:L"),
        scenario("REDIRECT, tracked in another zone, transparent listener")
            .rule(Redirect)
            .rule(OtherZone)
            .transparent()
            .fixed()
            .ask("10.2.0.2:D")
            .restored_to("10.1.0.1:L")
            .without(Without::Same),
        scenario("REDIRECT, listener on a v4-mapped address")
            .rule(Redirect)
            .on("[::ffff:10.1.0.1]")
            .with(Listener::ipv4_compat)
            .fixed()
            .ask("10.2.0.2:D")
            .left_at("[::ffff:10.1.0.1]:L")
            .remote("[::ffff:10.1.0.2]:*"),
        scenario("REDIRECT, listener on a v4-mapped address, transparent")
            .rule(Redirect)
            .on("[::ffff:10.1.0.1]")
            .with(Listener::ipv4_compat)
            .transparent()
            .fixed()
            .ask("10.2.0.2:D")
            .restored_to("10.1.0.1:L")
            .remote("[::ffff:10.1.0.2]:*"),
        scenario("REDIRECT, MPTCP listener and client")
            .needs(Feature::Mptcp)
            .rule(Redirect)
            .with(|listener| listener.field("enable_mptcp", json!(true)))
            .say("10.2.0.2:D", How::Mptcp)
            .left_at("10.1.0.1:L")
            .counted("unavailable"),
        scenario("REDIRECT, MPTCP listener, TCP client")
            .needs(Feature::Mptcp)
            .rule(Redirect)
            .with(|listener| listener.field("enable_mptcp", json!(true)))
            .ask("10.2.0.2:D")
            .restored(),
        scenario("REDIRECT, TCP listener, MPTCP client")
            .needs(Feature::Mptcp)
            .rule(Redirect)
            .say("10.2.0.2:D", How::Mptcp)
            .restored(),
    ]
}
