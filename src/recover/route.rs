//! Whether an address is one of this host's own: the kernel is asked for its route to the address, as
//! rtnetlink(7) describes. Source: `RTM_GETROUTE` of Linux.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use libc::{c_int, c_void};

use super::socket;
use crate::address::Address;

/// A `struct nlmsghdr` and the `struct rtmsg` behind it, in bytes.
const HEADERS: usize = 16 + 12;

/// Where their fields are.
const TYPE: usize = 4;
const SEQUENCE: usize = 8;
const ERROR: usize = 16;
const FAMILY: usize = 16;
const ROUTE_TYPE: usize = 16 + 7;

/// Any number does: a socket asks once.
const OUR_SEQUENCE: u32 = 1;

/// The longest question: with an IPv6 address and an interface.
const LONGEST: usize = HEADERS + 4 + 16 + 8;

/// Whether the kernel takes connections to this address for its own, in the network namespace that the
/// accepted socket `fd` is of; if there is no such socket, in Envoy's own. The route is looked up without
/// a mark, whatever rules for marked packets say.
///
/// A socket of another namespace than Envoy's cannot be asked about, nor can its namespace be told before
/// Linux 5.14. The loop guard, which asks, holds where nobody can tell: the answer is then yes.
#[cold]
pub fn is_own_address(fd: Option<c_int>, address: Address) -> bool {
    ask(fd, address).unwrap_or(true)
}

/// `None` if nobody can tell.
fn ask(fd: Option<c_int>, address: Address) -> Option<bool> {
    let ip = address.ip();
    // Linux connects to loopback instead.
    if ip.is_unspecified() {
        return Some(true);
    }
    let netlink = open()?;
    if let Some(fd) = fd {
        let cookie = socket::namespace_cookie(fd)?;
        if socket::namespace_cookie(netlink.as_raw_fd())? != cookie {
            return None;
        }
    }
    let mut answer = [0; 512];
    let question = Question::new(ip, address.scope_id());
    let length = exchange(&netlink, question.as_bytes(), &mut answer)?;
    is_local(answer.get(..length)?, ip)
}

/// The request for a route, in bytes.
struct Question {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Question {
    /// For the route to an address; with a scope, on that interface: an address of a link is another
    /// host's on another link.
    fn new(ip: IpAddr, scope_id: u32) -> Self {
        let mut question = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        // struct nlmsghdr: its length is filled in below.
        question.push(&[0; 4]);
        question.push(&libc::RTM_GETROUTE.to_ne_bytes());
        question.push(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
        question.push(&OUR_SEQUENCE.to_ne_bytes());
        question.push(&[0; 4]);
        // struct rtmsg: the family, how many bits of the address count, and nothing else.
        match ip {
            IpAddr::V4(_) => question.push(&[family(ip), 32]),
            IpAddr::V6(_) => question.push(&[family(ip), 128]),
        }
        question.push(&[0; 10]);
        match ip {
            IpAddr::V4(ip) => question.attribute(libc::RTA_DST, &ip.octets()),
            IpAddr::V6(ip) => question.attribute(libc::RTA_DST, &ip.octets()),
        }
        if scope_id != 0 {
            question.attribute(libc::RTA_OIF, &scope_id.to_ne_bytes());
        }
        let length = question.length as u32;
        question.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        question
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }

    /// A `struct rtattr` and its content, of which a multiple of 4 bytes needs no padding.
    fn attribute(&mut self, name: u16, content: &[u8]) {
        self.push(&(4 + content.len() as u16).to_ne_bytes());
        self.push(&name.to_ne_bytes());
        self.push(content);
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

/// Reads the kernel's answer: `None` if it is not one to our question.
fn is_local(answer: &[u8], ip: IpAddr) -> Option<bool> {
    if u32_at(answer, SEQUENCE)? != OUR_SEQUENCE {
        return None;
    }
    let kind = u16::from_ne_bytes(*answer.get(TYPE..)?.first_chunk()?);
    if c_int::from(kind) == libc::NLMSG_ERROR {
        let errno = (u32_at(answer, ERROR)? as i32).checked_neg()?;
        // No route leads there: not even one to this host.
        return [libc::ENETUNREACH, libc::EHOSTUNREACH]
            .contains(&errno)
            .then_some(false);
    }
    if kind != libc::RTM_NEWROUTE || answer.len() < HEADERS || answer[FAMILY] != family(ip) {
        return None;
    }
    // Not so an anycast address: the kernel takes no TCP connections to one.
    Some(answer[ROUTE_TYPE] == libc::RTN_LOCAL)
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(place..)?.first_chunk()?))
}

/// A socket for questions about routes: netlink(7).
fn open() -> Option<OwnedFd> {
    // SAFETY: takes no pointers.
    let fd = unsafe {
        libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_ROUTE,
        )
    };
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor was just made, and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends a question, and puts down the answer: how long it is. The kernel answers while it takes the
/// question, so that nothing has to be waited for.
fn exchange(netlink: &OwnedFd, question: &[u8], answer: &mut [u8]) -> Option<usize> {
    let fd = netlink.as_raw_fd();
    // SAFETY: the kernel reads as many bytes as there are.
    let sent = unsafe { libc::send(fd, question.as_ptr().cast(), question.len(), 0) };
    if usize::try_from(sent).ok()? != question.len() {
        return None;
    }
    let room: *mut c_void = ptr::from_mut(answer).cast();
    // SAFETY: the kernel writes no more bytes than there is room for.
    let length = unsafe { libc::recv(fd, room, answer.len(), libc::MSG_DONTWAIT) };
    usize::try_from(length).ok()
}

#[cfg(test)]
mod tests;
