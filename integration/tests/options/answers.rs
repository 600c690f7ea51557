//! Connection tracking that sees the answers alone: it takes the first of them for the begin of a
//! connection, whose destination is the client.

use std::io::Write;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use lab::access_log::{Source, of};
use lab::address::*;
use lab::client::read_all;
use lab::module::{builtin_filter, module_filter};
use lab::{Client, Envoy, Lab, Listener, To, Upstream, Version, bootstrap, eventually};
use serde_json::{Value, json};

use crate::row::{filter_stats, moved};
use crate::{LISTENER, PORT, options, start};

/// Where a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Its destination is the client's own address, which Envoy connects to.
    Client,
    /// Where the client wanted to go.
    Destination,
    /// At the listener, as unredirected.
    Refused,
}

fn config(filter: &Value) -> Value {
    let listener = |(port, transparent)| {
        Listener::new(&format!("[::]:{port}"))
            .ipv4_compat()
            .field("transparent", json!(transparent))
            .filter(filter.clone())
            .tcp()
    };
    bootstrap([(LISTENER, true), (LISTENER + 1, false)].map(listener), [])
}

/// Connects, and lets Envoy look at the connection once an answer is tracked: what the kernel says of
/// the data that the client has sent.
fn ask(lab: &Lab, envoy: &Envoy, to: SocketAddr) -> (SocketAddr, String) {
    envoy.pause();
    let mut stream = Client::new(&lab.client)
        .connect(to)
        .expect("the kernel accepts it");
    stream.write_all(b"who is there?\n").expect("there is room");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let client = stream.local_addr().expect("it has an address");
    eventually("an answer is tracked", || is_tracked(lab, to, client));
    envoy.resume();
    (client, answer(&mut stream))
}

fn answer(stream: &mut TcpStream) -> String {
    read_all(stream).unwrap_or_default()
}

/// Whether there is an entry of a connection to the client.
fn is_tracked(lab: &Lab, from: SocketAddr, client: SocketAddr) -> bool {
    let family = if client.is_ipv4() { "ipv4" } else { "ipv6" };
    let (source, port) = (from.ip(), client.port());
    let list = format!(
        "conntrack -L -f {family} -p tcp --orig-src {source} --orig-port-dst {port} 2>/dev/null"
    );
    !lab.gateway.sh(&list).is_empty()
}

#[test]
fn that_are_tracked_alone() {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.track();
    lab.gateway.tproxy(To::Port(PORT), LISTENER);
    let notrack = "-t raw -A PREROUTING -p tcp -j CT --notrack";
    lab.gateway.ip46tables(notrack);
    let guard = "unredirected_connections: CLOSE, listener_ports: [15001, 15002]";
    let guarded = |methods| module_filter(Some(options(&format!("{{ {guard}{methods} }}"))));
    let filters = [
        // The end of what is redirected, and of a direct connection to each of the listeners.
        (builtin_filter(), [End::Client; 3]),
        (module_filter(None), [End::Client; 3]),
        (guarded(""), [End::Destination, End::Refused, End::Refused]),
        (
            guarded(", recovery_methods: [TRANSPARENT, SO_ORIGINAL_DST]"),
            [End::Destination, End::Refused, End::Refused],
        ),
        // There is no other method to ask.
        (
            guarded(", recovery_methods: [SO_ORIGINAL_DST]"),
            [End::Refused; 3],
        ),
    ];
    let redirected: [IpAddr; 2] = [UPSTREAM_V4, UPSTREAM_V6];
    let own = [GATEWAY_V4, GATEWAY_V6];
    for version in Version::under_test() {
        for (filter, ends) in &filters {
            let envoy = start(&lab, version, config(filter));
            for family in [0, 1] {
                let asked = [
                    SocketAddr::new(redirected[family], PORT),
                    SocketAddr::new(own[family], LISTENER),
                    SocketAddr::new(own[family], LISTENER + 1),
                ];
                for (to, end) in asked.into_iter().zip(*ends) {
                    let before = filter_stats(&envoy);
                    let (client, answer) = ask(&lab, &envoy, to);
                    let row = format!("{to}, {filter}, {end:?} in {version}: {answer:?}");
                    let is_answered = answer.contains(&format!("\"local\":\"{to}\""));
                    assert_eq!(is_answered, end == End::Destination, "{row}");
                    if end == End::Client {
                        restored(&envoy, client, client, &row);
                    }
                    if end == End::Refused {
                        let moved = moved(&before, &filter_stats(&envoy));
                        assert_eq!(moved, ["unredirected"], "{row}");
                    }
                }
            }
        }
    }
}

/// Waits for the entry of a connection whose destination is said to be this one.
fn restored(envoy: &Envoy, client: SocketAddr, to: SocketAddr, row: &str) {
    let (client, to) = (client.to_string(), to.to_string());
    let log = envoy.wait_access_log(|log| entry(log, &client).is_some());
    let entry = entry(&log, &client).expect("waited for");
    assert_eq!(entry["downstream_local_address"], to, "{row}");
}

fn entry<'a>(log: &'a [Value], client: &str) -> Option<&'a Value> {
    let entries = of(log, Source::Listener);
    entries
        .into_iter()
        .find(|entry| entry["downstream_remote_address"] == client)
}
