//! How connections get to a scenario's listener.

use std::net::SocketAddr;

use lab::{ENVOY_GID, Lab, To};

use crate::site::Ports;

/// A network set-up, for the ports of one scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// REDIRECT of what comes from the client.
    Redirect,
    /// REDIRECT of what comes from the client to this port.
    RedirectPort(u16),
    /// REDIRECT of what local processes send.
    RedirectOutput,
    /// DNAT of what comes from the client, to this address.
    Dnat(&'static str),
    /// DNAT of what local processes send, to this address.
    OutputDnat(&'static str),
    /// TPROXY of what comes from the client.
    Tproxy,
    /// TPROXY to the listener bound to this address.
    TproxyOnIp(&'static str),
    /// No tracking of connections to the destination port.
    NotrackDestination,
    /// No tracking of connections to the listener's port.
    NotrackListener,
    /// Tracking in another zone than the default.
    OtherZone,
}

impl Rules {
    /// Sets the rules up.
    pub fn apply(self, lab: &Lab, ports: Ports) {
        let gateway = &lab.gateway;
        let Ports {
            destination,
            listener,
        } = ports;
        let to = To::Port(destination);
        let bound = |ip: &str| SocketAddr::new(ip.parse().expect("an IP address"), listener);
        match self {
            Self::Redirect => gateway.redirect(to, listener),
            Self::RedirectPort(port) => gateway.redirect(To::Port(port), listener),
            Self::RedirectOutput => gateway.redirect_output(to, listener),
            Self::Dnat(ip) => gateway.dnat(to, bound(ip)),
            Self::OutputDnat(ip) => gateway.iptables(&format!(
                "-t nat -A OUTPUT -p tcp --dport {destination} -m owner ! --gid-owner {ENVOY_GID} \
                 -j DNAT --to {}",
                bound(ip)
            )),
            Self::Tproxy => gateway.tproxy(to, listener),
            Self::TproxyOnIp(ip) => gateway.tproxy_on_ip(to, bound(ip)),
            Self::NotrackDestination => raw(lab, destination, destination, "--notrack"),
            Self::NotrackListener => raw(lab, listener, listener, "--notrack"),
            // Answers leave with the listener's port: they are translated back afterwards.
            Self::OtherZone => raw(lab, destination, listener, "--zone 7"),
        }
    }
}

/// Decides on the tracking of connections to a port, and of the answers.
fn raw(lab: &Lab, asked: u16, answering: u16, decision: &str) {
    for rule in [
        format!("-t raw -A PREROUTING -p tcp --dport {asked} -j CT {decision}"),
        format!("-t raw -A OUTPUT -p tcp --sport {answering} -j CT {decision}"),
    ] {
        lab.gateway.iptables(&rule);
        lab.gateway.ip6tables(&rule);
    }
}
