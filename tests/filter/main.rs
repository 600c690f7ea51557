//! The filter behind its hooks: what becomes of a connection, by the kernel's answers, by what came
//! with it, and by the options. Windows has no transparent sockets, no marks and no names of interfaces: what
//! needs them is left out there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod internal;
mod kernel;
mod local_address;
mod options;
#[cfg(not(windows))]
mod redirector;
mod told;

use std::net::SocketAddr;

use fake_host::{Connection, Listener, Socket, Status, log};
use original_dst as _;

const NAME: &str = "envoy.filters.listener.original_dst";
const TYPE_URL: &str =
    "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst";

/// Where the connections arrive.
const AT: &str = "10.1.0.1:15001";
const AT_V6: &str = "[fd01::1]:15001";

/// What becomes of a connection.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The counters that moved, without `original_dst.`.
    counters: Vec<String>,
    /// Where its local address was restored to.
    restored: Option<String>,
    /// The details that it was closed with.
    closed: Option<String>,
}

fn outcome(counters: &[&str], restored: Option<&str>, closed: Option<&str>) -> Outcome {
    Outcome {
        counters: counters.iter().map(ToString::to_string).collect(),
        restored: restored.map(str::to_owned),
        closed: closed.map(str::to_owned),
    }
}

/// Restored, and counted as it says.
fn restored(counter: &str, to: &str) -> Outcome {
    outcome(&[counter], Some(to), None)
}

/// Counted as it says, and left as it came.
fn left(counter: &str) -> Outcome {
    outcome(&[counter], None, None)
}

/// Counted and closed for the same reason.
fn closed(counter: &str) -> Outcome {
    outcome(&[counter], None, Some(&format!("original_dst_{counter}")))
}

fn listener(options: &str) -> Listener {
    Listener::new(NAME, options.as_bytes()).expect("options that are accepted")
}

/// The log of this thread since it was last asked, without what is said of each listener when it is
/// loaded.
fn logged() -> Vec<(log::Level, String)> {
    let mut lines = log::take();
    lines.retain(|(_, line)| !line.contains(" loaded, "));
    lines
}

fn accept(options: &str, connection: &mut Connection) -> Outcome {
    let listener = listener(options);
    let status = listener.accept(connection);
    let closed = connection.closed().map(str::to_owned);
    let is_stopped = status == Status::StopIteration;
    assert_eq!(
        is_stopped,
        closed.is_some(),
        "it stops what is closed, and nothing else"
    );
    assert_eq!(
        connection.failure_reason(),
        closed.as_deref(),
        "1.37 has no details"
    );
    let mut counters = Vec::new();
    for (name, count) in listener.counted() {
        assert_eq!(count, 1, "{name}");
        counters.push(
            name.strip_prefix("original_dst.")
                .expect("the prefix")
                .to_owned(),
        );
    }
    Outcome {
        counters,
        restored: connection.restored(),
        closed,
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A connection that came to `at`.
fn over(socket: Socket, at: &str) -> Connection {
    Connection::over(socket, address(at))
}

fn redirected(to: &str) -> Socket {
    Socket::redirected(address(to))
}

#[cfg(not(windows))]
fn transparent(own: &str) -> Socket {
    Socket::transparent(address(own))
}

#[test]
fn answers_to_two_names() {
    for name in [NAME, TYPE_URL] {
        assert!(Listener::new(name, b"").is_some(), "{name}");
    }
    for name in ["", "original_dst", "envoy.filters.listener.original_ds"] {
        assert!(Listener::new(name, b"").is_none(), "{name}");
        let log = logged();
        assert_eq!(log.len(), 1);
        for known in [NAME, TYPE_URL] {
            assert!(log[0].1.contains(&format!("{known:?}")), "{log:?}");
        }
    }
}

#[test]
fn says_what_is_in_force() {
    listener(r#"{ "destinations": { "deny": ["loopback", "link-local"] } }"#);
    let line = "original_dst: version 0.1.0 loaded, 2 destination rules, unredirected connections \
                RESTORE, unrecovered connections CONTINUE";
    assert_eq!(log::take(), [(log::Level::Info, line.to_owned())]);
}

#[test]
fn refuses_wrong_options_and_says_why() {
    assert!(Listener::new(NAME, br#"{ "hand_off": 1 }"#).is_none());
    let line = "original_dst: filter_config: hand_off: 1: expected true or false";
    assert_eq!(logged(), [(log::Level::Error, line.to_owned())]);
}
