//! Questions to Windows: about an accepted TCP socket. HNS policies redirect IPv4 only, and Windows
//! tells the destination that a connection had under numbers of its own; source: Envoy's
//! documentation of its `original_dst` listener filter.
//!
//! It passes the compiler, and never ran: no Envoy for Windows loads modules.

use std::net::Ipv4Addr;

use windows_sys::Win32::Networking::WinSock::{
    AF_INET, SO_ORIGINAL_DST, SOCKADDR_IN, SOCKET, SOL_IP, WSAEAFNOSUPPORT, WSAGetLastError,
    getsockopt,
};

use super::NoAddress;
use crate::address::{Address, Family};

/// The destination that a connection had before it was redirected. One system call.
///
/// # Errors
/// Those of Windows, or that its answer is not an address.
pub fn original_dst(fd: i32, family: Family) -> Result<Address, NoAddress> {
    if family == Family::V6 {
        return Err(NoAddress::Errno(WSAEAFNOSUPPORT));
    }
    let mut answer = SOCKADDR_IN::default();
    let mut length = size_of::<SOCKADDR_IN>() as i32;
    // SAFETY: Windows writes at most `length` bytes to `answer`, and the new length to `length`.
    let result = unsafe {
        getsockopt(
            fd as SOCKET,
            SOL_IP as i32,
            SO_ORIGINAL_DST as i32,
            (&raw mut answer).cast(),
            &mut length,
        )
    };
    if result != 0 {
        // SAFETY: callable at any time.
        return Err(NoAddress::Errno(unsafe { WSAGetLastError() }));
    }
    if length as usize != size_of::<SOCKADDR_IN>() || answer.sin_family != AF_INET {
        return Err(NoAddress::Malformed);
    }
    // SAFETY: of this union's fields, all are made of the same four bytes.
    let ip = Ipv4Addr::from_bits(u32::from_be(unsafe { answer.sin_addr.S_un.S_addr }));
    Ok(Address::v4(ip, u16::from_be(answer.sin_port)))
}

/// Windows has no transparent sockets.
pub fn is_transparent(_fd: i32, _family: Family) -> bool {
    false
}

/// Windows has neither transparent sockets nor routes that bring other addresses to one.
pub fn own_address(_fd: i32) -> Result<Address, NoAddress> {
    Err(NoAddress::Malformed)
}

/// Only a guard asks for it, which has to know it from the destination.
pub fn peer_address(_fd: i32) -> Result<Address, NoAddress> {
    Err(NoAddress::Malformed)
}

/// Windows has no marks.
pub fn mark(_fd: i32) -> Option<u32> {
    None
}

/// Scopes are numbers here.
pub fn interface_index(_name: &str) -> Option<u32> {
    None
}
