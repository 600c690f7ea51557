//! What Linux is asked about sockets, and says of one of its own.

use std::ffi::{CString, c_int};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use libc::socklen_t;

use super::{Answer, Question, Socket, sockaddr};

pub const AF_INET: u16 = libc::AF_INET as u16;
pub const AF_INET6: u16 = libc::AF_INET6 as u16;
pub const NOT_ANSWERED: c_int = libc::ENOPROTOOPT;
pub const NOT_A_SOCKET: c_int = libc::EBADF;

impl Question {
    /// `SO_ORIGINAL_DST` of IPv4.
    pub const ORIGINAL_DST: Self = Self::Option(libc::SOL_IP, libc::SO_ORIGINAL_DST);
    /// `SO_ORIGINAL_DST` of IPv6.
    pub const IPV6_ORIGINAL_DST: Self = Self::Option(libc::SOL_IPV6, libc::IP6T_SO_ORIGINAL_DST);
    /// `IP_TRANSPARENT`.
    pub const TRANSPARENT: Self = Self::Option(libc::SOL_IP, libc::IP_TRANSPARENT);
    /// `IPV6_TRANSPARENT`.
    pub const IPV6_TRANSPARENT: Self = Self::Option(libc::SOL_IPV6, libc::IPV6_TRANSPARENT);
    /// `SO_MARK`.
    pub const MARK: Self = Self::Option(libc::SOL_SOCKET, libc::SO_MARK);
    /// `SO_NETNS_COOKIE`.
    pub const NAMESPACE: Self = Self::Option(libc::SOL_SOCKET, libc::SO_NETNS_COOKIE);
}

impl Socket {
    /// A transparent socket with this address, as TPROXY makes it. A v4-mapped address is that of
    /// a dual-stack listener with an IPv4 client.
    pub fn transparent(own: SocketAddr) -> Self {
        let on = || Ok(1_i32.to_ne_bytes().to_vec());
        Self::untracked()
            .with(Question::TRANSPARENT, on())
            .with(Question::IPV6_TRANSPARENT, on())
            .with(Question::Name, Ok(sockaddr(own)))
    }
}

/// The answers about a socket that connection tracking knows nothing of.
pub fn untracked() -> [(Question, Answer); 6] {
    [
        (Question::ORIGINAL_DST, Err(libc::ENOENT)),
        (Question::IPV6_ORIGINAL_DST, Err(libc::ENOENT)),
        (Question::TRANSPARENT, Ok(vec![0; 4])),
        (Question::IPV6_TRANSPARENT, Ok(vec![0; 4])),
        (Question::MARK, Ok(vec![0; 4])),
        (Question::NAMESPACE, own_namespace()),
    ]
}

/// The file descriptor of a real socket.
pub fn raw(socket: &TcpStream) -> c_int {
    socket.as_raw_fd()
}

/// Whether an interface has this name.
pub fn is_interface(name: &str) -> bool {
    // SAFETY: the name ends with a NUL.
    CString::new(name).is_ok_and(|name| unsafe { libc::if_nametoindex(name.as_ptr()) } != 0)
}

/// What the real kernel answers about the namespace of a socket of this process.
fn own_namespace() -> Answer {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let mut cookie = [0_u8; 8];
    let mut length = cookie.len() as socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_getsockopt,
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            cookie.as_mut_ptr(),
            &mut length,
        )
    };
    match result {
        0 => Ok(cookie.into()),
        _ => Err(libc::ENOPROTOOPT),
    }
}
