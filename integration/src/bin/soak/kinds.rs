//! The kinds of connections, and what must become of each.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, GATEWAY_V6, PUBLIC_V4, PUBLIC_V6, UPSTREAM_V4, UPSTREAM_V6};

/// What clients ask for: each port leads to a listener of its own.
pub const REDIRECTED: u16 = 8080;
pub const TPROXIED: u16 = 8081;
pub const HANDED_OFF: u16 = 8088;
pub const OF_GUEST: u16 = 8089;
/// Where listeners with a fixed destination lead.
pub const FIXED: u16 = 9000;

/// The listeners.
pub const REDIRECT: u16 = 15001;
pub const TPROXY: u16 = 15002;
pub const CLOSING: u16 = 15003;
pub const IGNORING: u16 = 15004;
pub const UNTRACKED: u16 = 15005;
pub const METADATA: u16 = 15006;
pub const FILTER_STATE: u16 = 15007;
pub const HAND_OFF: u16 = 15008;
pub const GUEST: u16 = 15009;

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered by the upstream that has this address.
    Answered(SocketAddr),
    /// Taken, then closed without a word.
    Closed,
    /// Not taken: nobody listens.
    Refused,
    /// Anything else.
    Failed(String),
}

/// Connections of one kind.
#[derive(Clone, Debug)]
pub struct Kind {
    pub name: &'static str,
    /// The listener with the filter, by its port.
    pub listener: u16,
    /// Where the client connects.
    pub to: SocketAddr,
    pub outcome: Outcome,
    /// What the module counts each as.
    pub counter: &'static str,
    /// Whether Envoy's own filter lets the same become of it.
    pub builtin: bool,
}

/// All kinds, or those that Envoy's own filter can be compared in.
pub fn kinds(is_builtin: bool) -> Vec<Kind> {
    let (up4, up6) = (UPSTREAM_V4, UPSTREAM_V6);
    let at = SocketAddr::new;
    let reached = |ip, port| Outcome::Answered(at(ip, port));
    let fixed = || reached(up4, FIXED);
    let kind = |name, listener, to, outcome, counter, builtin| Kind {
        name,
        listener,
        to,
        outcome,
        counter,
        builtin,
    };
    let redirected = "restored_redirect";
    let transparent = "restored_transparent";
    #[rustfmt::skip]
    let all = [
        kind("REDIRECT, IPv4", REDIRECT, at(up4, REDIRECTED), reached(up4, REDIRECTED), redirected, true),
        kind("REDIRECT, IPv6", REDIRECT, at(up6, REDIRECTED), reached(up6, REDIRECTED), redirected, true),
        kind("TPROXY, IPv4", TPROXY, at(up4, TPROXIED), reached(up4, TPROXIED), transparent, true),
        kind("TPROXY, IPv6", TPROXY, at(up6, TPROXIED), reached(up6, TPROXIED), transparent, true),
        kind("denied, IPv4", REDIRECT, at(PUBLIC_V4, REDIRECTED), Outcome::Closed, "denied", false),
        kind("denied, IPv6", REDIRECT, at(PUBLIC_V6, REDIRECTED), Outcome::Closed, "denied", false),
        kind("direct, CLOSE, IPv4", CLOSING, at(GATEWAY_V4, CLOSING), Outcome::Closed, "unredirected", false),
        kind("direct, CLOSE, IPv6", CLOSING, at(GATEWAY_V6, CLOSING), Outcome::Closed, "unredirected", false),
        kind("direct, IGNORE", IGNORING, at(GATEWAY_V4, IGNORING), fixed(), "unredirected", true),
        kind("untracked", UNTRACKED, at(GATEWAY_V4, UNTRACKED), fixed(), "unavailable", true),
        kind("internal, metadata", METADATA, at(GATEWAY_V4, METADATA), reached(up4, REDIRECTED), "restored_metadata", true),
        kind("internal, filter state", FILTER_STATE, at(GATEWAY_V4, FILTER_STATE), reached(up6, REDIRECTED), "restored_filter_state", false),
        kind("handed off", HAND_OFF, at(up4, HANDED_OFF), fixed(), redirected, false),
        kind("listener that comes and goes", GUEST, at(up4, OF_GUEST), reached(up4, OF_GUEST), redirected, true),
    ];
    all.into_iter()
        .filter(|kind| kind.builtin || !is_builtin)
        .collect()
}
