//! Questions to the kernel: about an accepted TCP socket, and about interfaces.

use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{c_int, c_void, sockaddr_in, sockaddr_in6, socklen_t};

use super::NoAddress;
use crate::address::{Address, Family};

/// The destination that a connection had before netfilter rewrote it: `SO_ORIGINAL_DST` (ip(7))
/// and `IP6T_SO_ORIGINAL_DST`. One system call. Where a BPF program answers in netfilter's place, it
/// may be with an address of the other family.
///
/// # Errors
/// The kernel's, or that its answer is not an address.
#[inline(always)]
pub fn original_dst(fd: c_int, family: Family) -> Result<Address, NoAddress> {
    let (level, option) = match family {
        Family::V4 => (libc::SOL_IP, libc::SO_ORIGINAL_DST),
        Family::V6 => (libc::SOL_IPV6, libc::IP6T_SO_ORIGINAL_DST),
    };
    // SAFETY: the kernel writes at most `length` bytes to `answer`, and the new length to `length`.
    ask_address(|answer, length| unsafe { libc::getsockopt(fd, level, option, answer, length) })
}

/// The address that the socket itself has: getsockname(2).
///
/// # Errors
/// As of [`original_dst`].
pub fn own_address(fd: c_int) -> Result<Address, NoAddress> {
    // SAFETY: as in `original_dst`.
    ask_address(|answer, length| unsafe { libc::getsockname(fd, answer.cast(), length) })
}

/// The address of the other end, whatever filters have made of it: getpeername(2).
///
/// # Errors
/// As of [`original_dst`].
pub fn peer_address(fd: c_int) -> Result<Address, NoAddress> {
    // SAFETY: as in `original_dst`.
    ask_address(|answer, length| unsafe { libc::getpeername(fd, answer.cast(), length) })
}

/// The mark that the packets of a connection have had, and those of its answers get: `SO_MARK`
/// (socket(7)). `None` if the kernel does not say.
pub fn mark(fd: c_int) -> Option<u32> {
    ask_number(fd, libc::SOL_SOCKET, libc::SO_MARK)
}

/// Whether accepted sockets carry the marks of the packets that opened them, in Envoy's own network
/// namespace: the sysctl `net.ipv4.tcp_fwmark_accept` (the kernel's `ip-sysctl` document), which serves
/// IPv6, too. `None` if it cannot be read.
pub fn accepts_marks() -> Option<bool> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/tcp_fwmark_accept").ok()?;
    Some(text.trim() != "0")
}

/// A number that no other network namespace has: `SO_NETNS_COOKIE`, Linux 5.14. `None` before.
pub fn namespace_cookie(fd: c_int) -> Option<u64> {
    ask_number(fd, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE)
}

/// Whether the socket may have an address that is not this host's: `IP_TRANSPARENT` (ip(7)),
/// `IPV6_TRANSPARENT`. `false` if the kernel does not say.
#[cold]
pub fn is_transparent(fd: c_int, family: Family) -> bool {
    let (level, option) = match family {
        Family::V4 => (libc::SOL_IP, libc::IP_TRANSPARENT),
        Family::V6 => (libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
    };
    ask_number::<c_int>(fd, level, option).is_some_and(|value| value != 0)
}

/// The index of the interface of this name: if_nametoindex(3).
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// `ask` gets room for an address of either family.
#[inline(always)]
fn ask_address(
    ask: impl FnOnce(*mut c_void, *mut socklen_t) -> c_int,
) -> Result<Address, NoAddress> {
    let mut answer = MaybeUninit::<sockaddr_in6>::zeroed();
    let mut length = size_of::<sockaddr_in6>() as socklen_t;
    if ask(answer.as_mut_ptr().cast(), &mut length) != 0 {
        return Err(NoAddress::Errno(errno()));
    }
    // SAFETY: all zeros is a value of this plain struct, and so is whatever the kernel wrote.
    let answer = unsafe { answer.assume_init() };
    socket_addr(&answer, length as usize)
}

/// An integer: whatever bytes the kernel writes to one, it has a value.
trait Integer: Copy + Default {}

impl Integer for c_int {}
impl Integer for u32 {}
impl Integer for u64 {}

/// Asks for an option that is a number, and has to be of its size.
fn ask_number<T: Integer>(fd: c_int, level: c_int, option: c_int) -> Option<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`, an integer, and the new length to
    // `length`.
    let result =
        unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length) };
    (result == 0 && length as usize == size_of::<T>()).then_some(value)
}

/// The error of the last system call.
#[cold]
fn errno() -> c_int {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
}

/// Reads what the kernel answered. A v4-mapped address is the IPv4 address that it stands for. The
/// length of an IPv4 address is its own, or that of the room: netfilter writes an address there, and
/// leaves the length as it was.
#[inline(always)]
fn socket_addr(answer: &sockaddr_in6, length: usize) -> Result<Address, NoAddress> {
    match c_int::from(answer.sin6_family) {
        libc::AF_INET
            if [size_of::<sockaddr_in>(), size_of::<sockaddr_in6>()].contains(&length) =>
        {
            // SAFETY: this struct is smaller and begins alike, and all of the answer is initialized.
            let v4 = unsafe { &*(&raw const *answer).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
            Ok(Address::v4(ip, u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if length == size_of::<sockaddr_in6>() => {
            let ip = Ipv6Addr::from(answer.sin6_addr.s6_addr);
            let port = u16::from_be(answer.sin6_port);
            Ok(Address::v6(ip, port, answer.sin6_scope_id))
        }
        _ => Err(NoAddress::Malformed),
    }
}
