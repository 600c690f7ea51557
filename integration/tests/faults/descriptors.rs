//! Envoy has no file descriptor left.

use std::net::SocketAddr;
use std::time::Duration;

use lab::address::UPSTREAM_V4;
use lab::module::{builtin_filter, module_filter};
use lab::{Client, Envoy, Lab, Listener, To, Version, bootstrap, eventually};
use serde_json::{Value, json};

const PORT: u16 = 8080;
const LISTENER: u16 = 15001;
/// More connections than Envoy may have files.
const CLIENTS: usize = 300;

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

/// Whether the listener has accepted a connection, and answers on it.
fn echoes(lab: &Lab) -> bool {
    use std::io::{Read, Write};
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    let Ok(mut stream) = Client::new(&lab.client).connect(to) else {
        return false;
    };
    let mut word = [0; 2];
    let patience = Some(Duration::from_secs(1));
    stream.set_read_timeout(patience).expect("an open socket");
    stream.write_all(b"hi").is_ok() && stream.read_exact(&mut word).is_ok() && word == *b"hi"
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
            let mut envoy = Envoy::builder(&lab.gateway, version)
                .config(bootstrap([listener(filter)], []))
                .under(&["prlimit", "--nofile=200:200"])
                .start();
            assert!(echoes(&lab), "{version}: before");
            let to = SocketAddr::new(UPSTREAM_V4, PORT);
            let clients = lab.client.run(|| {
                (0..CLIENTS)
                    .map(|_| Client::new(&lab.client).connect(to))
                    .collect::<Vec<_>>()
            });
            assert!(!echoes(&lab), "{version}: there are descriptors left");
            assert!(envoy.is_alive(), "{version}: {}", envoy.log());
            drop(clients);
            eventually("it works again", || echoes(&lab));
            assert!(envoy.stop().success(), "{version}");
        }
    }
}
