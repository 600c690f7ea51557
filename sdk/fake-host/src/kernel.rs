//! The kernel's answers about a socket, and about routes, programmed.

#[cfg_attr(windows, path = "kernel/windows.rs")]
mod platform;

use std::ffi::c_int;
use std::net::SocketAddr;

pub(crate) use platform::{NOT_A_SOCKET, is_interface, raw};

use platform::{AF_INET, AF_INET6, NOT_ANSWERED};

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

/// The bytes of an answer, or an error: errno(3), of Windows that of Winsock.
pub type Answer = Result<Vec<u8>, c_int>;

/// A socket that is only answers, and the questions that came. What has no answer is
/// `ENOPROTOOPT`, in the platform's number.
#[derive(Clone)]
pub struct Socket {
    answers: Vec<(Question, Answer)>,
    asked: Vec<Question>,
}

impl Socket {
    /// A socket of which the platform knows nothing but what every socket has: unmarked, not transparent, of
    /// this process's network namespace, not redirected.
    pub fn untracked() -> Self {
        let nothing = Self {
            answers: Vec::new(),
            // More than any connection asks, so that noting a question does not allocate.
            asked: Vec::with_capacity(64),
        };
        let answers = platform::untracked().into_iter();
        answers.fold(nothing, |socket, (question, answer)| {
            socket.with(question, answer)
        })
    }

    /// A socket that REDIRECT or DNAT led away from `destination`.
    pub fn redirected(destination: SocketAddr) -> Self {
        let question = match destination {
            SocketAddr::V4(_) => Question::ORIGINAL_DST,
            SocketAddr::V6(_) => Question::IPV6_ORIGINAL_DST,
        };
        Self::untracked().with(question, Ok(sockaddr(destination)))
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
        self.programmed(question).unwrap_or(Err(NOT_ANSWERED))
    }

    pub(crate) fn programmed(&self, question: Question) -> Option<Result<&[u8], c_int>> {
        let (_, answer) = self.answers.iter().find(|(known, _)| *known == question)?;
        Some(match answer {
            Ok(bytes) => Ok(bytes),
            Err(errno) => Err(*errno),
        })
    }
}

/// The bytes of a `sockaddr_in` or `sockaddr_in6`.
pub fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    let family = |family: u16| family.to_ne_bytes();
    match address {
        SocketAddr::V4(v4) => [&family(AF_INET), &port, &v4.ip().octets()[..], &[0; 8]].concat(),
        SocketAddr::V6(v6) => [
            &family(AF_INET6),
            &port,
            &v6.flowinfo().to_be_bytes()[..],
            &v6.ip().octets(),
            &v6.scope_id().to_ne_bytes(),
        ]
        .concat(),
    }
}
