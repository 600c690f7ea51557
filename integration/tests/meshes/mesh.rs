//! What a mesh makes of a pod: rules, and an Envoy with two listeners.

use std::net::{IpAddr, SocketAddr};

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::config::{limited, marked, original_dst_cluster, static_cluster};
use lab::module::{builtin_filter, module_filter};
use lab::{Builder, Envoy, Lab, Listener, Version, bootstrap};
use serde_json::{Value, json};

use crate::call::{PORT, SERVICE_V4, SERVICE_V6};
use crate::page;
use crate::rows::Row;

/// So many connections of a cluster end a loop.
pub const LIMIT: u64 = 20;

/// Rules, and the Envoy that they lead to.
pub struct Mesh {
    pub name: &'static str,
    /// A shell script, the name of a file in `rules/`.
    pub rules: &'static str,
    pub inbound: Redirected,
    pub outbound: Redirected,
    /// Envoy's user, if it is the user that the rules exempt.
    pub user: Option<u32>,
    /// The mark of Envoy's connections, if it is the mark that the rules exempt.
    pub mark: Option<u32>,
}

/// A listener that connections are redirected to. A mesh with a single one has it twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redirected {
    pub port: u16,
    pub hosts: &'static [&'static str],
    pub is_transparent: bool,
    /// The listeners that it hands connections to, none of them bound.
    pub hands_to: &'static [Unbound],
    pub leads_to: LeadsTo,
}

/// A listener that stands for an address at [`PORT`], and what it leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unbound {
    pub ip: IpAddr,
    pub cluster: &'static str,
}

/// Where a listener's connections go on to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LeadsTo {
    /// Their destination.
    Destination,
    /// Their destination; for the service that is its endpoint, the pod.
    Endpoint,
    /// Their destination, from 127.0.0.6 or ::6.
    Application,
    /// The application, if they ask for its port.
    Port,
    /// The application, whatever they ask for.
    Anything,
}

/// What keeps Envoy from connecting to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The ports of the listeners.
    Ports,
    /// The port of the listener for what goes out; Envoy's own filter serves what comes in.
    OutboundPort,
    /// The mark of Envoy's own connections.
    OwnMark,
    /// The ports of the listeners, and the service as a denied destination.
    Denied,
}

impl Mesh {
    /// Envoy in the pod, to be started; with its own filter if there is no guard.
    pub fn envoy(&self, lab: &Lab, version: Version, guard: Option<&Row>) -> Builder {
        let listeners = self.redirected().into_iter().flat_map(|redirected| {
            let filter = self.filter(redirected, guard);
            redirected.listeners(filter.as_ref())
        });
        let [v4, v6] = SERVICE_ENDPOINTS;
        let clusters = [
            limited(original_dst_cluster("destination"), LIMIT),
            from_6(limited(original_dst_cluster("application"), LIMIT)),
            static_cluster("loopback", SocketAddr::from(([127, 0, 0, 1], PORT))),
            static_cluster("service_ipv4", v4),
            static_cluster("service_ipv6", v6),
        ];
        let config = bootstrap(listeners, clusters.map(|cluster| self.marked(cluster)));
        let builder = Envoy::builder(&lab.gateway, version).config(config);
        match self.user {
            Some(user) => builder.user(user),
            None => builder,
        }
    }

    /// Its listeners, each once.
    pub fn redirected(&self) -> Vec<Redirected> {
        match self.inbound == self.outbound {
            true => vec![self.inbound],
            false => vec![self.inbound, self.outbound],
        }
    }

    /// The module, or Envoy's own filter, which Envoy adds by itself where the listener has
    /// `use_original_dst`.
    fn filter(&self, redirected: Redirected, guard: Option<&Row>) -> Option<Value> {
        let guard = guard.filter(|row| row.guards(redirected));
        match guard {
            Some(row) => Some(module_filter(Some(page::options(row.options)))),
            None if redirected.uses_original_dst() => None,
            None => Some(builtin_filter()),
        }
    }

    fn marked(&self, cluster: Value) -> Value {
        match self.mark {
            Some(mark) => marked(cluster, mark),
            None => cluster,
        }
    }
}

/// The pod itself is the one endpoint of the service.
const SERVICE_ENDPOINTS: [SocketAddr; 2] = [
    SocketAddr::new(GATEWAY_V4, PORT),
    SocketAddr::new(GATEWAY_V6, PORT),
];

impl Redirected {
    /// Whether the listener has `use_original_dst`.
    pub fn uses_original_dst(self) -> bool {
        !self.hands_to.is_empty()
    }

    fn listeners(self, filter: Option<&Value>) -> Vec<Value> {
        let listener = |host| {
            let listener = Listener::new(&format!("{host}:{}", self.port));
            let listener = match host {
                "[::]" => listener.ipv4_compat(),
                _ => listener,
            };
            let listener = listener
                .field("transparent", json!(self.is_transparent))
                .field("use_original_dst", json!(self.uses_original_dst()))
                .cluster(self.leads_to.cluster());
            let listener = filter.into_iter().cloned().fold(listener, Listener::filter);
            match self.leads_to {
                LeadsTo::Endpoint => with_service(listener),
                LeadsTo::Port => for_port(listener.tcp()),
                LeadsTo::Destination | LeadsTo::Application | LeadsTo::Anything => listener.tcp(),
            }
        };
        let bound = self.hosts.iter().copied().map(listener);
        bound
            .chain(self.hands_to.iter().map(|unbound| unbound.listener()))
            .collect()
    }
}

impl Unbound {
    /// Its address, as text.
    pub fn address(self) -> String {
        SocketAddr::new(self.ip, PORT).to_string()
    }

    fn listener(self) -> Value {
        let listener = Listener::new(&self.address()).field("bind_to_port", json!(false));
        listener.cluster(self.cluster).tcp()
    }
}

impl LeadsTo {
    fn cluster(self) -> &'static str {
        match self {
            Self::Destination | Self::Endpoint => "destination",
            Self::Application => "application",
            Self::Port | Self::Anything => "loopback",
        }
    }
}

/// What asks for the service's address goes to its endpoint.
fn with_service(listener: Listener) -> Value {
    let chain = |listener: Listener| listener.tcp()["filter_chains"][0].take();
    let mut finished = listener.clone().tcp();
    for (name, ip, length) in [
        ("service_ipv4", SERVICE_V4, 32),
        ("service_ipv6", SERVICE_V6, 128),
    ] {
        let mut chain = chain(listener.clone().cluster(name));
        let range = json!({ "address_prefix": ip, "prefix_len": length });
        chain["filter_chain_match"] = json!({ "prefix_ranges": [range] });
        let chains = finished["filter_chains"].as_array_mut();
        chains.expect("a finished listener").push(chain);
    }
    finished
}

/// The listener takes connections to the application's port, no other.
fn for_port(mut listener: Value) -> Value {
    listener["filter_chains"][0]["filter_chain_match"] = json!({ "destination_port": PORT });
    listener
}

/// The cluster's connections come from 127.0.0.6, or ::6.
fn from_6(mut cluster: Value) -> Value {
    let address = |ip: &str| json!({ "address": ip, "port_value": 0 });
    cluster["upstream_bind_config"] = json!({
        "source_address": address("127.0.0.6"),
        "extra_source_addresses": [{ "address": address("::6") }],
    });
    cluster
}
