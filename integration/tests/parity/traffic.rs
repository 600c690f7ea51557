//! What clients do.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::thread;
use std::time::Duration;

use lab::address::{CLIENT_V4, CLIENT_V6};
use lab::client::{self, ANSWER_TIMEOUT, read_all};
use lab::{Answer, Client, Failure, Lab, Netns};
use nix::net::if_::if_nametoindex;
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::site::Ports;

/// How long a connection may take that is never to be there.
const NEVER: Duration = Duration::from_millis(400);

/// One connection.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who connects.
    pub from: From,
    /// To which address, with `D` or `L` for its port, or the path of a pipe.
    pub to: String,
    /// What the client says.
    pub how: How,
}

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The client.
    Client,
    /// The client, from one of the further addresses that [`addresses`] gives it.
    ClientAt(u8),
    /// A process beside Envoy.
    Gateway,
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// An HTTP request.
    Http,
    /// An HTTP request on a connection that stays open. (When Envoy 1.40 closes the inner end of a
    /// tunnel after a response, the response is lost.)
    KeptHttp,
    /// A line.
    Tcp,
    /// These bytes, then a line; its end only after the answer. A listener filter that waits for
    /// bytes would take an early end for the client's leaving.
    After(Vec<u8>),
    /// Nothing: the server speaks first.
    Listen,
    /// Nothing but its end.
    HalfClose,
    /// A line, then a reset as soon as the answer is there.
    Reset,
    /// Nothing but a reset.
    EarlyReset,
    /// As `Tcp`, over Multipath TCP.
    Mptcp,
    /// Nothing: the connection never arrives.
    Never,
    /// These bytes, then a line, to a pipe.
    Pipe(Vec<u8>),
}

impl Ask {
    /// Connects and says it; what the client got, as text.
    pub fn run(&self, lab: &Lab, ports: Ports) -> String {
        let host = match self.from {
            From::Client | From::ClientAt(_) => &lab.client,
            From::Gateway => &lab.gateway,
        };
        let to = ports.fill(&self.to);
        if let How::Pipe(bytes) = &self.how {
            return text(pipe(host, &to, bytes));
        }
        let to = resolve(host, &to);
        let client = match self.from {
            From::ClientAt(last) => Client::new(host).from(SocketAddr::new(at(last), 0)),
            _ => Client::new(host),
        };
        let answer = match &self.how {
            How::Http => client.http_get(to).map(reached),
            How::KeptHttp => kept_http(&client, to),
            How::Tcp => client.tcp_ask(to).map(reached),
            How::After(bytes) => after(&client, to, bytes),
            How::Listen => client.connect(to).and_then(|mut stream| line(&mut stream)),
            How::HalfClose => half_close(&client, to),
            How::Reset => reset(&client, to),
            How::EarlyReset => early_reset(&client, to),
            How::Mptcp => mptcp(host, to),
            How::Never => never(host, to),
            How::Pipe(_) => unreachable!("returned above"),
        };
        text(answer)
    }

    /// The remote address in the access log, if no filter changes it.
    pub fn remote(&self, ports: Ports) -> String {
        let asked = ports.fill(&self.to);
        match self.from {
            From::ClientAt(last) => format!("{}:*", at(last)),
            // What has no name of its own shows that of the listener.
            _ if matches!(self.how, How::Pipe(_)) => asked,
            From::Client if asked.starts_with("[fe80") => "[fe80::c%11]:*".to_owned(),
            From::Client if asked.starts_with('[') => "[fd01::2]:*".to_owned(),
            From::Client => "10.1.0.2:*".to_owned(),
            From::Gateway if asked.starts_with("[::1]") => "[::1]:*".to_owned(),
            From::Gateway if asked.starts_with("127.") => "127.0.0.1:*".to_owned(),
            From::Gateway if asked.starts_with("10.1.0.1:") => "10.1.0.1:*".to_owned(),
            From::Gateway if asked.starts_with("[fd01::1]") => "[fd01::1]:*".to_owned(),
            From::Gateway if asked.starts_with('[') => "[fd02::1]:*".to_owned(),
            From::Gateway => "10.2.0.1:*".to_owned(),
        }
    }
}

/// What a client says that has nothing special to say.
const LINE: &[u8] = b"who is there?\n";

/// How many further addresses the client has.
pub const FURTHER_ADDRESSES: u8 = 20;

/// Gives the client further addresses.
pub fn addresses(lab: &Lab) {
    let lines = (0..FURTHER_ADDRESSES).map(|last| format!("addr add {}/24 dev eth0\n", at(last)));
    lab.client.ip(&lines.collect::<String>());
}

fn at(last: u8) -> IpAddr {
    IpAddr::from([10, 1, 0, 100 + last])
}

/// Ports that the kernel chose as `*`: they differ from run to run. A client's can be any: NAT takes
/// another where two of its connections would be one.
pub fn normalize(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((ip, port)) = text.rsplit_once(':')
                && let Ok(port) = port.parse::<u16>()
                && ((32_768..=60_999).contains(&port) || is_client(ip))
            {
                *text = format!("{ip}:*");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize),
        Value::Object(fields) => fields.values_mut().for_each(normalize),
        _ => {}
    }
}

fn is_client(ip: &str) -> bool {
    let ip = ip.trim_matches(['[', ']']).parse::<IpAddr>();
    ip.is_ok_and(|ip| [CLIENT_V4, CLIENT_V6].contains(&ip.to_canonical()))
}

/// An address, whose scope may be the name of an interface of this host.
fn resolve(host: &Netns, text: &str) -> SocketAddr {
    let named = text
        .split_once('%')
        .and_then(|(ip, rest)| Some((ip, rest.split_once(']')?)));
    let text = match named {
        Some((ip, (name, port))) => {
            let index = host
                .run(|| if_nametoindex(name))
                .expect("an interface of the host");
            format!("{ip}%{index}]{port}")
        }
        None => text.to_owned(),
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is no address"))
}

/// The upstream's answer as it came, but for the port of Envoy that the kernel chose. Whether a
/// connection ends in order or by a reset depends on what Envoy had read when it closed it.
fn text(answer: Result<String, Failure>) -> String {
    match answer {
        Ok(text) => match serde_json::from_str::<Value>(&text) {
            Ok(mut value) => {
                normalize(&mut value);
                value.to_string()
            }
            Err(_) => text,
        },
        Err(failure) if failure.is_closed() => "closed".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

fn reached(answer: Answer) -> String {
    serde_json::to_string(&answer.reached).expect("JSON to text")
}

fn kept_http(client: &Client, to: SocketAddr) -> Result<String, Failure> {
    let mut stream = client.connect(to)?;
    write!(stream, "GET / HTTP/1.1\r\nhost: {to}\r\n\r\n")?;
    let mut length = 0;
    loop {
        let line = line(&mut stream)?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            None if line == "\r\n" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn after(client: &Client, to: SocketAddr, bytes: &[u8]) -> Result<String, Failure> {
    let mut stream = client.connect(to)?;
    stream.write_all(&[bytes, LINE].concat())?;
    line(&mut stream)
}

fn half_close(client: &Client, to: SocketAddr) -> Result<String, Failure> {
    let mut stream = client.connect(to)?;
    stream.shutdown(Shutdown::Write)?;
    read_all(&mut stream)
}

fn reset(client: &Client, to: SocketAddr) -> Result<String, Failure> {
    let mut stream = client.connect(to)?;
    stream.write_all(LINE)?;
    let answer = line(&mut stream)?;
    client::reset(stream)?;
    // Else Envoy sees the reset together with the end of the upstream's answer, or does not.
    thread::sleep(Duration::from_millis(20));
    Ok(answer)
}

fn pipe(host: &Netns, path: &str, bytes: &[u8]) -> Result<String, Failure> {
    // The names of abstract pipes belong to the namespace.
    let stream = host.run(|| match path.strip_prefix('@') {
        Some(name) => {
            UnixAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name))
        }
        None => UnixStream::connect(path),
    });
    let mut stream = stream?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(&[bytes, LINE].concat())?;
    line(&mut stream)
}

fn early_reset(client: &Client, to: SocketAddr) -> Result<String, Failure> {
    client::reset(client.connect(to)?)?;
    Ok("reset".to_owned())
}

fn mptcp(host: &Netns, to: SocketAddr) -> Result<String, Failure> {
    let stream = host.run(|| {
        let domain = Domain::for_address(to);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        socket.connect_timeout(&to.into(), client::CONNECT_TIMEOUT)?;
        Ok::<_, std::io::Error>(TcpStream::from(socket))
    });
    let mut stream = stream?;
    stream.write_all(LINE)?;
    stream.shutdown(Shutdown::Write)?;
    read_all(&mut stream)
}

fn never(host: &Netns, to: SocketAddr) -> Result<String, Failure> {
    let connected = host.run(|| TcpStream::connect_timeout(&to, NEVER));
    connected
        .map(|_| "connected".to_owned())
        .map_err(Failure::from)
}

/// One line.
fn line(stream: &mut impl Read) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut byte = [0];
    while byte != *b"\n" {
        match stream.read(&mut byte)? {
            0 => return Err(Failure::Closed),
            _ => text.extend(byte),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The type of the TLV in [`proxy_header`].
pub const TLV: u8 = 0xe0;

/// A PROXY header, version 2, for TCP over IPv4, from port 1111 to port 2222, with a TLV.
pub fn proxy_header(source: [u8; 4], destination: [u8; 4], tlv: &str) -> Vec<u8> {
    let mut rest = [source, destination].concat();
    rest.extend(1111_u16.to_be_bytes());
    rest.extend(2222_u16.to_be_bytes());
    rest.push(TLV);
    rest.extend((tlv.len() as u16).to_be_bytes());
    rest.extend(tlv.as_bytes());
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend((rest.len() as u16).to_be_bytes());
    header.extend(rest);
    header
}
