//! The rules that lead to the listeners, and kernel settings for many short connections.

use lab::{Lab, To};

use crate::kinds::*;

/// Sets up the rules and the kernel.
pub fn set_up(lab: &Lab) {
    let gateway = &lab.gateway;
    gateway.redirect(To::Port(REDIRECTED), REDIRECT);
    gateway.redirect(To::Port(HANDED_OFF), HAND_OFF);
    gateway.redirect(To::Port(OF_GUEST), GUEST);
    gateway.tproxy(To::Port(TPROXIED), TPROXY);
    // A port of its own: an untracked connection to the port of redirected ones could get the
    // entry of an earlier connection that had the same source port.
    gateway.iptables(&format!(
        "-t raw -A PREROUTING -p tcp --dport {UNTRACKED} -j CT --notrack"
    ));
    gateway.iptables(&format!(
        "-t raw -A OUTPUT -p tcp --sport {UNTRACKED} -j CT --notrack"
    ));
    for host in [&lab.client, &lab.gateway] {
        host.sysctl("net/ipv4/ip_local_port_range", "20000 65000");
        host.sysctl("net/ipv4/tcp_tw_reuse", "1");
    }
    // Entries of closed connections would fill the table.
    for state in ["close", "close_wait", "fin_wait", "last_ack", "time_wait"] {
        gateway.sysctl(
            &format!("net/netfilter/nf_conntrack_tcp_timeout_{state}"),
            "2",
        );
    }
}
