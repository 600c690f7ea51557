//! `unredirected_connections` and `listener_ports`. With `RESTORE`, see the loops.

use lab::kernel::Feature;

use crate::row::End::{Closed, Left, Restored};
use crate::row::check;
use crate::way::Way::*;

const V4: &str = "10.1.0.1:LISTENER";
const V6: &str = "[fd01::1]:LISTENER";
/// Another address of the gateway's own.
const OTHER_SIDE: &str = "10.2.0.1:LISTENER";
/// A service of the gateway's own, on another port.
const OWN_SERVICE: &str = "10.1.0.1:8081";
const UPSTREAM: &str = "10.2.0.2:8080";

#[test]
fn redirect() {
    let ignore = "unredirected_connections: IGNORE";
    let close = "unredirected_connections: CLOSE";
    let unredirected = "UNREDIRECTED by SO_ORIGINAL_DST";
    let redirected = "RESTORED by SO_ORIGINAL_DST";
    check(&[
        (ignore, Direct, V4, unredirected, Left),
        (ignore, Direct, V6, unredirected, Left),
        (close, Direct, V4, unredirected, Closed),
        (close, Direct, V6, unredirected, Closed),
        (close, Direct, OTHER_SIDE, unredirected, Closed),
        // Redirected to where it was going.
        (close, Redirect, V4, unredirected, Closed),
        (close, DirectUntracked, V4, "UNAVAILABLE by NONE", Left),
        (
            "unredirected_connections: RESTORE",
            Redirect,
            UPSTREAM,
            redirected,
            Restored,
        ),
        (ignore, Redirect, UPSTREAM, redirected, Restored),
        (close, Redirect, UPSTREAM, redirected, Restored),
        (close, Redirect, OWN_SERVICE, redirected, Restored),
    ]);
}

#[test]
fn transparent() {
    let ignore = "{ unredirected_connections: IGNORE, listener_ports: [LISTENER] }";
    let close = "{ unredirected_connections: CLOSE, listener_ports: [1, LISTENER, 65535] }";
    let unredirected = "UNREDIRECTED by TRANSPARENT";
    let redirected = "RESTORED by TRANSPARENT";
    check(&[
        (ignore, Tproxy, V4, unredirected, Left),
        (ignore, TproxyUntracked, V6, unredirected, Left),
        (close, Tproxy, V4, unredirected, Closed),
        (close, Tproxy, V6, unredirected, Closed),
        (close, TproxyUntracked, V4, unredirected, Closed),
        (close, TproxyUntracked, V6, unredirected, Closed),
        (close, TproxyUntracked, OTHER_SIDE, unredirected, Closed),
        // An own address with another port.
        (close, Tproxy, OWN_SERVICE, redirected, Restored),
        (close, TproxyUntracked, OWN_SERVICE, redirected, Restored),
        (
            "unredirected_connections: CLOSE",
            Tproxy,
            UPSTREAM,
            redirected,
            Restored,
        ),
    ]);
}

#[test]
fn a_listed_port_of_another_host() {
    if Feature::NetnsCookie.is_missing_for("unredirected::a_listed_port_of_another_host") {
        return;
    }
    let service = "{ unredirected_connections: CLOSE, listener_ports: [8080] }";
    let redirected = "RESTORED by TRANSPARENT";
    check(&[
        (service, Tproxy, UPSTREAM, redirected, Restored),
        (service, TproxyUntracked, UPSTREAM, redirected, Restored),
    ]);
}
