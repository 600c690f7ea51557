//! What a mesh makes of a pod: rules, and an Envoy with two listeners.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::config::{limited, original_dst_cluster, static_cluster};
use lab::module::{builtin_filter, module_filter};
use lab::{Builder, Envoy, Lab, Listener, Version, bootstrap};
use serde_json::{Value, json};

use crate::call::{PORT, SERVICE_V4, SERVICE_V6};

/// So many connections of a cluster end a loop.
pub const LIMIT: u64 = 20;

/// Rules, and the Envoy that they lead to.
pub struct Mesh {
    pub name: &'static str,
    /// A shell script.
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
    pub leads_to: LeadsTo,
}

/// Where a listener's connections go on to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LeadsTo {
    /// Their destination; the service is its endpoint, the pod.
    Destination,
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
}

impl Mesh {
    /// Envoy in the pod, to be started; with its own filter if there is no guard.
    pub fn envoy(&self, lab: &Lab, version: Version, guard: Option<Guard>) -> Builder {
        let listeners = self.redirected().into_iter().flat_map(|redirected| {
            let filter = self.filter(redirected, guard);
            redirected.listeners(&filter)
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

    fn filter(&self, redirected: Redirected, guard: Option<Guard>) -> Value {
        let ports = match guard {
            None => return builtin_filter(),
            Some(Guard::OutboundPort) if redirected == self.inbound => return builtin_filter(),
            Some(Guard::OutboundPort) => vec![self.outbound.port],
            Some(Guard::Ports) => self.redirected().iter().map(|r| r.port).collect(),
            Some(Guard::OwnMark) => {
                let mark = self.mark.expect("Envoy has a mark").to_string();
                return module_filter(Some(json!({ "own_mark": mark })));
            }
        };
        let mut options = json!({
            "unredirected_connections": "CLOSE",
            "listener_ports": ports,
        });
        if redirected.is_transparent {
            options["recovery_methods"] = json!(["TRANSPARENT", "SO_ORIGINAL_DST"]);
        }
        module_filter(Some(options))
    }

    fn marked(&self, mut cluster: Value) -> Value {
        if let Some(mark) = self.mark {
            // SOL_SOCKET and SO_MARK.
            let mark =
                json!({ "level": 1, "name": 36, "int_value": mark, "state": "STATE_PREBIND" });
            cluster["upstream_bind_config"]["socket_options"] = json!([mark]);
        }
        cluster
    }
}

/// The pod itself is the one endpoint of the service.
const SERVICE_ENDPOINTS: [SocketAddr; 2] = [
    SocketAddr::new(GATEWAY_V4, PORT),
    SocketAddr::new(GATEWAY_V6, PORT),
];

impl Redirected {
    fn listeners(self, filter: &Value) -> Vec<Value> {
        let listener = |host| {
            let listener = Listener::new(&format!("{host}:{}", self.port));
            let listener = match host {
                "[::]" => listener.ipv4_compat(),
                _ => listener,
            };
            let listener = listener
                .field("transparent", json!(self.is_transparent))
                .filter(filter.clone())
                .cluster(self.leads_to.cluster());
            match self.leads_to {
                LeadsTo::Destination => with_service(listener),
                LeadsTo::Port => for_port(listener.tcp()),
                LeadsTo::Application | LeadsTo::Anything => listener.tcp(),
            }
        };
        self.hosts.iter().copied().map(listener).collect()
    }
}

impl LeadsTo {
    fn cluster(self) -> &'static str {
        match self {
            Self::Destination => "destination",
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
