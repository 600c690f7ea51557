//! The life of one Envoy, from a kernel that does not track connections to REDIRECT and back. Its
//! listeners have Envoy's own filter, the module or none: the two have to agree on every connection,
//! and without either, nothing gets anywhere.

use std::env;
use std::net::SocketAddr;
use std::path::Path;

use lab::access_log::{Source, of};
use lab::address::{GATEWAY_V4, GATEWAY_V6, UPSTREAM_V4, UPSTREAM_V6};
use lab::client::tcp_ask;
use lab::module::{builtin_filter, module_filter};
use lab::{Envoy, Lab, Listener, Tunnel, Upstream, Version, bootstrap, with_internal_listeners};
use serde_json::{Value, json};

use crate::PORT;
use crate::tool::Tool;

const NAMES: [&str; 3] = ["Envoy's own filter", "the module", "no filter"];
/// The first ports that clients ask for: each filter has the next.
const ASKED: u16 = 8081;
/// The first ports of listeners for REDIRECT, for TPROXY, and of those with a tunnel.
const REDIRECTED: u16 = 15001;
const TRANSPARENT: u16 = 15011;
const TUNNELS: u16 = 15021;

#[test]
fn from_no_conntrack_to_redirect() {
    let is_fresh = env::var_os("FRESH_KERNEL").is_some();
    assert!(!is_fresh || !tracks(), "this kernel was to be a fresh one");
    let lab = Lab::new();
    let asked: Vec<u16> = (0..3).map(|kind| ASKED + kind).collect();
    let _upstream = Upstream::start(&lab.upstream, &[&[PORT], &asked[..]].concat());
    for version in Version::under_test() {
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(config())
            .start();
        let site = Site { lab: &lab, envoy };
        site.nothing_is_restored("before there are rules");
        site.tunnels();
        for &tool in Tool::all() {
            for kind in 0..3 {
                tool.tproxy(&lab.gateway, ASKED + kind, TRANSPARENT + kind);
            }
            site.restores(&format!("{version}, TPROXY by {tool:?}"), TRANSPARENT);
            tool.flush(&lab.gateway, &["mangle"]);
        }
        assert!(!is_fresh || !tracks(), "TPROXY needs no tracking");
        for &tool in Tool::all() {
            for kind in 0..3 {
                tool.redirect(&lab.gateway, ASKED + kind, REDIRECTED + kind);
            }
            site.restores(&format!("{version}, REDIRECT by {tool:?}"), REDIRECTED);
            tool.flush(&lab.gateway, &["mangle", "nat"]);
        }
        assert!(tracks(), "REDIRECT needs tracking");
        site.tunnels();
        assert!(site.envoy.stop().success(), "{version}");
    }
}

/// Whether connections are tracked in any namespace, or were.
fn tracks() -> bool {
    Path::new("/proc/sys/net/netfilter/nf_conntrack_max").exists()
}

/// A listener of each kind with each filter.
fn config() -> Value {
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    let filters = [Some(builtin_filter()), Some(module_filter(None)), None];
    for (kind, filter) in (0..).zip(&filters) {
        let bound = |port: u16| Listener::new(&format!("[::]:{}", port + kind)).ipv4_compat();
        let (inner, tunnel) = (format!("inner:{kind}"), format!("tunnel:{kind}"));
        let filtered = |listener| {
            filter
                .iter()
                .cloned()
                .fold(listener, Listener::filter)
                .tcp()
        };
        listeners.extend([
            filtered(bound(REDIRECTED)),
            filtered(bound(TRANSPARENT).transparent()),
            filtered(Listener::internal(&inner)),
            bound(TUNNELS).cluster(&tunnel).tcp(),
        ]);
        let destination = SocketAddr::new(UPSTREAM_V4, PORT).to_string();
        let metadata = Tunnel::new().host_metadata(json!({ "local": destination }));
        clusters.push(metadata.cluster(&tunnel, &inner));
    }
    with_internal_listeners(bootstrap(listeners, clusters))
}

struct Site<'a> {
    lab: &'a Lab,
    envoy: Envoy,
}

impl Site<'_> {
    /// Every connection that the rules redirect to these listeners gets to where it wants to, if there
    /// is a filter. TPROXY leaves its address as it is.
    fn restores(&self, stage: &str, listeners: u16) {
        for (ip, gateway) in [(UPSTREAM_V4, GATEWAY_V4), (UPSTREAM_V6, GATEWAY_V6)] {
            for (kind, name) in (0..).zip(NAMES) {
                let what = format!("{stage}, {name}, {ip}");
                let (to, listener) = (SocketAddr::new(ip, ASKED + kind), listeners + kind);
                let came = match listeners {
                    REDIRECTED => SocketAddr::new(gateway, listener),
                    _ => to,
                };
                match kind {
                    2 => self.is_closed(to, &what),
                    _ => self.is_restored(to, came, listener, &what),
                }
            }
        }
    }

    fn is_restored(&self, to: SocketAddr, came: SocketAddr, listener: u16, what: &str) {
        let before = self.envoy.access_log().len();
        let answer = tcp_ask(&self.lab.client, to);
        let answer = answer.unwrap_or_else(|failure| panic!("{what}: {failure}"));
        assert_eq!(answer.reached.local, to, "{what}");
        assert_ne!(
            answer.reached.peer, answer.local,
            "{what}: not through Envoy"
        );
        // The kernel may choose a port of the client's again.
        let (client, listener) = (answer.local.to_string(), format!("[::]:{listener}"));
        let of_client = |log: &[Value]| {
            let is_its = |entry: &&Value| {
                entry["downstream_remote_address"] == client && entry["listener"] == listener
            };
            of(&log[before..], Source::Tcp)
                .into_iter()
                .find(is_its)
                .cloned()
        };
        let log = self.envoy.wait_access_log(|log| of_client(log).is_some());
        let entry = of_client(&log).expect("waited for");
        for (field, address) in [
            ("downstream_local_address", to),
            ("downstream_direct_local_address", came),
            ("upstream_host", to),
        ] {
            assert_eq!(entry[field], address.to_string(), "{what}: {entry}");
        }
    }

    fn is_closed(&self, to: SocketAddr, what: &str) {
        let answer = tcp_ask(&self.lab.client, to);
        let is_closed = answer.as_ref().is_err_and(lab::Failure::is_closed);
        assert!(is_closed, "{what}: {answer:?}");
    }

    /// What connects to a listener itself has no destination, as long as nothing tracks it.
    fn nothing_is_restored(&self, stage: &str) {
        for (kind, name) in (0..).zip(NAMES) {
            for ip in [GATEWAY_V4, GATEWAY_V6] {
                let to = SocketAddr::new(ip, REDIRECTED + kind);
                self.is_closed(to, &format!("{stage}, {name}, {to}"));
            }
        }
    }

    /// A tunnel to an internal listener brings the destination.
    fn tunnels(&self) {
        for (kind, name) in (0..).zip(NAMES) {
            let asked = SocketAddr::new(GATEWAY_V4, TUNNELS + kind);
            let answer = tcp_ask(&self.lab.client, asked).map(|answer| answer.reached.local);
            match kind {
                2 => self.is_closed(asked, "a tunnel, no filter"),
                _ => assert_eq!(answer, Ok(SocketAddr::new(UPSTREAM_V4, PORT)), "{name}"),
            }
        }
    }
}
