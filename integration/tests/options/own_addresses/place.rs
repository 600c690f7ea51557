//! Where connections come in: a listener of its own for each column, client and family.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::config::{limited, original_dst_cluster};
use lab::{Listener, Netns, To};
use serde_json::{Value, json};

/// So many connections of a place's cluster end a loop.
pub const LIMIT: u64 = 10;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub way: Way,
    /// Whether the kernel tracks the connections.
    pub is_tracked: bool,
}

/// What brings a connection to the listener; the client always asks for a listener's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Direct,
    /// REDIRECT, which catches the listener's own port too.
    Redirect,
    /// DNAT, as before.
    Dnat,
    /// REDIRECT: the client asks for another listener, which has the same filter.
    CrossedRedirect,
    /// Nothing; the listener is transparent.
    Transparent,
    /// TPROXY, which catches the listener's own port too.
    Tproxy,
    /// TPROXY: the client asks for another listener, which has the same filter.
    CrossedTproxy,
}

/// Where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// On the gateway.
    Local,
    /// On another host.
    Remote,
}

/// What the listener is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    V4,
    V6,
    Both,
}

/// A listener, or two where the way is crossed.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub column: Column,
    pub client: Client,
    pub bound: Bound,
    /// The listener that connections come to. The other one's is the next.
    pub port: u16,
}

impl Column {
    pub fn parse(name: &str) -> Self {
        let (name, is_tracked) = match name.strip_suffix("/untracked") {
            Some(name) => (name, false),
            None => (name, true),
        };
        let way = match name {
            "direct" => Way::Direct,
            "redirect" => Way::Redirect,
            "dnat" => Way::Dnat,
            "redirect/crossed" => Way::CrossedRedirect,
            "transparent" => Way::Transparent,
            "tproxy" => Way::Tproxy,
            "tproxy/crossed" => Way::CrossedTproxy,
            _ => panic!("not a way: {name}"),
        };
        Self { way, is_tracked }
    }
}

impl Way {
    /// Whether a rule catches the connections.
    pub fn redirects(self) -> bool {
        !matches!(self, Self::Direct | Self::Transparent)
    }

    fn is_crossed(self) -> bool {
        matches!(self, Self::CrossedRedirect | Self::CrossedTproxy)
    }

    fn is_transparent(self) -> bool {
        matches!(self, Self::Transparent | Self::Tproxy | Self::CrossedTproxy)
    }
}

impl Bound {
    /// Whether connections to an address of this family can come.
    pub fn takes(self, is_ipv4: bool) -> bool {
        match self {
            Self::V4 => is_ipv4,
            Self::V6 => !is_ipv4,
            Self::Both => true,
        }
    }

    fn listener(self, port: u16) -> Listener {
        match self {
            Self::V4 => Listener::new(&format!("0.0.0.0:{port}")),
            Self::V6 => Listener::new(&format!("[::]:{port}")),
            Self::Both => Listener::new(&format!("[::]:{port}")).ipv4_compat(),
        }
    }
}

impl Place {
    /// The ports of its listeners.
    pub fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        self.port..=self.port + u16::from(self.column.way.is_crossed())
    }

    /// The port that clients ask for.
    pub fn asked(&self) -> u16 {
        self.port + u16::from(self.column.way.is_crossed())
    }

    /// Sets the rules that lead here.
    pub fn set_up(&self, host: &Netns) {
        let (asked, port) = (To::Port(self.asked()), self.port);
        if !self.column.is_tracked {
            self.ports().for_each(|port| host.notrack_port(port));
        }
        match (self.column.way, self.client) {
            (Way::Direct | Way::Transparent, _) => {}
            (Way::Redirect | Way::CrossedRedirect, Client::Local) => {
                host.redirect_output(asked, port);
            }
            (Way::Redirect | Way::CrossedRedirect, Client::Remote) => host.redirect(asked, port),
            (Way::Dnat, client) => {
                for ip in [GATEWAY_V4, GATEWAY_V6] {
                    let listener = SocketAddr::new(ip, port);
                    match client {
                        Client::Local => host.dnat_output(asked, listener),
                        Client::Remote => host.dnat(asked, listener),
                    }
                }
            }
            (Way::Tproxy | Way::CrossedTproxy, Client::Local) => host.tproxy_output(asked, port),
            (Way::Tproxy | Way::CrossedTproxy, Client::Remote) => host.tproxy(asked, port),
        }
    }

    /// Its listeners, on `host` or, if none is said, where Envoy runs.
    pub fn listeners(&self, filter: Value, host: Option<&Netns>) -> Vec<Value> {
        let listener = |port| {
            let listener = self.bound.listener(port);
            let listener = host.into_iter().fold(listener, Listener::within);
            listener
                .field("transparent", json!(self.column.way.is_transparent()))
                .filter(filter.clone())
                .cluster(&self.cluster_name())
                .tcp()
        };
        self.ports().map(listener).collect()
    }

    /// How the names of its listeners' stats begin.
    pub fn listener_stats(&self) -> impl Iterator<Item = String> + use<> {
        let host = match self.bound {
            Bound::V4 => "0.0.0.0",
            Bound::V6 | Bound::Both => "[__]",
        };
        self.ports()
            .map(move |port| format!("listener.{host}_{port}"))
    }

    /// Its cluster, in which only its own loops end.
    pub fn cluster(&self) -> Value {
        limited(original_dst_cluster(&self.cluster_name()), LIMIT)
    }

    fn cluster_name(&self) -> String {
        format!("original_dst_{}", self.port)
    }
}
