//! A server that tells each client at which address it was reached, and by whom.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use crate::address::canonical;
use crate::netns::Netns;

/// The two ends of a connection as the upstream saw them; v4-mapped addresses as plain IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The address at which it was reached.
    pub local: SocketAddr,
    /// The address that connected.
    pub peer: SocketAddr,
}

/// A server on the wildcard address, IPv6 and IPv4, that runs on threads until it is dropped.
///
/// An HTTP request is answered with 200 and [`Reached`] as JSON; any other line with that JSON as
/// one line, and the end of the stream once the client has half-closed.
#[derive(Debug)]
pub struct Upstream {
    ports: Vec<Port>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Port {
    listener: Arc<Socket>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: AtomicBool,
    connections: AtomicUsize,
}

impl Upstream {
    /// Serves these ports in any namespace.
    pub fn start(host: &Netns, ports: &[u16]) -> Self {
        Self::serve(host, ports, serve)
    }

    /// As [`Upstream::start`], but sends the JSON line at once, without a word of the client.
    pub fn start_speaking_first(host: &Netns, ports: &[u16]) -> Self {
        Self::serve(host, ports, speak)
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    fn serve(host: &Netns, ports: &[u16], serve: Serve) -> Self {
        let shared = Arc::new(Shared::default());
        let ports = ports.iter().map(|port| {
            let listener = host.run(|| listen(*port));
            let listener = Arc::new(listener.unwrap_or_else(|e| panic!("listen on {port}: {e}")));
            let (socket, shared) = (Arc::clone(&listener), Arc::clone(&shared));
            let thread = Some(thread::spawn(move || accept(&socket, &shared, serve)));
            Port { listener, thread }
        });
        Self {
            ports: ports.collect(),
            shared,
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for port in &mut self.ports {
            // Wakes the thread that waits in `accept`.
            let _ = port.listener.shutdown(Shutdown::Both);
            let _ = port.thread.take().map(JoinHandle::join);
        }
    }
}

type Serve = fn(TcpStream, Reached) -> io::Result<()>;

/// No client is idle for longer.
const IDLE: Duration = Duration::from_secs(10);

fn listen(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(1024)?;
    Ok(socket)
}

fn accept(listener: &Socket, shared: &Shared, serve: Serve) {
    while !shared.stopped.load(Ordering::SeqCst) {
        let Ok((socket, _)) = listener.accept() else {
            continue;
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        // A client that goes away early is the client's business: its side of the test tells.
        thread::spawn(move || prepare(socket.into()).and_then(|(s, reached)| serve(s, reached)));
    }
}

fn prepare(stream: TcpStream) -> io::Result<(TcpStream, Reached)> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let reached = Reached {
        local: canonical(stream.local_addr()?),
        peer: canonical(stream.peer_addr()?),
    };
    Ok((stream, reached))
}

fn serve(mut stream: TcpStream, reached: Reached) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        if !line.contains(" HTTP/1.") {
            return speak(stream, reached);
        }
        let close = read_request(&mut reader)?;
        let body = serde_json::to_string(&reached)?;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
             {body}"
        )?;
        if close {
            break;
        }
        line.clear();
    }
    Ok(())
}

/// Reads the rest of a request; whether the client wants the connection closed after it.
fn read_request(reader: &mut impl BufRead) -> io::Result<bool> {
    let (mut close, mut body) = (false, 0);
    for line in reader.by_ref().lines() {
        let line = line?.to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("connection", value)) => close = value == "close",
            Some(("content-length", value)) => body = value.parse().unwrap_or(0),
            Some(_) => {}
            None => break,
        }
    }
    io::copy(&mut reader.take(body), &mut io::sink())?;
    Ok(close)
}

fn speak(mut stream: TcpStream, reached: Reached) -> io::Result<()> {
    let line = serde_json::to_string(&reached)? + "\n";
    stream.write_all(line.as_bytes())?;
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}
