//! Clients that are gone before Envoy looks at them.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::client::reset;
use lab::module::module_filter;
use lab::{Client, Envoy, To, Version};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::site::{LISTENER, PORT, Site, counted, filters};

const CLIENTS: u64 = 500;

/// Clients that connect while Envoy does not run, and are gone when it does.
fn leave(site: &Site, envoy: &Envoy) {
    let signal = |signal| kill(Pid::from_raw(envoy.pid() as i32), signal).expect("our own child");
    signal(Signal::SIGSTOP);
    let to = SocketAddr::new(UPSTREAM_V4, PORT);
    for _ in 0..CLIENTS {
        let stream = Client::new(&site.lab.client).connect(to);
        reset(stream.expect("the kernel accepts it")).expect("a reset");
    }
    signal(Signal::SIGCONT);
}

#[test]
fn before_they_are_accepted() {
    let site = Site::new();
    site.gateway().redirect(To::OtherHosts, LISTENER);
    let refuse = json!({ "destinations": { "deny": ["10.2.0.0/16"] } });
    let refusing = ("the module, refusing", module_filter(Some(refuse)));
    for version in Version::under_test() {
        for (name, filter) in filters().into_iter().chain([refusing.clone()]) {
            let mut envoy = site.envoy(version, filter).start();
            leave(&site, &envoy);
            match name {
                "the module, refusing" => {
                    assert!(site.fails("refused").is_closed(), "{version}");
                }
                _ => site.works(name),
            }
            assert!(envoy.is_alive(), "{version}, {name}");
            let asked = match name {
                "the module" => CLIENTS + 2,
                "the module, refusing" => CLIENTS + 1,
                _ => 0,
            };
            assert_eq!(counted(&envoy), asked, "{version}, {name}");
            assert!(envoy.stop().success(), "{version}, {name}");
        }
    }
}
