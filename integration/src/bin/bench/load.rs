//! The traffic.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use lab::client::{ANSWER_TIMEOUT, reset};

use crate::subject::Subject;

/// Makes connections from this thread's namespace, one after the other and each to its end, so that
/// Envoy works off each alone.
///
/// # Panics
/// If one is not answered, or not refused, as it should be: another thing would be measured.
pub fn connect(subject: Subject, connections: u32) {
    // Network RBAC waits for the first byte.
    let said: &[u8] = if subject.refuses() { b"?" } else { b"" };
    for _ in 0..connections {
        let answer =
            ask(subject.asked(), said).unwrap_or_else(|e| panic!("{}: {e}", subject.name()));
        assert_eq!(answer, subject.answer(), "{}", subject.name());
    }
}

/// A connection, from its begin to its end; the answer to what is said.
pub fn ask(asked: SocketAddr, said: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(asked)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    if !said.is_empty() {
        // Who refuses the connection has closed it before, perhaps.
        let _ = stream.write_all(said);
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
