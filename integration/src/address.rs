//! The addresses of the lab's hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The client's `eth0`.
pub const CLIENT_V4: IpAddr = v4(10, 1, 0, 2);
/// The client's `eth0`.
pub const CLIENT_V6: IpAddr = v6(0xfd01, 0, 0, 2);
/// The client's `eth0`, link-local.
pub const CLIENT_LINK_LOCAL: Ipv6Addr = link_local(0xc);

/// The gateway's `eth0`, toward the client.
pub const GATEWAY_V4: IpAddr = v4(10, 1, 0, 1);
/// The gateway's `eth0`, toward the client.
pub const GATEWAY_V6: IpAddr = v6(0xfd01, 0, 0, 1);
/// The gateway's `eth0`, link-local.
pub const GATEWAY_LINK_LOCAL: Ipv6Addr = link_local(0xa1);

/// The gateway's `eth1`, toward the upstream.
pub const GATEWAY_UPSTREAM_V4: IpAddr = v4(10, 2, 0, 1);
/// The gateway's `eth1`, toward the upstream.
pub const GATEWAY_UPSTREAM_V6: IpAddr = v6(0xfd02, 0, 0, 1);
/// The gateway's `eth1`, link-local.
pub const GATEWAY_UPSTREAM_LINK_LOCAL: Ipv6Addr = link_local(0xb1);

/// The upstream's `eth0`.
pub const UPSTREAM_V4: IpAddr = v4(10, 2, 0, 2);
/// The upstream's `eth0`.
pub const UPSTREAM_V6: IpAddr = v6(0xfd02, 0, 0, 2);
/// The upstream's `eth0`, link-local: the same as the gateway's on the other link, so that only
/// its scope tells which of the two is meant.
pub const UPSTREAM_LINK_LOCAL: Ipv6Addr = GATEWAY_LINK_LOCAL;

/// A public address that the upstream holds on its loopback (RFC 5737, TEST-NET-2).
pub const PUBLIC_V4: IpAddr = v4(198, 51, 100, 10);
/// A public address that the upstream holds on its loopback (RFC 3849).
pub const PUBLIC_V6: IpAddr = v6(0x2001, 0xdb8, 0x89, 0x10);

/// An address that is routed to the upstream but that no host has: packets to it are refused
/// there as unreachable.
pub const NOBODY_V4: IpAddr = v4(198, 51, 100, 99);
/// As [`NOBODY_V4`]; the kernel tells the client only at its second attempt, after a second.
pub const NOBODY_V6: IpAddr = v6(0x2001, 0xdb8, 0x89, 0x99);

/// A v4-mapped address as plain IPv4, any other as it is, its scope included.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// The first three groups and the last one.
const fn v6(a: u16, b: u16, c: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, last))
}

const fn link_local(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)
}
