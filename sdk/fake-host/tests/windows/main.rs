//! The module's DLL in a stand-in for Envoy on Windows: this executable, which exports the callbacks, loads
//! it, accepts connections on sockets of Winsock's, and answers what the DLL asks about them.
//! `scripts/windows` builds both, and runs them under Wine.

#![cfg(windows)]

mod library;
mod outcomes;
mod panics;

use std::net::{TcpListener, TcpStream};

use fake_host::log::{self, Level};
use fake_host::{Connection, Listener, Socket};

const NAME: &str = "envoy.filters.listener.original_dst";

/// Traffic directions, as Envoy tells them.
const UNSPECIFIED: u64 = 0;
const INBOUND: u64 = 1;
const OUTBOUND: u64 = 2;

/// Where the connections arrive.
const AT: &str = "127.0.0.1:0";
const AT_V6: &str = "[::1]:0";

/// A connection's two ends.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn new(at: &str) -> Self {
        let listener = TcpListener::bind(at).expect("loopback");
        let at = listener.local_addr().expect("an address");
        let client = TcpStream::connect(at).expect("a connection");
        let (server, _) = listener.accept().expect("the connection");
        Self { client, server }
    }

    /// What the listener accepted, with these answers.
    fn answered(&self, answers: Socket) -> Connection {
        Connection::answered(&self.server, answers)
    }

    fn server(&self) -> String {
        self.server.local_addr().expect("an address").to_string()
    }
}

fn listener(options: &str) -> Listener {
    Listener::new(NAME, options.as_bytes()).expect("options that are accepted")
}

/// The lines about connections that this thread's log got.
fn logged() -> Vec<(Level, String)> {
    let mut lines = log::take();
    lines.retain(|(_, line)| !line.contains(" loaded, "));
    lines
}

/// What becomes of a connection, in words: the counter, and `to` an address or `closed` with a reason.
fn accept(options: &str, connection: &mut Connection) -> String {
    let listener = listener(options);
    listener.accept(connection);
    let counted: Vec<_> = listener.counted().into_iter().collect();
    let [(counter, 1)] = counted[..] else {
        panic!("one counter, by one: {counted:?}");
    };
    let counter = counter.strip_prefix("original_dst.").expect("the prefix");
    match (connection.restored(), connection.closed()) {
        (None, None) => counter.to_owned(),
        (Some(to), None) => format!("{counter} to {to}"),
        (None, Some(details)) => format!("{counter} closed {details}"),
        both => panic!("{both:?}"),
    }
}
