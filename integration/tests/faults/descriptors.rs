//! Envoy has no file descriptor left.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::module::{builtin_filter, module_filter};
use lab::{Client, Envoy, Lab, Listener, To, Version, bootstrap, eventually};
use serde_json::{Value, json};

const PORT: u16 = 8080;
const LISTENER: u16 = 15001;
/// What the gateway redirects.
const REDIRECTED: SocketAddr = SocketAddr::new(UPSTREAM_V4, PORT);
/// How many files Envoy may have open.
const FILES: usize = 200;
/// More connections than that.
const CLIENTS: usize = 300;
/// Longer than Envoy takes to close a file that it is done with.
const MOMENT: Duration = Duration::from_millis(200);

/// A transparent listener that answers by itself: nothing but the filter needs another descriptor.
fn listener(filter: Value) -> Value {
    let answer = json!({
        "name": "envoy.filters.network.echo",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo",
        },
    });
    Listener::new(&format!("0.0.0.0:{LISTENER}"))
        .transparent()
        .filter(filter)
        .chain(&[answer])
}

fn start(lab: &Lab, version: Version, filter: Value) -> Envoy {
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap([listener(filter)], []))
        .under(&["prlimit", &format!("--nofile={FILES}:{FILES}")])
        .start()
}

/// A connection that the listener has accepted, and answers on.
fn echo(lab: &Lab, to: SocketAddr) -> Option<TcpStream> {
    let mut stream = Client::new(&lab.client).connect(to).ok()?;
    let mut word = [0; 2];
    let patience = Some(Duration::from_secs(1));
    stream.set_read_timeout(patience).expect("an open socket");
    stream.write_all(b"hi").ok()?;
    stream.read_exact(&mut word).ok()?;
    (word == *b"hi").then_some(stream)
}

/// How many of the files that Envoy may have are open. One that it inherited may have a number beyond
/// them.
fn open_files(envoy: &Envoy) -> usize {
    let files = envoy.open_files();
    files.iter().filter(|number| **number < FILES).count()
}

#[test]
fn run_out_and_come_back() {
    let lab = Lab::new();
    lab.gateway.tproxy(To::Port(PORT), LISTENER);
    let guarded = json!({
        "unredirected_connections": "CLOSE",
        // The port that clients ask for: every connection is looked at.
        "listener_ports": [LISTENER, PORT],
    });
    for version in Version::under_test() {
        for filter in [module_filter(Some(guarded.clone())), builtin_filter()] {
            let mut envoy = start(&lab, version, filter);
            assert!(echo(&lab, REDIRECTED).is_some(), "{version}: before");
            let clients = lab.client.run(|| {
                (0..CLIENTS)
                    .map(|_| Client::new(&lab.client).connect(REDIRECTED))
                    .collect::<Vec<_>>()
            });
            assert!(
                echo(&lab, REDIRECTED).is_none(),
                "{version}: there are descriptors left"
            );
            assert!(envoy.is_alive(), "{version}: {}", envoy.log());
            drop(clients);
            eventually("it works again", || echo(&lab, REDIRECTED).is_some());
            assert!(envoy.stop().success(), "{version}");
        }
    }
}

/// To tell whether an address is its own, the filter needs a socket. Where there is none left, a
/// connection to the listener itself is closed all the same.
#[test]
fn for_the_loop_guard() {
    let lab = Lab::new();
    lab.gateway.tproxy(To::Port(PORT), LISTENER);
    let guarded = json!({ "unredirected_connections": "CLOSE", "listener_ports": [LISTENER] });
    let direct = SocketAddr::new(GATEWAY_V4, LISTENER);
    for version in Version::under_test() {
        let envoy = start(&lab, version, module_filter(Some(guarded.clone())));
        let mut clients = Vec::new();
        // The accepted socket is to be the last file. Some are open for a moment only.
        let is_full = || open_files(&envoy) == FILES - 1;
        while !(is_full() && {
            thread::sleep(MOMENT);
            is_full()
        }) {
            clients.push(echo(&lab, REDIRECTED).expect("an answer"));
        }
        assert!(echo(&lab, direct).is_none(), "{version}: not guarded");
        let restored = clients.len() as u64;
        drop(clients);
        eventually("there are files again", || open_files(&envoy) < FILES / 2);
        let count = |stat| envoy.stat_sum(&format!(".original_dst.{stat}"));
        assert_eq!(count("unredirected"), Some(1), "{version}");
        assert_eq!(count("restored_transparent"), Some(restored), "{version}");
        assert!(envoy.stop().success(), "{version}");
    }
}
