//! Questions to Windows: about an accepted TCP socket. The options and the room for an answer are those
//! that Envoy's own filter had on Windows.
//!
//! It ran under Wine, with a stand-in for Envoy: no Envoy for Windows loads modules.

use std::net::{Ipv4Addr, Ipv6Addr};

use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, IP6T_SO_ORIGINAL_DST, SO_ORIGINAL_DST, SOCKADDR_IN, SOCKADDR_IN6,
    SOCKADDR_STORAGE, SOCKET, SOL_IP, SOL_IPV6, WSAGetLastError, getpeername, getsockname,
    getsockopt,
};

use super::NoAddress;
use crate::address::{Address, Family};

/// The destination that a connection had before it was redirected. One system call.
///
/// # Errors
/// Those of Windows, or that its answer is not an address.
pub fn original_dst(fd: i32, family: Family) -> Result<Address, NoAddress> {
    let (level, option) = match family {
        Family::V4 => (SOL_IP, SO_ORIGINAL_DST),
        Family::V6 => (SOL_IPV6, IP6T_SO_ORIGINAL_DST),
    };
    // SAFETY: Windows writes at most `length` bytes to `answer`, and the new length to `length`.
    ask(|answer, length| unsafe {
        getsockopt(
            fd as SOCKET,
            level as i32,
            option as i32,
            answer.cast(),
            length,
        )
    })
}

/// The address that the socket itself has.
///
/// # Errors
/// As of [`original_dst`].
pub fn own_address(fd: i32) -> Result<Address, NoAddress> {
    // SAFETY: as in `original_dst`.
    ask(|answer, length| unsafe { getsockname(fd as SOCKET, answer.cast(), length) })
}

/// The address of the other end, whatever filters have made of it.
///
/// # Errors
/// As of [`original_dst`].
pub fn peer_address(fd: i32) -> Result<Address, NoAddress> {
    // SAFETY: as in `original_dst`.
    ask(|answer, length| unsafe { getpeername(fd as SOCKET, answer.cast(), length) })
}

/// Windows has no transparent sockets.
pub fn is_transparent(_fd: i32, _family: Family) -> bool {
    false
}

/// Windows has no marks.
pub fn mark(_fd: i32) -> Option<u32> {
    None
}

/// As above.
pub fn accepts_marks() -> Option<bool> {
    Some(false)
}

/// Scopes are numbers here.
pub fn interface_index(_name: &str) -> Option<u32> {
    None
}

/// `question` gets room for any address, and its size.
fn ask(
    question: impl FnOnce(*mut SOCKADDR_STORAGE, &mut i32) -> i32,
) -> Result<Address, NoAddress> {
    let mut answer = SOCKADDR_STORAGE::default();
    let mut length = size_of::<SOCKADDR_STORAGE>() as i32;
    if question(&raw mut answer, &mut length) != 0 {
        // SAFETY: callable at any time.
        return Err(NoAddress::Errno(unsafe { WSAGetLastError() }));
    }
    socket_addr(&answer, length)
}

/// Reads what Windows answered, by its family. The length is at least that of an address of this
/// family: nothing says that Windows does not report the room.
fn socket_addr(answer: &SOCKADDR_STORAGE, length: i32) -> Result<Address, NoAddress> {
    match answer.ss_family {
        AF_INET if length >= size_of::<SOCKADDR_IN>() as i32 => {
            // SAFETY: this struct is smaller and begins alike, and all of the answer is initialized.
            let (ip, port) = unsafe {
                let v4 = &*(&raw const *answer).cast::<SOCKADDR_IN>();
                (v4.sin_addr.S_un.S_addr, v4.sin_port)
            };
            let ip = Ipv4Addr::from_bits(u32::from_be(ip));
            Ok(Address::v4(ip, u16::from_be(port)))
        }
        AF_INET6 if length >= size_of::<SOCKADDR_IN6>() as i32 => {
            // SAFETY: as above.
            let (ip, port, scope_id) = unsafe {
                let v6 = &*(&raw const *answer).cast::<SOCKADDR_IN6>();
                (
                    v6.sin6_addr.u.Byte,
                    v6.sin6_port,
                    v6.Anonymous.sin6_scope_id,
                )
            };
            Ok(Address::v6(
                Ipv6Addr::from(ip),
                u16::from_be(port),
                scope_id,
            ))
        }
        _ => Err(NoAddress::Malformed),
    }
}
