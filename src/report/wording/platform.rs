//! What is said of Linux alone.

use crate::recover::{OriginalDst, Unrecovered};

/// Why marks are refused.
pub const NO_MARKS: &str = "redirect_mark, own_mark: accepted sockets carry no marks here: set the sysctl \
                            net.ipv4.tcp_fwmark_accept=1 (it serves IPv6, too) in this network namespace";

/// What it likely is if no connection has a destination any more.
pub const LOST: &str = "likely the iptables rules of this network namespace are gone, or exempt the \
                        traffic from connection tracking";

/// The answer names the client.
pub const CLIENT_ITSELF: &str = "that is the client's own address: connection tracking saw only the \
                                 answers (exempt both directions by NOTRACK, or neither)";

/// What an error of `SO_ORIGINAL_DST` says, if that is more than the kernel's own words for it.
pub fn cause(errno: i32) -> Option<&'static str> {
    match errno {
        libc::ENOENT => Some(
            "connection tracking has no entry (no REDIRECT or DNAT rule matched, or the traffic is \
             exempt by NOTRACK, or tracked in another zone)",
        ),
        libc::ENOPROTOOPT => {
            Some("connection tracking is not loaded in this kernel (no NAT rule was ever set)")
        }
        libc::EOPNOTSUPP => Some("the socket does not support SO_ORIGINAL_DST (MPTCP)"),
        _ => None,
    }
}

/// What to look at where a kernel socket has no destination.
pub fn advice(is_transparent: bool) -> &'static str {
    if is_transparent {
        "; the listener is transparent, but TRANSPARENT is not among the recovery_methods"
    } else {
        "; the listener is not transparent (for TPROXY set transparent: true)"
    }
}

/// Whether no connection to such a listener can have a destination: Linux needs nothing of a listener.
pub fn is_misconfigured(_found: &Result<OriginalDst, Unrecovered>) -> bool {
    false
}
