//! `own_mark`: rules without an exemption for Envoy, which redirect its own connections to it once
//! more. Marked, those are closed; with Envoy's own filter, each makes the next.

use std::net::SocketAddr;

use lab::address::*;
use lab::client::tcp_ask;
use lab::config::{limited, original_dst_cluster};
use lab::kernel::Feature;
use lab::module::{builtin_filter, module_filter};
use lab::{Envoy, Failure, Lab, Listener, Netns, Upstream, Version, access_log, bootstrap};
use serde_json::{Value, json};

use crate::row::{filter_stats, moved};
use crate::{LISTENER, PORT, options, start};

/// So many connections of the cluster end a loop.
pub const LIMIT: u64 = 20;
/// The mark of Envoy's own connections.
pub const OWN: u32 = 0x2;

/// What redirects what local processes ask for, Envoy among them.
#[derive(Clone, Copy, Debug)]
enum Rules {
    Redirect,
    /// TPROXY, whose mark comes beside Envoy's.
    Tproxy,
}

impl Rules {
    /// The connections of the client's come in by `eth0`, where the same happens to them.
    fn set_up(self, host: &Netns) {
        host.flush();
        let asked = format!("-p tcp --dport {PORT}");
        match self {
            Self::Redirect => {
                for chain in ["PREROUTING -i eth0", "OUTPUT"] {
                    host.ip46tables(&format!(
                        "-t nat -A {chain} {asked} -j REDIRECT --to-ports {LISTENER}"
                    ));
                }
            }
            Self::Tproxy => {
                // A mark that brings what leaves to `lo` may not be on what is accepted from other
                // hosts: the answers would carry it as well, and never leave.
                let tproxy = format!("TPROXY --on-port {LISTENER} --tproxy-mark 0x1/0x1");
                for rule in [
                    format!("OUTPUT {asked} -j MARK --set-mark 0x4/0x4"),
                    format!("PREROUTING -i lo {asked} -m mark --mark 0x4/0x4 -j {tproxy}"),
                    format!("PREROUTING -i eth0 {asked} -j {tproxy}"),
                ] {
                    host.ip46tables(&format!("-t mangle -A {rule}"));
                }
                host.deliver_marked("0x4/0x4", "lo");
                host.deliver_marked("0x1/0x1", "eth0");
            }
        }
    }

    fn config(self, filter: Value) -> Value {
        let listener = Listener::new(&format!("[::]:{LISTENER}"))
            .ipv4_compat()
            .field("transparent", json!(matches!(self, Self::Tproxy)))
            .filter(filter)
            .cluster("marked");
        bootstrap([listener.tcp()], [marked(original_dst_cluster("marked"))])
    }
}

/// The cluster, whose connections carry Envoy's mark.
pub fn marked(cluster: Value) -> Value {
    limited(lab::config::marked(cluster, OWN), LIMIT)
}

/// Asks through Envoy from both hosts, IPv4 and IPv6, and gives `check` each failure.
fn ask(lab: &Lab, rules: Rules, mut check: impl FnMut(&str)) {
    for host in [&lab.client, &lab.gateway] {
        for ip in [UPSTREAM_V4, UPSTREAM_V6] {
            let answer = tcp_ask(host, SocketAddr::new(ip, PORT));
            let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
            let what = format!("{rules:?}, {ip} from {}", host.name());
            assert!(is_closed, "{what}: {answer:?}");
            check(&what);
        }
    }
}

fn connections(envoy: &Envoy) -> u64 {
    let name = format!("listener.[__]_{LISTENER}.downstream_cx_total");
    envoy.idle_stats()[&name]
}

#[test]
fn own_connections_that_come_back() {
    if Feature::FwmarkAccept.is_missing_for("own_mark::own_connections_that_come_back") {
        return;
    }
    let lab = Lab::new();
    let upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    for version in Version::under_test() {
        for (rules, mark, with) in [
            (Rules::Redirect, "0x2", ""),
            (Rules::Redirect, "2", "unredirected_connections: CLOSE"),
            (Rules::Redirect, "0x2/0xf", "hand_off: false"),
            (Rules::Tproxy, "0x2/0x2", ""),
            (Rules::Tproxy, "0x7", ""),
            // It is marked by both.
            (Rules::Tproxy, "0x2/0x2", "redirect_mark: 0x1/0x1"),
        ] {
            rules.set_up(&lab.gateway);
            let envoy = start(&lab, version, rules.config(builtin_filter()));
            let mut before = connections(&envoy);
            ask(&lab, rules, |what| {
                let after = connections(&envoy);
                assert_eq!(after - before, 1 + LIMIT, "{what} in {version}");
                before = after;
            });
            drop(envoy);

            let yaml = format!("{{ own_mark: '{mark}', {with} }}");
            let guarded = module_filter(Some(options(&yaml)));
            let envoy = start(&lab, version, rules.config(guarded));
            let restored = match rules {
                Rules::Redirect => "restored_redirect",
                Rules::Tproxy => "restored_transparent",
            };
            let mut before = (filter_stats(&envoy), 0);
            ask(&lab, rules, |what| {
                let what = format!("{yaml}, {what} in {version}");
                let came = connections(&envoy);
                let after = (filter_stats(&envoy), came);
                assert_eq!(moved(&before.0, &after.0), ["looped", restored], "{what}");
                assert_eq!(after.1 - before.1, 1, "{what}");
                before = after;
            });
            envoy.wait_access_log(|log| {
                let closed = access_log::of(log, access_log::Source::Listener);
                let reason = |entry: &&&Value| {
                    entry["downstream_transport_failure_reason"] == "original_dst_looped"
                };
                closed.iter().filter(reason).count() == 4
            });
        }
    }
    assert_eq!(upstream.connections(), 0);
}
