//! What is listed is restored, and what is not is the listener's own.

use lab::Lab;

use super::site::{LISTED, exempt_envoy, marked, take_addresses, upstream};
use crate::row::End::{Closed, Left, Restored};
use crate::row::{Row, check_in};
use crate::way::Way::{self, *};

const OWN: [&str; 2] = ["10.1.0.1:LISTENER", "[fd01::1]:LISTENER"];
const UPSTREAM: &str = "10.2.0.2:8080";

const FOUND: &str = "RESTORED by LOCAL_ADDRESS";
const REDIRECTED: &str = "RESTORED by SO_ORIGINAL_DST";
const UNAVAILABLE: &str = "UNAVAILABLE by NONE";

/// Tracked, exempt, and in a namespace without conntrack.
const WAYS: [Way; 3] = [Direct, DirectUntracked, DirectWithoutRules];

/// Options that list the addresses, with these methods.
fn guarded(methods: &str) -> &'static str {
    let close = "unredirected_connections: CLOSE";
    format!("{{ recovery_methods: [{methods}], {LISTED}, {close} }}").leak()
}

/// Runs the rows where Envoy's own connections find their way.
fn check(rows: &[Row]) {
    let lab = Lab::new();
    take_addresses(&lab);
    exempt_envoy(&lab);
    let _upstream = upstream(&lab, rows.len());
    check_in(&lab, rows, marked);
}

#[test]
fn addresses() {
    let last = guarded("SO_ORIGINAL_DST, TRANSPARENT, LOCAL_ADDRESS");
    let first = guarded("LOCAL_ADDRESS, SO_ORIGINAL_DST");
    let alone = guarded("LOCAL_ADDRESS");
    let listed = [
        "192.0.2.7:LISTENER",
        "[2001:db8:77::7]:LISTENER",
        "203.0.113.7:LISTENER",
        "[2001:db8:78::7]:LISTENER",
    ];
    let mut rows = Vec::new();
    for way in WAYS {
        rows.extend(listed.map(|to| (last, way, to, FOUND, Restored)));
        rows.extend([first, alone].map(|options| (options, way, listed[0], FOUND, Restored)));
    }
    check(&rows);
}

/// Which verdict it is tells whether the kernel knows of the connection.
#[test]
fn the_listeners_own() {
    let last = guarded("SO_ORIGINAL_DST, LOCAL_ADDRESS");
    let alone = guarded("LOCAL_ADDRESS");
    let known = "UNREDIRECTED by SO_ORIGINAL_DST";
    let alone_known = "UNREDIRECTED by NONE";
    let mut rows = Vec::new();
    for own in OWN {
        rows.push((last, Direct, own, known, Closed));
        rows.push((last, DirectUntracked, own, UNAVAILABLE, Left));
        rows.push((last, DirectWithoutRules, own, UNAVAILABLE, Left));
        rows.extend(WAYS.map(|way| (alone, way, own, alone_known, Closed)));
    }
    check(&rows);
}

/// A rewrite wins, unless the listener's own address comes first and is listed.
#[test]
fn what_was_rewritten() {
    let last = "{ recovery_methods: [SO_ORIGINAL_DST, LOCAL_ADDRESS],
                  local_destinations: [10.1.0.1, 10.2.0.2] }";
    let first = guarded("LOCAL_ADDRESS, SO_ORIGINAL_DST");
    check(&[
        (last, Redirect, UPSTREAM, REDIRECTED, Restored),
        (first, Redirect, UPSTREAM, REDIRECTED, Restored),
    ]);
}
