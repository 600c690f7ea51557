//! A gateway that takes other hosts' addresses for its own, and an Envoy that reaches those hosts.

use std::iter;

use lab::{Lab, Upstream};
use serde_json::Value;

use crate::LISTENER;
use crate::own_mark::{self, OWN};

/// Of a prefix that a route makes the gateway's own: AnyIP.
pub const ANY_V4: &str = "192.0.2.7";
pub const ANY_V6: &str = "[2001:db8:77::7]";
/// Addresses of the gateway's `lo`.
pub const VIP_V4: &str = "203.0.113.7";
pub const VIP_V6: &str = "[2001:db8:78::7]";

/// What of them the tests list.
pub const LISTED: &str = "local_destinations: \
                          [192.0.2.0/24, '2001:db8:77::/64', 203.0.113.0/24, '2001:db8:78::/64']";

/// Makes the addresses the gateway's own, and the upstream's too.
pub fn take_addresses(lab: &Lab) {
    lab.gateway.ip("route add local 192.0.2.0/24 dev lo
                    route add local 2001:db8:77::/64 dev lo
                    addr add 203.0.113.7/32 dev lo
                    addr add 2001:db8:78::7/128 dev lo nodad");
    lab.upstream.ip("route add local 192.0.2.0/24 dev lo
                     route add local 2001:db8:77::/64 dev lo
                     route add local 203.0.113.0/24 dev lo
                     route add local 2001:db8:78::/64 dev lo");
}

/// Leads what Envoy marks to the upstream, ahead of the local table, where the addresses are the
/// gateway's own. The answers come from such an address, which the kernel would not believe; and to an IPv6
/// address that is its own, it would talk from that very one.
pub fn exempt_envoy(lab: &Lab) {
    lab.gateway.sysctl("net/ipv4/conf/eth1/accept_local", "1");
    lab.gateway.sh(&format!(
        "for family in -4 -6; do
           ip $family rule add pref 100 lookup local
           ip $family rule add pref 50 fwmark {OWN}/{OWN} lookup 200
           ip $family rule del pref 0
         done
         ip -4 route add default via 10.2.0.2 table 200
         ip -6 route add default via fd02::2 src fd02::1 table 200"
    ));
}

/// The config in which Envoy marks its own connections, of which there are no more than a loop takes.
pub fn marked(mut config: Value) -> Value {
    let cluster = &mut config["static_resources"]["clusters"][0];
    *cluster = own_mark::marked(cluster.take());
    config
}

/// What answers on the ports of so many listeners: nothing rewrites a port.
pub fn upstream(lab: &Lab, listeners: usize) -> Upstream {
    let ports: Vec<u16> = iter::successors(Some(LISTENER), |port| Some(port + 1))
        .take(listeners)
        .collect();
    Upstream::start(&lab.upstream, &ports)
}
