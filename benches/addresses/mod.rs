//! Addresses that are worth measuring.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// As text.
pub const TEXTS: [&str; 3] = [
    "10.2.0.2:8080",
    "[fd02::2]:8080",
    "[2001:db8:1:2:3:4:5:6]:65535",
];

/// To be written as text.
pub const IPS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 2, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd02, 0, 0, 0, 0, 0, 0, 2)),
];
