//! `IP:port` as text and as number, without allocation.

mod text;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

pub use text::IpText;

/// Finds the index of a network interface by its name.
pub type FindInterface = fn(name: &str) -> Option<u32>;

/// Reads `IP:port`, with an IPv6 address in brackets, as Envoy reads it: the port may have blanks
/// around it, a leading `+` and leading zeros. An IPv6 address may have a scope: a number, or, if
/// it is link-local, the name of an interface. A v4-mapped address is read as IPv4. `None` for
/// anything else.
pub fn parse(text: &[u8], find_interface: FindInterface) -> Option<SocketAddr> {
    let (host, port) = str::from_utf8(text).ok()?.rsplit_once(':')?;
    let blank = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    let port = port.trim_matches(blank).parse().ok()?;
    let Some(bracketed) = host.strip_prefix('[') else {
        return Some(SocketAddr::from((host.parse::<Ipv4Addr>().ok()?, port)));
    };
    let host = bracketed.strip_suffix(']')?;
    let (ip, scope) = host
        .split_once('%')
        .map_or((host, None), |(ip, scope)| (ip, Some(scope)));
    let ip = ip.parse().ok()?;
    let scope_id = match scope {
        None => 0,
        Some(scope) => scope_id(ip, scope, find_interface)?,
    };
    Some(canonical(ip, port, scope_id))
}

/// An IPv6 address; if it is v4-mapped, the IPv4 address that it stands for. Envoy takes an IPv6
/// address of a module for IPv6 alone: no cluster could connect to a v4-mapped one.
pub fn canonical(ip: Ipv6Addr, port: u16, scope_id: u32) -> SocketAddr {
    match ip.to_ipv4_mapped() {
        Some(ip) => SocketAddr::from((ip, port)),
        None => SocketAddrV6::new(ip, port, 0, scope_id).into(),
    }
}

fn scope_id(ip: Ipv6Addr, scope: &str, find_interface: FindInterface) -> Option<u32> {
    if !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_digit()) {
        scope.parse().ok()
    } else if ip.is_unicast_link_local() {
        find_interface(scope)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
