//! Envoy drains, and ends.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use lab::address::UPSTREAM_V4;
use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Client, Envoy, Lab, Listener, Load, To, Upstream, Version, bootstrap, eventually};

const LISTENER: u16 = 15001;
const PORT: u16 = 8080;

/// By `/drain_listeners`, open connections go on and new ones are refused; by SIGTERM, all end.
#[test]
fn drains_and_ends_in_order() {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        for filter in [module_filter(None), builtin_filter()] {
            let listener = Listener::new(&format!("0.0.0.0:{LISTENER}")).filter(filter);
            let envoy = Envoy::builder(&lab.gateway, version)
                .config(bootstrap([listener.tcp()], []))
                .concurrency(2)
                .start();
            let load = Load::start(&lab.client, 4, &[to]);
            let mut open = Client::new(&lab.client).connect(to).expect("a connection");
            eventually("the open connection", || {
                envoy.stat("tcp.tcp.downstream_cx_total").unwrap_or(0) > 0
            });
            thread::sleep(Duration::from_millis(200));
            envoy.admin_post("/drain_listeners");
            eventually("refusals", || tcp_ask(&lab.client, to).is_err());
            let tally = load.stop();
            assert!(tally.answered > 0 && tally.wrong.is_empty(), "{tally:?}");
            open.write_all(b"who is there?\n").expect("still open");
            let mut answer = [0; 10];
            open.read_exact(&mut answer).expect("an answer");
            assert!(answer.starts_with(b"{\"local\":"), "{version}");
            let log = envoy.log();
            assert!(!log.contains("[critical]"), "{version}: {log}");
            assert!(envoy.stop().success(), "{version}");
        }
    }
}

#[test]
fn ends_under_load() {
    let lab = Lab::new();
    lab.gateway.redirect(To::Port(PORT), LISTENER);
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    for version in Version::under_test() {
        let listener = Listener::new(&format!("0.0.0.0:{LISTENER}")).filter(module_filter(None));
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(bootstrap([listener.tcp()], []))
            .concurrency(2)
            .start();
        let load = Load::start(&lab.client, 8, &[to]);
        eventually("some connections", || {
            envoy
                .stat_sum(".original_dst.restored_redirect")
                .unwrap_or(0)
                > 100
        });
        assert!(envoy.stop().success(), "{version}");
        let tally = load.stop();
        assert!(tally.answered >= 100, "{version}: {tally:?}");
        assert!(tally.wrong.is_empty(), "{version}: {tally:?}");
    }
}
