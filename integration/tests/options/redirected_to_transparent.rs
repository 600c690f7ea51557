//! A transparent listener that REDIRECT feeds: the address of its sockets is the listener's own.

use crate::row::End::Restored;
use crate::row::check;
use crate::way::Way::*;

const V4: &str = "10.2.0.2:8080";
const V6: &str = "[fd02::2]:8080";

/// Guarded or not; what TPROXY sends to the same listener keeps its destination.
#[test]
fn is_not_taken_for_what_tproxy_sent() {
    const REDIRECTED: &str = "RESTORED by SO_ORIGINAL_DST";
    const TPROXIED: &str = "RESTORED by TRANSPARENT";
    let unguarded =
        "{ recovery_methods: [TRANSPARENT, SO_ORIGINAL_DST], listener_ports: [LISTENER] }";
    let ignore = "{ recovery_methods: [TRANSPARENT, SO_ORIGINAL_DST], listener_ports: [LISTENER],
                    unredirected_connections: IGNORE }";
    let close = "{ recovery_methods: [TRANSPARENT, SO_ORIGINAL_DST], listener_ports: [LISTENER],
                   unredirected_connections: CLOSE }";
    let rows = [unguarded, ignore, close].map(|options| {
        [V4, V6].map(|to| {
            [
                (options, RedirectToTransparent, to, REDIRECTED, Restored),
                (options, Tproxy, to, TPROXIED, Restored),
                (options, TproxyUntracked, to, TPROXIED, Restored),
            ]
        })
    });
    check(&rows.concat().concat());
}
