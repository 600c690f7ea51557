//! What not every kernel has, and the word that a test is not run for that.

use std::fmt::{self, Display, Formatter};
use std::io::{Write, stderr};
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// What some kernels lack, because they are older or built without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Multipath TCP: Linux 5.6.
    Mptcp,
    /// The socket option that tells a socket's network namespace: Linux 5.14.
    NetnsCookie,
    /// The sysctl with which accepted sockets carry the mark of their packets: Linux 3.15.
    FwmarkAccept,
    /// BPF programs that choose the listener of a connection: Linux 5.9.
    SkLookup,
}

impl Feature {
    /// Whether this kernel lacks it, as a test needs to know that cannot do without. It is then named
    /// as not run. The line gets past the harness, which shows nothing of tests that do not fail.
    ///
    /// # Panics
    /// If the kernel cannot be asked.
    pub fn is_missing_for(self, test: &str) -> bool {
        let is_missing = self.is_missing();
        if is_missing {
            stderr()
                .write_all(format!("NOT RUN: {test}: this kernel has no {self}\n").as_bytes())
                .expect("write to standard error");
        }
        is_missing
    }

    fn is_missing(self) -> bool {
        match self {
            Self::Mptcp => {
                let absent = [Errno::EPROTONOSUPPORT, Errno::EINVAL];
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP));
                let error = socket.err().and_then(|error| error.raw_os_error());
                error.is_some_and(|error| absent.contains(&Errno::from_raw(error)))
            }
            // SO_NETNS_COOKIE, which neither Python nor the crates of the lab have a name for.
            Self::NetnsCookie => says(
                &[
                    "python3",
                    "-c",
                    "from socket import *; socket().getsockopt(SOL_SOCKET, 71, 8); print('answered')",
                ],
                "Protocol not available",
                "answered",
            ),
            Self::FwmarkAccept => !Path::new("/proc/sys/net/ipv4/tcp_fwmark_accept").exists(),
            // It loads a program of each type.
            Self::SkLookup => says(
                &["bpftool", "feature", "probe", "kernel"],
                "program_type sk_lookup is NOT available",
                "program_type sk_lookup is available",
            ),
        }
    }
}

/// Whether a command says the one, and not the other.
fn says(command: &[&str], one: &str, other: &str) -> bool {
    let said = Command::new(command[0]).args(&command[1..]).output();
    let said = said.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let is_one = said.contains(one);
    assert!(is_one || said.contains(other), "{command:?}: {said}");
    is_one
}

impl Display for Feature {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mptcp => "MPTCP",
            Self::NetnsCookie => "SO_NETNS_COOKIE",
            Self::FwmarkAccept => "tcp_fwmark_accept",
            Self::SkLookup => "sk_lookup",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_programs() {
        for (said, is_one) in [("it is not there", true), ("it is there", false)] {
            assert_eq!(says(&["echo", said], "is not there", "is there"), is_one);
        }
    }

    #[test]
    #[should_panic(expected = "no such option")]
    fn an_answer_that_is_neither() {
        says(&["echo", "no such option"], "is not there", "is there");
    }
}
