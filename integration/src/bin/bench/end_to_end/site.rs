//! Where it is measured.

use std::net::SocketAddr;

use lab::address::UPSTREAM_V4;
use lab::{Builder, Envoy, Lab, Version};

use super::client::Kind;
use super::layout::Layout;
use super::origin;
use super::subject::Subject;
use crate::process::on_processors;

/// The first port of the origin that is asked for.
const FIRST: u16 = 20_000;
/// The first port of an Envoy's admin endpoint.
const ADMIN: u16 = 9901;
/// Ports of an Envoy: for TCP, and for HTTP.
const PORTS: u16 = 2;

/// The lab, with one redirection for all listeners: what the kernel does is the same for each.
pub struct Site {
    lab: Lab,
    version: Version,
}

impl Site {
    pub fn new(version: Version, layouts: &[Layout]) -> Self {
        let lab = Lab::new();
        let last = FIRST + PORTS * (Subject::ALL.len() * layouts.len()) as u16;
        // Without another port, REDIRECT keeps the one that was asked for.
        lab.gateway.iptables(&format!(
            "-t nat -A PREROUTING -i eth0 -p tcp --dport {FIRST}:{last} -j REDIRECT"
        ));
        for host in [&lab.client, &lab.gateway] {
            host.sysctl("net/ipv4/ip_local_port_range", "30000 65000");
            host.sysctl("net/ipv4/tcp_tw_reuse", "1");
        }
        // Entries of closed connections would fill the table.
        for state in ["close", "close_wait", "fin_wait", "last_ack", "time_wait"] {
            let timeout = format!("net/netfilter/nf_conntrack_tcp_timeout_{state}");
            lab.gateway.sysctl(&timeout, "2");
        }
        on_processors(&layouts[0].processors_of_load, || {
            origin::serve(&lab.upstream, FIRST..last);
        });
        Self { lab, version }
    }

    /// Starts a subject's Envoy; layouts are told apart by their index.
    pub fn start(&self, subject: Subject, layout: &Layout, index: usize) -> Envoy {
        let builder = self.envoy(subject, layout, index);
        on_processors(&layout.processors_of_envoy, || builder.start())
    }

    /// The Envoy, to be started.
    pub fn envoy(&self, subject: Subject, layout: &Layout, index: usize) -> Builder {
        let number = number(subject, index);
        let config = subject.config(FIRST + PORTS * number, ADMIN + number);
        Envoy::builder(&self.lab.gateway, self.version)
            .concurrency(layout.workers as u32)
            .log_level("warn")
            .module_log_level("info")
            .config(config)
    }

    /// Does what clients do, in their namespace.
    pub fn as_client<T: Send>(&self, layout: &Layout, work: impl FnOnce() -> T + Send) -> T {
        on_processors(&layout.processors_of_load, || self.lab.client.run(work))
    }
}

/// Where clients ask for it.
pub fn asked(subject: Subject, layout: usize, kind: Kind) -> SocketAddr {
    let offset = match kind {
        Kind::Tcp | Kind::Refused => 0,
        Kind::Http | Kind::KeepAlive => 1,
    };
    let port = FIRST + PORTS * number(subject, layout) + offset;
    SocketAddr::new(UPSTREAM_V4, port)
}

fn number(subject: Subject, layout: usize) -> u16 {
    (layout * Subject::ALL.len() + subject as usize) as u16
}
