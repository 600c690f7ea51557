//! `recovery_methods`, and `unrecovered_connections` where they find nothing.

use crate::row::End::{Closed, Left, Restored};
use crate::row::check;
use crate::way::Way::*;

const V4: &str = "10.2.0.2:8080";
const V6: &str = "[fd02::2]:8080";

const REDIRECTED: &str = "RESTORED by SO_ORIGINAL_DST";
const TRANSPARENT: &str = "RESTORED by TRANSPARENT";
const UNAVAILABLE: &str = "UNAVAILABLE by NONE";
const INVALID: &str = "INVALID by NONE";

#[test]
fn recovery_methods() {
    let so_original_dst = "recovery_methods: [SO_ORIGINAL_DST]";
    let transparent = "recovery_methods: [TRANSPARENT]";
    let kernel_first = "{ recovery_methods: [SO_ORIGINAL_DST, TRANSPARENT],
                          unredirected_connections: CLOSE, listener_ports: [LISTENER] }";
    let socket_first = "{ recovery_methods: [TRANSPARENT, SO_ORIGINAL_DST],
                          unredirected_connections: CLOSE, listener_ports: [LISTENER] }";
    check(&[
        (so_original_dst, Redirect, V4, REDIRECTED, Restored),
        (so_original_dst, Redirect, V6, REDIRECTED, Restored),
        (so_original_dst, TproxyUntracked, V4, UNAVAILABLE, Left),
        (so_original_dst, TproxyUntracked, V6, UNAVAILABLE, Left),
        (transparent, Redirect, V4, UNAVAILABLE, Left),
        (transparent, Redirect, V6, UNAVAILABLE, Left),
        (transparent, Tproxy, V4, TRANSPARENT, Restored),
        (transparent, TproxyUntracked, V4, TRANSPARENT, Restored),
        (transparent, TproxyUntracked, V6, TRANSPARENT, Restored),
        (kernel_first, Redirect, V4, REDIRECTED, Restored),
        (kernel_first, Tproxy, V4, TRANSPARENT, Restored),
        (kernel_first, TproxyUntracked, V6, TRANSPARENT, Restored),
        (socket_first, Redirect, V4, REDIRECTED, Restored),
        (socket_first, Tproxy, V4, TRANSPARENT, Restored),
        (socket_first, TproxyUntracked, V6, TRANSPARENT, Restored),
        // Both have an answer. The socket's is the listener, and is passed over.
        (
            kernel_first,
            RedirectToTransparent,
            V4,
            REDIRECTED,
            Restored,
        ),
        (
            kernel_first,
            RedirectToTransparent,
            V6,
            REDIRECTED,
            Restored,
        ),
        (
            socket_first,
            RedirectToTransparent,
            V4,
            REDIRECTED,
            Restored,
        ),
        (
            socket_first,
            RedirectToTransparent,
            V6,
            REDIRECTED,
            Restored,
        ),
        // None said: the kernel first.
        ("{}", Redirect, V4, REDIRECTED, Restored),
        ("{}", RedirectToTransparent, V4, REDIRECTED, Restored),
        ("{}", TproxyUntracked, V4, TRANSPARENT, Restored),
    ]);
}

#[test]
fn unrecovered_connections() {
    let go_on = "unrecovered_connections: CONTINUE";
    let close = "unrecovered_connections: CLOSE";
    let close_tproxy = "{ unrecovered_connections: CLOSE, recovery_methods: [SO_ORIGINAL_DST] }";
    let (v4, v6) = ("10.1.0.1:LISTENER", "[fd01::1]:LISTENER");
    check(&[
        ("{}", DirectUntracked, v4, UNAVAILABLE, Left),
        (go_on, DirectUntracked, v4, UNAVAILABLE, Left),
        (go_on, DirectUntracked, v6, UNAVAILABLE, Left),
        (close, DirectUntracked, v4, UNAVAILABLE, Closed),
        (close, DirectUntracked, v6, UNAVAILABLE, Closed),
        (close_tproxy, TproxyUntracked, V4, UNAVAILABLE, Closed),
        (close, Redirect, V4, REDIRECTED, Restored),
        // What the tunnel brings: nothing, no address, an address.
        ("{}", Metadata, "", UNAVAILABLE, Left),
        (go_on, Metadata, "", UNAVAILABLE, Left),
        (close, Metadata, "", UNAVAILABLE, Closed),
        ("{}", Metadata, "example.com:80", INVALID, Left),
        (go_on, Metadata, "10.2.0.2", INVALID, Left),
        (close, Metadata, "10.2.0.2", INVALID, Closed),
        (close, FilterState, "10.2.0.2:65536", INVALID, Closed),
        (close, Metadata, V4, "RESTORED by METADATA", Restored),
        (close, FilterState, V6, "RESTORED by FILTER_STATE", Restored),
    ]);
}
