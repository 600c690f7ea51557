//! How a connection comes to its listener.

use std::net::{IpAddr, SocketAddr};

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::module::module_filter;
use lab::{Lab, Listener, SetFilterState, To, Tunnel, bootstrap, with_internal_listeners};
use serde_json::{Value, json};

/// What sends the connection to the listener. The listener takes IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// REDIRECT.
    Redirect,
    /// REDIRECT to a transparent listener.
    RedirectToTransparent,
    /// TPROXY, of tracked connections.
    Tproxy,
    /// TPROXY, of connections that are not tracked.
    TproxyUntracked,
    /// Nothing does, but the kernel tracks connections.
    Direct,
    /// Nothing does, and the kernel does not track connections.
    DirectUntracked,
    /// Nothing does, and no rule is there for which the kernel would track connections.
    DirectWithoutRules,
    /// A tunnel to an internal listener, with the destination, unless it is empty, as metadata.
    Metadata,
    /// As before, with the destination as filter state.
    FilterState,
}

impl Way {
    /// Sets the rules that lead to the listener on this port.
    pub fn set_up(self, lab: &Lab, port: u16) {
        let host = &lab.gateway;
        host.flush();
        match self {
            Self::Redirect | Self::RedirectToTransparent => host.redirect(To::Any, port),
            Self::Tproxy => {
                host.track();
                host.tproxy(To::Any, port);
            }
            Self::TproxyUntracked => {
                host.notrack();
                host.tproxy(To::Any, port);
            }
            Self::Direct => host.track(),
            Self::DirectUntracked => host.notrack(),
            Self::DirectWithoutRules | Self::Metadata | Self::FilterState => {}
        }
    }

    pub fn is_internal(self) -> bool {
        matches!(self, Self::Metadata | Self::FilterState)
    }

    fn is_transparent(self) -> bool {
        matches!(
            self,
            Self::RedirectToTransparent | Self::Tproxy | Self::TproxyUntracked
        )
    }

    /// The address that the client connects to.
    pub fn asked(self, to: &str, port: u16) -> SocketAddr {
        if self.is_internal() {
            return SocketAddr::new(GATEWAY_V4, port);
        }
        to.parse().unwrap_or_else(|error| panic!("{to}: {error}"))
    }

    /// The address that an accepted kernel socket has.
    pub fn arrived_at(self, asked: SocketAddr, port: u16) -> SocketAddr {
        match self {
            Self::Redirect | Self::RedirectToTransparent => {
                SocketAddr::new(gateway(asked.ip()), port)
            }
            _ => asked,
        }
    }

    /// The name of the listener with the filter.
    pub fn listener(self, port: u16) -> String {
        let host = if self.is_internal() { "inner" } else { "[::]" };
        format!("{host}:{port}")
    }

    /// The listener with the filter, and the one in front of it that the tunnel starts at.
    fn listeners(self, filter: Value, to: &str, port: u16) -> Vec<Value> {
        let name = self.listener(port);
        let front = Listener::new(&format!("[::]:{port}")).ipv4_compat();
        if !self.is_internal() {
            let listener = front.field("transparent", json!(self.is_transparent()));
            return vec![listener.filter(filter).tcp()];
        }
        let inner = Listener::internal(&name).filter(filter).tcp();
        let outer = front.cluster(&name).tcp();
        let key = "envoy.filters.listener.original_dst.local_ip";
        match self {
            Self::FilterState => {
                let state = SetFilterState::default().set(key, "envoy.string", to);
                vec![inner, state.in_front(outer)]
            }
            _ => vec![inner, outer],
        }
    }

    /// The tunnel to an internal listener. It has the listener's name.
    fn tunnel(self, to: &str, port: u16) -> Option<Value> {
        let name = self.listener(port);
        let tunnel = match self {
            Self::Metadata if !to.is_empty() => Tunnel::new().host_metadata(json!({ "local": to })),
            _ => Tunnel::new(),
        };
        self.is_internal().then(|| tunnel.cluster(&name, &name))
    }
}

/// The gateway's address of the same family.
fn gateway(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { GATEWAY_V4 } else { GATEWAY_V6 }
}

/// A text with the listener's port in the place of `LISTENER`.
pub fn with_port(text: &str, port: u16) -> String {
    text.replace("LISTENER", &port.to_string())
}

/// The module with these options, in YAML; `LISTENER` is the listener's port.
pub fn module(options: &str, port: u16) -> Value {
    module_filter(Some(crate::options(&with_port(options, port))))
}

/// A config of all these: filter, way, what a tunnel brings as the destination, and port.
pub fn config<'a>(rows: impl IntoIterator<Item = (Value, Way, &'a str, u16)>) -> Value {
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    for (filter, way, to, port) in rows {
        listeners.extend(way.listeners(filter, to, port));
        clusters.extend(way.tunnel(to, port));
    }
    with_internal_listeners(bootstrap(listeners, clusters))
}
