//! Special clients and sockets.

use lab::Version;
use serde_json::{Value, json};

use super::filters::tlv_rule;
use crate::build::scenario;
use crate::rules::Rules::*;
use crate::scenario::{Bench, Edit, Expected, Scenario, Without};
use crate::site::{FIXED_UPSTREAM, PIPE};
use crate::traffic::{FURTHER_ADDRESSES, From, How, proxy_header};

/// Specials.
pub fn scenarios() -> Vec<Scenario> {
    [clients(), pipes(), link_local(), vec![crowd()]].concat()
}

fn clients() -> Vec<Scenario> {
    let says = |name: &str, how: How| scenario(name).rule(Redirect).say("10.2.0.2:D", how);
    vec![
        says("the server speaks first", How::Listen).restored(),
        says(
            "the server speaks first, short listener_filters_timeout",
            How::Listen,
        )
        .with(|listener| listener.field("listener_filters_timeout", json!("0.1s")))
        .restored(),
        says("the client half-closes at once", How::HalfClose).restored(),
        says("the client resets after the answer", How::Reset).restored(),
        says("the client resets at once", How::EarlyReset).restored_in_vain("="),
    ]
}

/// Many connections at once, from many addresses; the address that is asked for depends on the
/// client's, so that a mix-up would show.
fn crowd() -> Scenario {
    let scenario = scenario("200 connections at once from 20 addresses").rule(Redirect);
    let asks = (0..FURTHER_ADDRESSES).flat_map(|last| (0..10).map(move |_| last));
    asks.fold(scenario, |scenario, last| {
        let to = if last % 2 == 0 {
            "10.2.0.2:D"
        } else {
            "198.51.100.10:D"
        };
        scenario.ask_by(From::ClientAt(last), to, How::Tcp)
    })
    .restored()
}

fn pipes() -> Vec<Scenario> {
    let pipe = |name: &str, path: &str| {
        let edit: Edit = if path == PIPE {
            |listener, site| bind(listener, &site.ports.fill(PIPE))
        } else {
            |listener, _| bind(listener, ABSTRACT_PIPE)
        };
        scenario(name).edit(edit)
    };
    let ask = |scenario: Scenario, path: &str| {
        scenario
            .ask_by(From::Gateway, path, How::Pipe(Vec::new()))
            .left_at(path)
    };
    let header = proxy_header([192, 0, 2, 1], [192, 0, 2, 2], "10.2.0.2:8080");
    vec![
        ask(pipe("pipe", PIPE).fixed(), PIPE),
        ask(pipe("pipe, ORIGINAL_DST cluster", PIPE), PIPE).counted("unavailable"),
        ask(pipe("abstract pipe", ABSTRACT_PIPE).fixed(), ABSTRACT_PIPE),
        pipe("pipe, with metadata, after proxy_protocol", PIPE)
            .fixed()
            .before(tlv_rule())
            .ask_by(From::Gateway, PIPE, How::Pipe(header))
            .left_at("192.0.2.2:2222")
            .remote("192.0.2.1:1111"),
    ]
}

/// Abstract names belong to the namespace, as ports do.
const ABSTRACT_PIPE: &str = "@odst-parity";

fn bind(listener: &mut Value, path: &str) {
    listener["address"] = json!({ "pipe": { "path": path } });
}

/// The scope is that of the gateway's interface, number 11.
const LINK_LOCAL: &str = "[fe80::a1%11]:D";

/// Why the module restores no address with a scope in old Envoys.
pub const SCOPE: &str = "before 1.39, an ORIGINAL_DST cluster that meets a restored address with a \
                         scope ends Envoy; the module restores none there";

fn link_local() -> Vec<Scenario> {
    let ask = |scenario: Scenario| scenario.on("[::]").ask("[fe80::a1%eth0]:D");
    let redirect = |name: &str| ask(scenario(format!("link-local, {name}")).rule(Redirect));
    let tproxy = |name: &str| {
        ask(scenario(format!("link-local, TPROXY, {name}"))
            .rule(Tproxy)
            .transparent())
    };
    let untouched = |at: &str, upstream: Option<&str>| Expected::new(at, upstream);
    vec![
        redirect("REDIRECT")
            .since(Version::V1_39)
            .restored_to(LINK_LOCAL),
        scenario("link-local, REDIRECT, HTTP")
            .rule(Redirect)
            .on("[::]")
            .http()
            .ask("[fe80::a1%eth0]:D")
            .since(Version::V1_39)
            .restored_to(LINK_LOCAL),
        tproxy("tracked")
            .since(Version::V1_39)
            .restored_to(LINK_LOCAL),
        tproxy("NOTRACK")
            .rule(NotrackDestination)
            .since(Version::V1_39)
            .restored_to(LINK_LOCAL),
        redirect("REDIRECT, fixed upstream")
            .since(Version::V1_39)
            .fixed()
            .restored_to(LINK_LOCAL),
        redirect("REDIRECT, fixed upstream, old Envoys")
            .until(Version::V1_38)
            .fixed()
            .restored_to(LINK_LOCAL)
            .but_module(untouched("[fe80::a1%11]:L", Some(FIXED_UPSTREAM)), SCOPE)
            .counted("invalid_address"),
        redirect("REDIRECT, ORIGINAL_DST cluster, old Envoys")
            .until(Version::V1_38)
            .bench(Bench::Alone)
            .dies()
            .but_module(untouched("[fe80::a1%11]:L", None), SCOPE)
            .without(Without::Fails)
            .counted("invalid_address"),
        tproxy("NOTRACK, ORIGINAL_DST cluster, old Envoys")
            .rule(NotrackDestination)
            .until(Version::V1_38)
            .bench(Bench::Alone)
            .dies()
            .but_module(untouched(LINK_LOCAL, None), SCOPE)
            .without(Without::Fails)
            .counted("invalid_address"),
    ]
}
