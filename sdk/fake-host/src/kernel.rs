//! The kernel's answers about a socket. This crate's getsockopt(2), getsockname(2) and getpeername(2)
//! take the place of the C library's: the socket of the connection that is being accepted is answered
//! for here, all others by the real kernel. What the kernel answers about routes can be programmed too:
//! recv(2).

use std::ffi::{c_int, c_void};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use libc::socklen_t;

use crate::filter::with_accepting;

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

    fn answer(&mut self, question: Question) -> Result<&[u8], c_int> {
        self.asked.push(question);
        self.programmed(question).unwrap_or(Err(libc::ENOPROTOOPT))
    }

    fn programmed(&self, question: Question) -> Option<Result<&[u8], c_int>> {
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

/// Puts the programmed answer where the caller wants it, as much of it as there is room for.
/// getsockopt tells how much that is, getsockname how much there was.
///
/// # Safety
/// `length` is readable and writable, and as many bytes as it says are writable at `room`.
unsafe fn answer(
    fd: c_int,
    question: Question,
    room: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    let answered = with_accepting(|filter| {
        let (own_fd, socket) = filter.connection.socket().ok_or(libc::EBADF)?;
        if own_fd != fd {
            return Err(libc::EBADF);
        }
        let bytes = socket.answer(question)?;
        // SAFETY: the caller vouches for it.
        unsafe {
            let fits = bytes.len().min(*length as usize);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), room.cast(), fits);
            let told = match question {
                Question::Option(..) => fits,
                Question::Name | Question::Peer | Question::Route => bytes.len(),
            };
            *length = told as socklen_t;
        }
        Ok(())
    });
    match answered.unwrap_or(Err(libc::EBADF)) {
        Ok(()) => 0,
        Err(errno) => {
            // SAFETY: the C library's place for this thread's errno.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
    }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Option(level, name), value, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockname(fd: c_int, name: *mut c_void, length: *mut socklen_t) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Name, name, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getsockname, fd, name, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getpeername(fd: c_int, name: *mut c_void, length: *mut socklen_t) -> c_int {
    if fd >= FIRST_FD {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { answer(fd, Question::Peer, name, length) };
    }
    // SAFETY: passed on as it came.
    unsafe { libc::syscall(libc::SYS_getpeername, fd, name, length) as c_int }
}

/// # Safety
/// As the C library's.
// SAFETY: the signature is that of the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn recv(fd: c_int, room: *mut c_void, length: usize, flags: c_int) -> isize {
    let programmed = with_accepting(|filter| {
        let (_, socket) = filter.connection.socket()?;
        let answer = socket.programmed(Question::Route)?;
        Some(answer.map(|bytes| {
            let fits = bytes.len().min(length);
            // SAFETY: the caller vouches for the room.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), room.cast(), fits) };
            fits
        }))
    });
    match programmed.flatten() {
        Some(Ok(fits)) => fits as isize,
        Some(Err(errno)) => {
            // SAFETY: the C library's place for this thread's errno.
            unsafe { *libc::__errno_location() = errno };
            -1
        }
        // SAFETY: passed on as it came.
        None => unsafe {
            let nobody = std::ptr::null_mut::<c_void>();
            libc::syscall(libc::SYS_recvfrom, fd, room, length, flags, nobody, nobody) as isize
        },
    }
}
