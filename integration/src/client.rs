//! A client that asks an upstream at which address it was reached.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::netns::Netns;
use crate::upstream::Reached;

/// How long a connection may take to be there.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take after that.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks over HTTP. See [`Client::http_get`].
pub fn http_get(host: &Netns, to: SocketAddr) -> Result<Answer, Failure> {
    Client::new(host).http_get(to)
}

/// Asks over plain TCP. See [`Client::tcp_ask`].
pub fn tcp_ask(host: &Netns, to: SocketAddr) -> Result<Answer, Failure> {
    Client::new(host).tcp_ask(to)
}

/// Asks over HTTP on a connection that stays open.
pub fn http_ask(stream: &mut TcpStream) -> Result<Answer, Failure> {
    http_request(stream, "host: upstream")
}

/// Closes a connection with a reset instead of an orderly end.
pub fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

/// An answer of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the upstream saw.
    pub reached: Reached,
    /// The client's own address.
    pub local: SocketAddr,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answered the connection attempt.
    ConnectTimeout,
    /// The connection was refused.
    Refused,
    /// No route, or nobody there.
    Unreachable,
    /// The connection was there, but no answer came in time.
    AnswerTimeout,
    /// Closed in order, without a byte.
    Closed,
    /// Closed by a reset.
    Reset,
    /// An HTTP answer other than 200, with its body.
    Status(u16, String),
    /// An answer that is not the upstream's.
    Garbled(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The connection was taken, then closed without an answer. Whether by a reset or in order
    /// depends on what the closing side had read before.
    pub fn is_closed(&self) -> bool {
        matches!(self, Failure::Closed | Failure::Reset)
    }
}

impl From<io::Error> for Failure {
    /// For an open connection; a failed attempt to connect has its own time-out.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            // Writing or half-closing after the reset fails in ways of its own.
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
                Failure::Reset
            }
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Failure::Unreachable,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::AnswerTimeout,
            _ => Failure::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Failure {}

/// A client on one host.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    host: &'a Netns,
    from: Option<SocketAddr>,
}

impl<'a> Client<'a> {
    /// A client whose addresses the kernel chooses.
    pub fn new(host: &'a Netns) -> Self {
        Self { host, from: None }
    }

    /// Connects from this address; port 0 leaves the port to the kernel.
    pub fn from(self, address: SocketAddr) -> Self {
        Self {
            from: Some(address),
            ..self
        }
    }

    /// Connects, and leaves the rest to the caller.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream, Failure> {
        let connected = self.host.run(|| {
            let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
            if let Some(from) = self.from {
                socket.bind(&from.into())?;
            }
            socket.connect_timeout(&to.into(), CONNECT_TIMEOUT)?;
            socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
            Ok(TcpStream::from(socket))
        });
        connected.map_err(|error: io::Error| match error.kind() {
            ErrorKind::TimedOut => Failure::ConnectTimeout,
            _ => error.into(),
        })
    }

    /// Sends one HTTP GET request and reads the upstream's answer.
    pub fn http_get(&self, to: SocketAddr) -> Result<Answer, Failure> {
        let mut stream = self.connect(to)?;
        http_request(&mut stream, &format!("host: {to}\r\nconnection: close"))
    }

    /// Sends one line, half-closes, and reads the upstream's answer to the end.
    pub fn tcp_ask(&self, to: SocketAddr) -> Result<Answer, Failure> {
        let mut stream = self.connect(to)?;
        let local = stream.local_addr()?;
        stream.write_all(b"who is there?\n")?;
        stream.shutdown(Shutdown::Write)?;
        answer(local, &read_all(&mut stream)?)
    }
}

/// Sends an HTTP GET request with these headers and reads the upstream's answer.
pub fn http_request(stream: &mut TcpStream, headers: &str) -> Result<Answer, Failure> {
    let local = stream.local_addr()?;
    let request = format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // Not to the end: Envoy leaves it to the client to close first, for a second.
    let text = read_until(stream, is_whole_response)?;
    let garbled = || Failure::Garbled(text.clone());
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(garbled)?;
    match head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(garbled)?
    {
        200 => answer(local, body),
        status => Err(Failure::Status(status, body.to_owned())),
    }
}

/// Reads to the end, which must come within [`ANSWER_TIMEOUT`].
pub fn read_all(stream: &mut TcpStream) -> Result<String, Failure> {
    read_until(stream, |_| false)
}

fn read_until(stream: &mut TcpStream, is_whole: fn(&str) -> bool) -> Result<String, Failure> {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !is_whole(&text) {
        let left = deadline.saturating_duration_since(Instant::now());
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(&mut buffer) {
            Ok(0) if text.is_empty() => return Err(Failure::Closed),
            Ok(0) => break,
            Ok(n) => text += &String::from_utf8_lossy(&buffer[..n]),
            // By what stops and resumes the whole machine: nothing happened to the connection.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if left.is_zero() {
            return Err(Failure::AnswerTimeout);
        }
    }
    Ok(text)
}

fn is_whole_response(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}

fn answer(local: SocketAddr, body: &str) -> Result<Answer, Failure> {
    let garbled = |error| Failure::Garbled(format!("{error}: {body}"));
    Ok(Answer {
        reached: serde_json::from_str(body).map_err(garbled)?,
        local,
    })
}
