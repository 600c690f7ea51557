//! What the rules of a feed are to cost at most.

use crate::feed::{Feed, Kind};
use crate::goal::{Bound, Goal, estimated};

/// What the making of the tables may take beside the tables.
const MIB_BESIDE: f64 = 60e6 / 1024.0 / 1024.0;

/// What is kept of a rule: two ranges, each with its first address and its answer. Where an answer
/// depends on the port, also the five ports from which on it is another one.
fn bytes_kept(kind: Kind) -> f64 {
    match kind {
        Kind::MillionIpv4 => 16.0,
        Kind::MillionIpv6 => 40.0,
        Kind::WithPorts => 50.0,
    }
}

/// Those of a feed.
pub fn goals(feed: &Feed) -> [Goal; 2] {
    let (time, most_milliseconds, memory) = match feed.kind {
        Kind::MillionIpv4 => (
            "the module's part of the load of 1,000,000 IPv4 rules",
            400.0,
            "its memory meanwhile",
        ),
        Kind::MillionIpv6 => (
            "the module's part of the load of 1,000,000 IPv6 rules",
            400.0,
            "its memory meanwhile",
        ),
        Kind::WithPorts => (
            "the module's part of the load of 100,000 rules with ports",
            200.0,
            "its memory meanwhile",
        ),
    };
    let kept = f64::from(feed.rules) * bytes_kept(feed.kind) / 1024.0 / 1024.0;
    let at_most = |what, estimate, most, unit| estimated(what, estimate, Bound::AtMost(most), unit);
    [
        at_most(time, feed.module_milliseconds, most_milliseconds, " ms"),
        at_most(
            memory,
            feed.peak_mib_above_ignored,
            (kept + MIB_BESIDE).round(),
            " MiB",
        ),
    ]
}
