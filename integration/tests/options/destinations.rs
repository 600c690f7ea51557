//! `destinations`: what is allowed, what is denied, and what becomes of it.

use crate::row::End::{Closed, Left, Restored};
use crate::row::check;
use crate::way::Way::*;

const UPSTREAM: &str = "10.2.0.2:8080";
const UPSTREAM_V6: &str = "[fd02::2]:8080";
const PUBLIC: &str = "198.51.100.10:8080";
const PUBLIC_V6: &str = "[2001:db8:89::10]:8080";
const METADATA_SERVICE: &str = "169.254.169.254:8080";
const MAPPED: &str = "[::ffff:169.254.169.254]:80";

const ALLOWED: &str = "RESTORED by SO_ORIGINAL_DST";
const DENIED: &str = "DENIED by SO_ORIGINAL_DST";
const DENIED_TPROXY: &str = "DENIED by TRANSPARENT";
const DENIED_METADATA: &str = "DENIED by METADATA";
const DENIED_FILTER_STATE: &str = "DENIED by FILTER_STATE";

#[test]
fn on_denied() {
    let default = "destinations: { deny: [link-local] }";
    let close = "destinations: { deny: [link-local], on_denied: CLOSE }";
    let ignore = "destinations: { deny: [link-local], on_denied: IGNORE }";
    let audit = "destinations: { deny: [link-local], on_denied: AUDIT }";
    check(&[
        ("{}", Redirect, METADATA_SERVICE, ALLOWED, Restored),
        (default, Redirect, METADATA_SERVICE, DENIED, Closed),
        (close, Redirect, METADATA_SERVICE, DENIED, Closed),
        (close, Tproxy, METADATA_SERVICE, DENIED_TPROXY, Closed),
        (
            close,
            TproxyUntracked,
            METADATA_SERVICE,
            DENIED_TPROXY,
            Closed,
        ),
        (close, Metadata, METADATA_SERVICE, DENIED_METADATA, Closed),
        (
            close,
            FilterState,
            METADATA_SERVICE,
            DENIED_FILTER_STATE,
            Closed,
        ),
        (ignore, Redirect, METADATA_SERVICE, DENIED, Left),
        (
            ignore,
            TproxyUntracked,
            METADATA_SERVICE,
            DENIED_TPROXY,
            Left,
        ),
        (ignore, Metadata, METADATA_SERVICE, DENIED_METADATA, Left),
        (
            ignore,
            FilterState,
            METADATA_SERVICE,
            DENIED_FILTER_STATE,
            Left,
        ),
        (audit, Redirect, METADATA_SERVICE, DENIED, Restored),
        (
            audit,
            TproxyUntracked,
            METADATA_SERVICE,
            DENIED_TPROXY,
            Restored,
        ),
        (audit, Metadata, METADATA_SERVICE, DENIED_METADATA, Restored),
        (
            audit,
            FilterState,
            METADATA_SERVICE,
            DENIED_FILTER_STATE,
            Restored,
        ),
        (audit, Redirect, UPSTREAM, ALLOWED, Restored),
    ]);
}

#[test]
fn addresses_and_ports() {
    let address = "destinations: { deny: [10.2.0.2, 'fd02::2'] }";
    let net = "destinations: { deny: [10.2.0.0/24, 'fd02::/64'] }";
    let port = "destinations: { deny: [{ cidr: 10.2.0.0/24, ports: ['8080'] }] }";
    let other_port = "destinations: { deny: [{ cidr: 10.2.0.0/24, ports: [443, 8081-8999] }] }";
    let range = "destinations: { deny: [{ cidr: 'fd02::/64', ports: ['8000-8080'] }] }";
    let allow = "destinations: { allow: [10.2.0.0/24, 'fd02::/64'] }";
    let allow_port = "destinations: { allow: [{ cidr: private, ports: ['8080'] }] }";
    let both = "destinations: { allow: [10.0.0.0/8], deny: [{ cidr: 10.2.0.2, ports: ['8080'] }] }";
    check(&[
        (address, Redirect, UPSTREAM, DENIED, Closed),
        (address, Redirect, UPSTREAM_V6, DENIED, Closed),
        (address, Redirect, PUBLIC, ALLOWED, Restored),
        (address, Redirect, PUBLIC_V6, ALLOWED, Restored),
        (net, Redirect, UPSTREAM, DENIED, Closed),
        (net, TproxyUntracked, UPSTREAM_V6, DENIED_TPROXY, Closed),
        (port, Redirect, UPSTREAM, DENIED, Closed),
        (other_port, Redirect, UPSTREAM, ALLOWED, Restored),
        (range, Redirect, UPSTREAM_V6, DENIED, Closed),
        (allow, Redirect, UPSTREAM, ALLOWED, Restored),
        (allow, Redirect, UPSTREAM_V6, ALLOWED, Restored),
        (allow, Redirect, PUBLIC, DENIED, Closed),
        (allow, Redirect, PUBLIC_V6, DENIED, Closed),
        (allow_port, Redirect, UPSTREAM, ALLOWED, Restored),
        (allow_port, Redirect, "10.2.0.2:8081", DENIED, Closed),
        (both, Redirect, UPSTREAM, DENIED, Closed),
        (both, Redirect, "10.1.0.1:8081", ALLOWED, Restored),
        // A connection to the listener itself is judged too.
        (
            "destinations: { deny: [10.1.0.1] }",
            Direct,
            "10.1.0.1:LISTENER",
            DENIED,
            Closed,
        ),
    ]);
}

#[test]
fn classes() {
    let near = "destinations: { deny: [loopback, link-local, multicast, unspecified] }";
    let private = "destinations: { deny: [private] }";
    check(&[
        (near, Metadata, "127.0.0.1:9901", DENIED_METADATA, Closed),
        (near, Metadata, "[::1]:9901", DENIED_METADATA, Closed),
        (
            near,
            Metadata,
            "[::ffff:127.0.0.1]:9901",
            DENIED_METADATA,
            Closed,
        ),
        (near, Metadata, MAPPED, DENIED_METADATA, Closed),
        (near, FilterState, MAPPED, DENIED_FILTER_STATE, Closed),
        (near, Metadata, "[fe80::a1]:80", DENIED_METADATA, Closed),
        (near, Metadata, "224.0.0.1:80", DENIED_METADATA, Closed),
        (near, Metadata, "[ff02::1]:80", DENIED_METADATA, Closed),
        (near, Metadata, "0.0.0.0:9901", DENIED_METADATA, Closed),
        (near, Metadata, "[::]:9901", DENIED_METADATA, Closed),
        (near, Metadata, UPSTREAM, "RESTORED by METADATA", Restored),
        (near, Redirect, UPSTREAM_V6, ALLOWED, Restored),
        (private, Redirect, UPSTREAM, DENIED, Closed),
        (private, Redirect, UPSTREAM_V6, DENIED, Closed),
        (private, Redirect, PUBLIC, ALLOWED, Restored),
        (private, Redirect, PUBLIC_V6, ALLOWED, Restored),
    ]);
}

/// Linux connects to loopback where it is asked for the unspecified address.
#[test]
fn the_unspecified_address_is_loopback() {
    let other = "destinations: { deny: [link-local, 127.0.0.2, unspecified] }";
    let no_rule = "destinations: { deny: [link-local, 127.0.0.2] }";
    let class = "destinations: { deny: [loopback] }";
    let net = "destinations: { deny: [127.0.0.0/8, '::1'] }";
    let address = "destinations: { deny: [127.0.0.1, '::/127'] }";
    let port = "destinations: { deny: [{ cidr: loopback, ports: [8081] }] }";
    let other_port = "destinations: { deny: [{ cidr: loopback, ports: [9901] }] }";
    let allow = "destinations: { allow: [127.0.0.1, '::1'] }";
    let except = "destinations: { allow: [{ cidr: 0.0.0.0/0, except: [loopback] }] }";
    let reached = "RESTORED by METADATA";
    check(&[
        (no_rule, Metadata, "0.0.0.0:8081", reached, Restored),
        (no_rule, Metadata, "[::]:8081", reached, Restored),
        (other, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
        (other, Metadata, "127.0.0.1:8081", reached, Restored),
        (class, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
        (class, Metadata, "[::]:8081", DENIED_METADATA, Closed),
        (
            class,
            Metadata,
            "[::ffff:0.0.0.0]:8081",
            DENIED_METADATA,
            Closed,
        ),
        (
            class,
            FilterState,
            "0.0.0.0:8081",
            DENIED_FILTER_STATE,
            Closed,
        ),
        (net, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
        (net, Metadata, "[::]:8081", DENIED_METADATA, Closed),
        (address, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
        (address, Metadata, "[::]:8081", DENIED_METADATA, Closed),
        (port, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
        (other_port, Metadata, "0.0.0.0:8081", reached, Restored),
        (allow, Metadata, "0.0.0.0:8081", reached, Restored),
        (allow, Metadata, "[::]:8081", reached, Restored),
        (except, Metadata, "0.0.0.0:8081", DENIED_METADATA, Closed),
    ]);
}

#[test]
fn exceptions() {
    let deny = "destinations: { deny: [{ cidr: private, except: [
        10.2.0.0/24, { cidr: 'fd02::/64', ports: ['8081', '8000-8080'] } ] }] }";
    let other_port = "destinations: { deny: [{ cidr: private, except: [
        { cidr: 10.2.0.2, ports: [443] }, 'fd02::1' ] }] }";
    let allow = "destinations: { allow: [{ cidr: 0.0.0.0/0, except: [private] }, 'fd02::2'] }";
    let both = "destinations: { allow: [{ cidr: private, except: [10.3.0.0/16] }],
        deny: [{ cidr: 10.2.0.0/16, except: [{ cidr: 10.2.0.2, ports: [8080] }] }] }";
    check(&[
        (deny, Redirect, UPSTREAM, ALLOWED, Restored),
        (
            deny,
            TproxyUntracked,
            UPSTREAM_V6,
            "RESTORED by TRANSPARENT",
            Restored,
        ),
        (deny, Redirect, "10.1.0.1:8081", DENIED, Closed),
        (deny, Redirect, "[fd02::2]:8082", DENIED, Closed),
        (other_port, Redirect, UPSTREAM, DENIED, Closed),
        (other_port, Redirect, UPSTREAM_V6, DENIED, Closed),
        (allow, Redirect, UPSTREAM, DENIED, Closed),
        (allow, Redirect, PUBLIC, ALLOWED, Restored),
        (allow, Redirect, UPSTREAM_V6, ALLOWED, Restored),
        (both, Redirect, UPSTREAM, ALLOWED, Restored),
        (both, Redirect, "10.2.0.2:8082", DENIED, Closed),
        (both, Redirect, "10.3.0.2:8080", DENIED, Closed),
    ]);
}

/// Feeds have them.
#[test]
fn repeats() {
    let deny = "destinations: { deny: [10.2.0.2, loopback, 10.2.0.2, 10.2.0.2/32, loopback] }";
    let allow = "destinations: { allow: [10.2.0.0/24, 10.2.0.0/24, '::ffff:10.2.0.0/120'] }";
    check(&[
        (deny, Redirect, UPSTREAM, DENIED, Closed),
        (deny, Redirect, PUBLIC, ALLOWED, Restored),
        (allow, Redirect, UPSTREAM, ALLOWED, Restored),
        (allow, Redirect, PUBLIC, DENIED, Closed),
    ]);
}
