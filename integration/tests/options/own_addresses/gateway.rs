//! A gateway with addresses of every kind.

use std::net::{Ipv6Addr, SocketAddr};

use lab::{Lab, Netns};

/// Besides what every lab has: the subnet-router anycast address, which a router has of itself, and
/// all of 127.0.0.0/8.
const ADDRESSES: &str = "addr add 10.1.0.77/24 dev eth0
                         addr add fd01::77/64 dev eth0 nodad
                         addr add 10.9.0.1 peer 10.9.0.2 dev eth0
                         addr add fd09::1 peer fd09::2 dev eth0 nodad
                         addr add 198.18.0.10/32 dev lo
                         addr add 2001:db8:66::10/128 dev lo nodad
                         route add local 192.0.2.0/24 dev lo
                         route add local 2001:db8:77::/64 dev lo
                         route add local 203.0.113.0/24 dev lo src 10.1.0.1
                         route add local 2001:db8:78::/64 dev lo src fd01::1";

/// A lab whose kernel tracks the gateway's connections.
pub fn lab() -> Lab {
    let lab = Lab::new();
    lab.gateway.ip(ADDRESSES);
    lab.gateway.wait_for_addresses();
    lab.gateway.track();
    lab
}

/// An address of the table, as a client on `host` connects to it.
pub fn resolve(host: &Netns, address: &str, port: u16) -> SocketAddr {
    match address.split_once('%') {
        Some((ip, interface)) => {
            let ip: Ipv6Addr = ip.parse().expect("a link-local address");
            host.scoped(ip, port, interface)
        }
        None => SocketAddr::new(address.parse().expect("an address"), port),
    }
}
