//! One client, and what it exchanges with the origin.

use std::io::{self, Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use lab::client::reset;
use serde::Serialize;

use super::origin::ANSWER;
use crate::load::ask;

/// An answer of an Envoy under callgrind takes long, where it has never gone that way before.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A connection through a TCP proxy, with a line and its answer.
    Tcp,
    /// A connection with one HTTP request.
    Http,
    /// An HTTP request on a connection that stays open.
    KeepAlive,
    /// A connection that is refused.
    Refused,
}

impl Kind {
    /// Those with an answer.
    pub const ANSWERED: [Self; 3] = [Self::Tcp, Self::Http, Self::KeepAlive];

    /// What it is, for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP connection",
            Self::Http => "HTTP, new connection",
            Self::KeepAlive => "HTTP, keep-alive",
            Self::Refused => "refused connection",
        }
    }

    /// Whether it is known from connect to first byte.
    pub fn has_latency(self) -> bool {
        matches!(self, Self::Tcp | Self::Http)
    }
}

/// A client of one listener.
pub struct Client {
    kind: Kind,
    asked: SocketAddr,
    kept: Option<TcpStream>,
}

impl Client {
    pub fn new(kind: Kind, asked: SocketAddr) -> Self {
        let kept = None;
        Self { kind, asked, kept }
    }

    /// One exchange, from this thread's namespace; when its first byte came.
    ///
    /// # Panics
    /// If it is not as it should be: another thing would be measured.
    pub fn exchange(&mut self) -> Instant {
        self.try_exchange()
            .unwrap_or_else(|error| panic!("{}: {error}", self.kind.name()))
    }

    fn try_exchange(&mut self) -> io::Result<Instant> {
        match self.kind {
            Kind::Refused => match ask(self.asked, b"?")?.is_empty() {
                true => Ok(Instant::now()),
                false => Err(Error::other("it is answered")),
            },
            Kind::Tcp => {
                let mut stream = self.connect()?;
                stream.write_all(b"?\n")?;
                let first = hear(&mut stream, ANSWER.as_bytes())?;
                // The origin has closed: this is the end that Envoy hands on.
                match stream.read(&mut [0])? {
                    0 => reset(stream).map(|()| first),
                    _ => Err(Error::other("it is answered twice")),
                }
            }
            Kind::Http => {
                let mut stream = self.connect()?;
                let first = request(&mut stream)?;
                // An orderly end would leave its port in use for a minute.
                reset(stream).map(|()| first)
            }
            Kind::KeepAlive => {
                let mut stream = match self.kept.take() {
                    Some(stream) => stream,
                    None => self.connect()?,
                };
                let first = request(&mut stream)?;
                self.kept = Some(stream);
                Ok(first)
            }
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.asked)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(stream)
    }
}

fn request(stream: &mut TcpStream) -> io::Result<Instant> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: origin\r\n\r\n")?;
    hear(stream, b"HTTP/1.1 200 OK\r\n")
}

/// Reads an answer to its end; when its first byte came.
fn hear(stream: &mut TcpStream, begin: &[u8]) -> io::Result<Instant> {
    let (mut buffer, mut heard) = ([0; 1024], 0);
    let mut first = None;
    while !buffer[..heard].ends_with(ANSWER.as_bytes()) {
        match stream.read(&mut buffer[heard..])? {
            0 => return Err(Error::other("no whole answer")),
            more => heard += more,
        }
        first.get_or_insert_with(Instant::now);
    }
    match (buffer.starts_with(begin), first) {
        (true, Some(first)) => Ok(first),
        _ => Err(Error::other("another answer")),
    }
}
