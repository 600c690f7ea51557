//! The traffic.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::TcpStream;

use lab::client::{ANSWER_TIMEOUT, reset};

use crate::subject::Subject;

/// Makes connections from this thread's namespace, one after the other and each to its end, so that
/// Envoy works off each alone.
///
/// # Panics
/// If one is not answered, or not refused, as it should be: another thing would be measured.
pub fn connect(subject: Subject, connections: u32) {
    for _ in 0..connections {
        let answer = ask(subject).unwrap_or_else(|e| panic!("{}: {e}", subject.name()));
        assert_eq!(answer, subject.answer(), "{}", subject.name());
    }
}

fn ask(subject: Subject) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(subject.asked())?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    if subject.refuses() {
        // Network RBAC waits for the first byte. The module has closed before it, perhaps.
        let _ = stream.write_all(b"?");
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => return Err(error),
        _ => {}
    }
    // An orderly end would leave its port in use for a minute.
    reset(stream)?;
    Ok(answer)
}
