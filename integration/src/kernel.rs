//! What not every kernel has, and the word that a test is not run for that.

use std::io::{Write, stderr};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Whether the kernel has MPTCP: Linux 5.6, if it is built with it.
pub fn has_mptcp() -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP));
    let absent = [Errno::EPROTONOSUPPORT, Errno::EINVAL].map(|errno| Some(errno as i32));
    !socket.is_err_and(|error| absent.contains(&error.raw_os_error()))
}

/// Says that a test was not run, since this kernel has no `what`. The line gets past the harness,
/// which shows nothing of tests that do not fail.
pub fn not_run(test: &str, what: &str) {
    let line = format!("NOT RUN: {test}: this kernel has no {what}\n");
    stderr()
        .write_all(line.as_bytes())
        .expect("write to standard error");
}
