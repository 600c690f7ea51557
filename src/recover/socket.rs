//! Questions to the kernel: about an accepted TCP socket, and about interfaces. The only unsafe code
//! of the filter.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{c_int, c_void, sockaddr_in, sockaddr_in6, socklen_t};

use super::NoAddress;
use crate::address::{Address, Family};

/// The destination that a connection had before netfilter rewrote it: `SO_ORIGINAL_DST` (ip(7))
/// and `IP6T_SO_ORIGINAL_DST`. One system call.
///
/// # Errors
/// The kernel's, or that its answer is not an address.
#[inline(always)]
pub fn original_dst(fd: c_int, family: Family) -> Result<Address, NoAddress> {
    // The kernel does not say how much it wrote: it gets room for just what is expected.
    let ask = |level, option, size| {
        // SAFETY: the kernel writes at most `length` bytes to `answer`, and the new length to
        // `length`.
        ask_address(size, |answer, length| unsafe {
            libc::getsockopt(fd, level, option, answer, length)
        })
    };
    match family {
        Family::V4 => ask(
            libc::SOL_IP,
            libc::SO_ORIGINAL_DST,
            size_of::<sockaddr_in>(),
        ),
        Family::V6 => ask(
            libc::SOL_IPV6,
            libc::IP6T_SO_ORIGINAL_DST,
            size_of::<sockaddr_in6>(),
        ),
    }
}

/// The address that the socket itself has: getsockname(2).
///
/// # Errors
/// As of [`original_dst`].
pub fn own_address(fd: c_int) -> Result<Address, NoAddress> {
    // SAFETY: as in `original_dst`.
    ask_address(size_of::<sockaddr_in6>(), |answer, length| unsafe {
        libc::getsockname(fd, answer.cast(), length)
    })
}

/// Whether the socket may have an address that is not this host's: `IP_TRANSPARENT` (ip(7)),
/// `IPV6_TRANSPARENT`. `false` if the kernel does not say.
#[cold]
pub fn is_transparent(fd: c_int, family: Family) -> bool {
    let (level, option) = match family {
        Family::V4 => (libc::SOL_IP, libc::IP_TRANSPARENT),
        Family::V6 => (libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
    };
    let mut value: c_int = 0;
    let mut length = size_of::<c_int>() as socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `value`, and the new length to `length`.
    let result =
        unsafe { libc::getsockopt(fd, level, option, (&raw mut value).cast(), &mut length) };
    result == 0 && value != 0
}

/// The index of the interface of this name: if_nametoindex(3).
pub fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` ends with a NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

/// `ask` gets room for `size` bytes, no more than a `sockaddr_in6` has.
#[inline(always)]
fn ask_address(
    size: usize,
    ask: impl FnOnce(*mut c_void, *mut socklen_t) -> c_int,
) -> Result<Address, NoAddress> {
    let mut answer = MaybeUninit::<sockaddr_in6>::zeroed();
    let mut length = size as socklen_t;
    if ask(answer.as_mut_ptr().cast(), &mut length) != 0 {
        return Err(NoAddress::Errno(errno()));
    }
    // SAFETY: all zeros is a value of this plain struct, and so is whatever the kernel wrote.
    let answer = unsafe { answer.assume_init() };
    // An answer that is longer than the room was cut: it is of another kind than expected.
    match length as usize {
        length if length <= size => socket_addr(&answer, length),
        _ => Err(NoAddress::Malformed),
    }
}

/// The error of the last system call.
#[cold]
fn errno() -> c_int {
    io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or_default()
}

/// Reads what the kernel answered. A v4-mapped address is the IPv4 address that it stands for.
#[inline(always)]
fn socket_addr(answer: &sockaddr_in6, length: usize) -> Result<Address, NoAddress> {
    match c_int::from(answer.sin6_family) {
        libc::AF_INET if length == size_of::<sockaddr_in>() => {
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
