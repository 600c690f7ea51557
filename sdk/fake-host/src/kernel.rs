//! The kernel's answers about a socket, and about routes, programmed.

use std::ffi::c_int;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use libc::socklen_t;

/// From here on, file descriptors are programmed: the kernel's own are far smaller.
pub(crate) const FIRST_FD: c_int = 1 << 20;

/// What the kernel is asked about a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// getsockopt(2) with this level and name.
    Option(c_int, c_int),
    /// getsockname(2).
    Name,
    /// getpeername(2).
    Peer,
    /// recv(2) on any socket, while the connection is being accepted: what rtnetlink(7) answers. If
    /// nothing is programmed, the real kernel answers.
    Route,
}

/// The bytes of an answer, or an error (errno(3)).
pub type Answer = Result<Vec<u8>, c_int>;

/// A socket that is only answers, and the questions that came. What has no answer is
/// `ENOPROTOOPT`.
#[derive(Clone)]
pub struct Socket {
    answers: Vec<(Question, Answer)>,
    asked: Vec<Question>,
}

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
    /// An unmarked socket of this process's network namespace, that connection tracking knows nothing of.
    pub fn untracked() -> Self {
        Self {
            answers: Vec::new(),
            // More than any connection asks, so that noting a question does not allocate.
            asked: Vec::with_capacity(64),
        }
        .with(Question::ORIGINAL_DST, Err(libc::ENOENT))
        .with(Question::IPV6_ORIGINAL_DST, Err(libc::ENOENT))
        .with(Question::TRANSPARENT, Ok(vec![0; 4]))
        .with(Question::IPV6_TRANSPARENT, Ok(vec![0; 4]))
        .with(Question::MARK, Ok(vec![0; 4]))
        .with(Question::NAMESPACE, own_namespace())
    }

    /// A socket that REDIRECT or DNAT led away from `destination`.
    pub fn redirected(destination: SocketAddr) -> Self {
        let question = match destination {
            SocketAddr::V4(_) => Question::ORIGINAL_DST,
            SocketAddr::V6(_) => Question::IPV6_ORIGINAL_DST,
        };
        Self::untracked().with(question, Ok(sockaddr(destination)))
    }

    /// A transparent socket with this address, as TPROXY makes it. A v4-mapped address is that of
    /// a dual-stack listener with an IPv4 client.
    pub fn transparent(own: SocketAddr) -> Self {
        let on = || Ok(1_i32.to_ne_bytes().to_vec());
        Self::untracked()
            .with(Question::TRANSPARENT, on())
            .with(Question::IPV6_TRANSPARENT, on())
            .with(Question::Name, Ok(sockaddr(own)))
    }

    /// The same socket, with another answer to this question.
    pub fn with(mut self, question: Question, answer: Answer) -> Self {
        self.answers.retain(|(known, _)| *known != question);
        self.answers.push((question, answer));
        self
    }

    /// What was asked since the connection was last accepted, in order.
    pub fn asked(&self) -> &[Question] {
        &self.asked
    }

    pub(crate) fn forget(&mut self) {
        self.asked.clear();
    }

    pub(crate) fn answer(&mut self, question: Question) -> Result<&[u8], c_int> {
        self.asked.push(question);
        self.programmed(question).unwrap_or(Err(libc::ENOPROTOOPT))
    }

    pub(crate) fn programmed(&self, question: Question) -> Option<Result<&[u8], c_int>> {
        let (_, answer) = self.answers.iter().find(|(known, _)| *known == question)?;
        Some(match answer {
            Ok(bytes) => Ok(bytes),
            Err(errno) => Err(*errno),
        })
    }
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

/// The bytes of a `sockaddr_in` or `sockaddr_in6`.
pub fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    let family = |family: c_int| (family as u16).to_ne_bytes();
    match address {
        SocketAddr::V4(v4) => [
            &family(libc::AF_INET),
            &port,
            &v4.ip().octets()[..],
            &[0; 8],
        ]
        .concat(),
        SocketAddr::V6(v6) => [
            &family(libc::AF_INET6),
            &port,
            &v6.flowinfo().to_be_bytes()[..],
            &v6.ip().octets(),
            &v6.scope_id().to_ne_bytes(),
        ]
        .concat(),
    }
}
