//! `redirect_mark`: what carries the mark of the redirecting rule passes, all else is refused, and
//! no port is listed. What dials the other own addresses without the mark, see there.

use std::net::SocketAddr;

use lab::address::*;
use lab::client::tcp_ask;
use lab::config::static_cluster;
use lab::kernel::Feature;
use lab::module::module_filter;
use lab::{ENVOY_GID, Envoy, Failure, Lab, Listener, Netns, Upstream, Version, bootstrap};
use serde_json::{Value, json};

use crate::row::{filter_stats, moved};
use crate::{LISTENER, PORT, options, start};

/// The option, the mark that the rule sets, and whether it is the one.
const MARKS: [(&str, &str, bool); 7] = [
    ("0x1", "0x1", true),
    ("257", "0x101", true),
    ("0x1/0xff", "0x101", true),
    ("0x80000000/0x80000000", "0xffffffff", true),
    ("0x1", "0x101", false),
    ("0x1/0xff", "0x2", false),
    ("257/0x1ff", "0x1", false),
];

const ANY_V4: &str = "192.0.2.0/24";
const ANY_V6: &str = "2001:db8:77::/64";

/// What marks a connection and brings it to the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// MARK in the mangle table, REDIRECT in the nat table.
    Redirect,
    /// Both in the nat table, which sees the first packet only.
    RedirectInNat,
    /// The connection has the mark, and gives it to each of its packets.
    RedirectByConnection,
    /// As the first, for local processes.
    RedirectOutput,
    /// TPROXY with a mark.
    Tproxy,
    /// The same, of connections that are not tracked.
    TproxyUntracked,
    /// The destinations are this host's own by a route, and a rule marks what comes for them.
    AnyIp,
}

impl Rules {
    const ALL: [Self; 7] = [
        Self::Redirect,
        Self::RedirectInNat,
        Self::RedirectByConnection,
        Self::RedirectOutput,
        Self::Tproxy,
        Self::TproxyUntracked,
        Self::AnyIp,
    ];

    fn set_up(self, host: &Netns, listener: u16, mark: &str) {
        host.flush();
        let asked = format!("-i eth0 -p tcp --dport {PORT}");
        let tables = |rules: &[String]| rules.iter().for_each(|rule| host.ip46tables(rule));
        let redirect = format!("REDIRECT --to-ports {listener}");
        match self {
            Self::Redirect => tables(&[
                format!("-t mangle -A PREROUTING {asked} -j MARK --set-mark {mark}"),
                format!("-t nat -A PREROUTING {asked} -j {redirect}"),
            ]),
            Self::RedirectInNat => tables(&[
                format!("-t nat -A PREROUTING {asked} -j MARK --set-mark {mark}"),
                format!("-t nat -A PREROUTING {asked} -j {redirect}"),
            ]),
            Self::RedirectByConnection => tables(&[
                format!("-t mangle -A PREROUTING {asked} -j CONNMARK --set-mark {mark}"),
                "-t mangle -A PREROUTING -i eth0 -p tcp -j CONNMARK --restore-mark".to_owned(),
                format!("-t nat -A PREROUTING {asked} -j {redirect}"),
            ]),
            Self::RedirectOutput => {
                let asked = format!("-p tcp --dport {PORT} -m owner ! --gid-owner {ENVOY_GID}");
                tables(&[
                    format!("-t mangle -A OUTPUT {asked} -j MARK --set-mark {mark}"),
                    format!("-t nat -A OUTPUT {asked} -j {redirect}"),
                ]);
            }
            Self::Tproxy | Self::TproxyUntracked => {
                match self {
                    Self::Tproxy => host.track(),
                    _ => host.notrack(),
                }
                let tproxy = format!("TPROXY --on-port {listener} --tproxy-mark {mark}");
                tables(&[format!("-t mangle -A PREROUTING {asked} -j {tproxy}")]);
                host.deliver_marked(mark, "eth0");
            }
            Self::AnyIp => {
                let mark = format!("-p tcp -j MARK --set-mark {mark}");
                host.iptables(&format!("-t mangle -A PREROUTING -d {ANY_V4} {mark}"));
                host.ip6tables(&format!("-t mangle -A PREROUTING -d {ANY_V6} {mark}"));
            }
        }
    }

    /// Where the client asks from, what for, and who answers.
    fn asks(self, lab: &Lab, listener: u16) -> (&Netns, [SocketAddr; 2], [SocketAddr; 2]) {
        let upstream = [UPSTREAM_V4, UPSTREAM_V6].map(|ip| SocketAddr::new(ip, PORT));
        match self {
            Self::RedirectOutput => (&lab.gateway, upstream, upstream),
            Self::AnyIp => {
                let asked = ["192.0.2.7", "2001:db8:77::7"]
                    .map(|ip| SocketAddr::new(ip.parse().expect("an address"), listener));
                (&lab.client, asked, [upstream[0]; 2])
            }
            _ => (&lab.client, upstream, upstream),
        }
    }

    fn is_transparent(self) -> bool {
        matches!(self, Self::Tproxy | Self::TproxyUntracked | Self::AnyIp)
    }

    fn listener(self, filter: Value, port: u16) -> Value {
        let listener = Listener::new(&format!("[::]:{port}"))
            .ipv4_compat()
            .field("transparent", json!(self.is_transparent()))
            .filter(filter);
        match self {
            // The restored address is Envoy's own host.
            Self::AnyIp => listener.cluster("upstream").tcp(),
            _ => listener.tcp(),
        }
    }

    fn counter(self) -> &'static str {
        match self.is_transparent() {
            true => "restored_transparent",
            false => "restored_redirect",
        }
    }
}

#[test]
fn marked_connections_pass() {
    if Feature::FwmarkAccept.is_missing_for("redirect_mark::marked_connections_pass") {
        return;
    }
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    for net in [ANY_V4, ANY_V6] {
        lab.gateway.ip(&format!("route add local {net} dev lo"));
    }
    let rows = Rules::ALL
        .into_iter()
        .flat_map(|rules| MARKS.map(|marks| (rules, marks)));
    let rows: Vec<_> = rows.zip(LISTENER..).collect();
    let listeners = rows.iter().map(|&((rules, (option, ..)), port)| {
        let guard = format!("{{ unredirected_connections: CLOSE, redirect_mark: '{option}' }}");
        rules.listener(module_filter(Some(options(&guard))), port)
    });
    let upstream = static_cluster("upstream", SocketAddr::new(UPSTREAM_V4, PORT));
    let config = bootstrap(listeners, [upstream]);
    for version in Version::under_test() {
        let envoy = start(&lab, version, config.clone());
        for &((rules, marks @ (_, mark, passes)), port) in &rows {
            rules.set_up(&lab.gateway, port, mark);
            let (client, asked, answered) = rules.asks(&lab, port);
            for (to, from) in asked.into_iter().zip(answered) {
                let row = format!("{rules:?}, {marks:?}, {to} in {version}");
                match passes {
                    true => is_restored(&envoy, client, to, from, rules.counter(), &row),
                    false => is_refused(&envoy, client, to, &row),
                }
            }
            // Nothing marks what asks for the listener itself.
            for ip in [GATEWAY_V4, GATEWAY_V6] {
                for client in [&lab.client, &lab.gateway] {
                    let row = format!("{rules:?}, {marks:?}, direct, {ip} in {version}");
                    is_refused(&envoy, client, SocketAddr::new(ip, port), &row);
                }
            }
        }
    }
}

fn is_restored(
    envoy: &Envoy,
    client: &Netns,
    to: SocketAddr,
    from: SocketAddr,
    counter: &str,
    row: &str,
) {
    let before = filter_stats(envoy);
    let answer = tcp_ask(client, to).unwrap_or_else(|failure| panic!("{row}: {failure}"));
    assert_eq!(answer.reached.local, from, "{row}");
    assert_ne!(
        answer.reached.peer, answer.local,
        "{row}: not through Envoy"
    );
    assert_eq!(moved(&before, &filter_stats(envoy)), [counter], "{row}");
}

fn is_refused(envoy: &Envoy, client: &Netns, to: SocketAddr, row: &str) {
    let before = filter_stats(envoy);
    let answer = tcp_ask(client, to);
    let is_closed = answer.as_ref().is_err_and(Failure::is_closed);
    assert!(is_closed, "{row}: {answer:?}");
    assert_eq!(
        moved(&before, &filter_stats(envoy)),
        ["unredirected"],
        "{row}"
    );
}

/// Without this setting no accepted socket carries a mark: all would be refused.
#[test]
fn without_the_setting_a_mark_is_refused() {
    if Feature::FwmarkAccept.is_missing_for("redirect_mark::without_the_setting_a_mark_is_refused")
    {
        return;
    }
    let lab = Lab::new();
    lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "0");
    for version in Version::under_test() {
        for option in ["redirect_mark", "own_mark"] {
            let filter = module_filter(Some(options(&format!("{option}: '0x1'"))));
            let config = bootstrap([Listener::new("0.0.0.0:15001").filter(filter).tcp()], []);
            let started = Envoy::builder(&lab.gateway, version)
                .config(config)
                .try_start();
            let log = started.expect_err("no mark can be seen");
            let named = log.contains("filter_config: ") && log.contains("tcp_fwmark_accept");
            assert!(named, "{option} in {version}: {log}");
        }
    }
}
