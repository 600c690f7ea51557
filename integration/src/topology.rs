//! Three hosts: client, gateway, upstream.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::netns::Netns;
use crate::stale;
use crate::wait::eventually;

/// Three hosts in a row, with IPv4 and IPv6, each a network namespace:
///
/// ```text
/// client             gateway                          upstream
/// eth0 10.1.0.2 ---- eth0 10.1.0.1   eth1 10.2.0.1 --- eth0 10.2.0.2   lo 198.51.100.10
///      fd01::2            fd01::1         fd02::1           fd02::2       2001:db8:89::10
///      fe80::c            fe80::a1        fe80::b1          fe80::a1
/// ```
///
/// The gateway forwards, and is the default route of the other two. Labs are independent: any
/// number may be used side by side.
#[derive(Debug)]
pub struct Lab {
    /// Where connections come from.
    pub client: Netns,
    /// Where the rules and Envoy are.
    pub gateway: Netns,
    /// Where connections want to go.
    pub upstream: Netns,
}

impl Lab {
    /// Builds the hosts, after the removal of labs whose process was killed.
    #[allow(
        clippy::new_without_default,
        reason = "it changes the system: no default value"
    )]
    pub fn new() -> Self {
        stale::remove();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let host = |role| Netns::new(&stale::name(&format!("{number}-{role}")));
        let lab = Self {
            client: host("client"),
            gateway: host("gateway"),
            upstream: host("upstream"),
        };
        lab.set_up();
        lab
    }

    fn set_up(&self) {
        let hosts = [&self.client, &self.gateway, &self.upstream];
        hosts.into_iter().for_each(settings);
        let (client, upstream) = (self.client.name(), self.upstream.name());
        // The kernel is in no hurry, up to a second, to see that a link is up whose two ends have
        // the same index: it takes them for no pair.
        self.gateway.ip(&format!(
            "link add eth0 index 11 type veth peer name eth0 netns {client}
             link add eth1 index 12 type veth peer name eth0 netns {upstream}
             {UP}
             link set eth1 addrgenmode none
             link set eth1 up"
        ));
        self.client.ip(UP);
        self.upstream.ip(UP);
        hosts.into_iter().for_each(|host| wait(host, links_run));
        self.gateway.ip("addr add 10.1.0.1/24 dev eth0
                         addr add fd01::1/64 dev eth0 nodad
                         addr add fe80::a1/64 dev eth0 nodad
                         addr add 10.2.0.1/24 dev eth1
                         addr add fd02::1/64 dev eth1 nodad
                         addr add fe80::b1/64 dev eth1 nodad
                         route add 198.51.100.0/24 via 10.2.0.2
                         route add 2001:db8:89::/64 via fd02::2");
        self.client.ip("addr add 10.1.0.2/24 dev eth0
                        addr add fd01::2/64 dev eth0 nodad
                        addr add fe80::c/64 dev eth0 nodad
                        route add default via 10.1.0.1
                        route add default via fd01::1");
        self.upstream.ip("addr add 10.2.0.2/24 dev eth0
                          addr add fd02::2/64 dev eth0 nodad
                          addr add fe80::a1/64 dev eth0 nodad
                          route add default via 10.2.0.1
                          route add default via fd02::1
                          addr add 198.51.100.10/32 dev lo
                          addr add 2001:db8:89::10/128 dev lo nodad
                          route add unreachable 198.51.100.0/24
                          route add unreachable 2001:db8:89::/64");
        hosts.into_iter().for_each(Netns::wait_for_addresses);
    }
}

impl Netns {
    /// Waits until what was added to its addresses is its own.
    pub fn wait_for_addresses(&self) {
        wait(self, addresses_are_local);
    }
}

/// Link-local addresses are fixed, not generated: tests name them.
const UP: &str = "link set lo up
                  link set eth0 addrgenmode none
                  link set eth0 up";

/// Waits for what the kernel does after it has answered `ip`.
fn wait(host: &Netns, done: fn() -> bool) {
    eventually(&format!("{} comes up", host.name()), || host.run(done));
}

/// Whether every interface is up with a link. What is sent before is lost.
fn links_run() -> bool {
    let mut interfaces = getifaddrs().expect("list the interfaces");
    interfaces.all(|interface| interface.flags.contains(InterfaceFlags::IFF_RUNNING))
}

/// Whether every IPv6 address has its route in the local table. What comes for it before is not
/// delivered, and the host looks for itself on the link.
fn addresses_are_local() -> bool {
    let table = |name| {
        let path = Path::new("/proc/thread-self/net").join(name);
        fs::read_to_string(path).expect("read what the kernel tells of the network")
    };
    let routes = table("ipv6_route");
    let is_local = |address: &str, interface: &str| {
        routes
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .any(|route| {
                let flags = u32::from_str_radix(route[8], 16).expect("flags in hexadecimal");
                route[0] == address && route[9] == interface && flags & RTF_LOCAL != 0
            })
    };
    table("if_inet6").lines().all(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        is_local(fields[0], fields[5])
    })
}

/// `RTF_LOCAL` of `linux/ipv6_route.h`.
const RTF_LOCAL: u32 = 0x8000_0000;

/// What a namespace inherits depends on the machine: say all that matters. `rp_filter` would drop
/// what arrives by another interface than the way back takes.
fn settings(host: &Netns) {
    for (name, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
        ("net/ipv6/conf/all/disable_ipv6", "0"),
        ("net/ipv6/conf/default/disable_ipv6", "0"),
        ("net/ipv6/conf/all/forwarding", "1"),
    ] {
        host.sysctl(name, value);
    }
}
