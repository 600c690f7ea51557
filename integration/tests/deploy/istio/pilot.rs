//! A sidecar's Envoy as istiod and its agent configure it, of two families of addresses. Looked up in
//! istio/istio, its main branch in 2026:
//!
//! - virtualOutbound has `use_original_dst`, and no listener filter: Envoy adds its own. A chain for
//!   destination port 15001 leads to a cluster without endpoints; the other leads to where the client
//!   wanted to go (`pilot/pkg/networking/core/listener_builder.go`, 044be69).
//! - virtualInbound has the filter original_dst, in the mode TPROXY original_src with the mark 1337 behind
//!   it, then what its chains need to be told apart: tls_inspector and http_inspector. The chain for
//!   port 15006 leads nowhere, as above (`listener_inbound.go`, 071fdb3; `pilot/pkg/xds/filters/filters.go`,
//!   0027423). Chains tell families apart no more, as they once did.
//! - Both listeners are transparent in the mode TPROXY, also the one that REDIRECT leads to.
//! - InboundPassthroughCluster connects from 127.0.0.6 or ::6, which the rules exempt; in the mode TPROXY,
//!   original_src has the last word (`cluster_builder.go`, 00ce34c).
//! - A listener's access log keeps what has the flag NR, no chain found, and nothing else (`accesslog.go`,
//!   0098d99).
//! - Stats are created if the `stats_matcher` of the bootstrap lists them: what the agent needs, and what
//!   `proxyStatsMatcher` adds (`tools/packaging/common/envoy_bootstrap.json` and `pkg/bootstrap/config.go`,
//!   002dd6f).
//!
//! Left out are the chains that end Istio's mutual TLS, since no certificates are there, and its telemetry.

use std::iter;
use std::net::{IpAddr, SocketAddr};

use lab::access_log::{Source, access_log};
use lab::config::{limited, listener_filter, original_dst_cluster, static_cluster};
use lab::module::builtin_filter;
use lab::{Builder, Envoy, Listener, Netns, Version};
use serde_json::{Value, json};

use super::proxy_config::ProxyStatsMatcher;
use crate::PORT;

/// A loop ends here; Istio has no such limit.
pub const LIMIT: u64 = 20;

/// `sidecar.istio.io/interceptionMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Redirect,
    Tproxy,
}

impl Mode {
    /// Sets Istio's rules.
    pub fn set_rules(self, pod: &Netns) {
        match self {
            Self::Redirect => pod.sh(include_str!("../../meshes/rules/istio_redirect.sh")),
            Self::Tproxy => pod.sh(include_str!("../../meshes/rules/istio_tproxy.sh")),
        };
    }

    /// Envoy is the user 1337 without capabilities; with TPROXY it is root, of the group 1337.
    pub fn envoy(self, pod: &Netns, version: Version) -> Builder {
        let envoy = Envoy::builder(pod, version);
        match self {
            Self::Redirect => envoy.user(1337),
            Self::Tproxy => envoy,
        }
    }
}

/// The listener for what goes out, before it is patched.
pub fn virtual_outbound(mode: Mode) -> Value {
    let mut listener = listener(mode, "virtualOutbound", 15001);
    listener["use_original_dst"] = json!(true);
    listener["traffic_direction"] = json!("OUTBOUND");
    listener["filter_chains"] = json!([
        chain(
            "virtualOutbound-blackhole",
            json!({ "destination_port": 15001 }),
            Listener::tcp,
            "BlackHoleCluster",
        ),
        chain(
            "virtualOutbound-catchall-tcp",
            json!({}),
            Listener::tcp,
            "PassthroughCluster",
        ),
    ]);
    listener
}

/// The listener for what comes in, before it is patched.
pub fn virtual_inbound(mode: Mode) -> Value {
    let mut listener = listener(mode, "virtualInbound", 15006);
    listener["traffic_direction"] = json!("INBOUND");
    listener["continue_on_listener_filters_timeout"] = json!(true);
    listener["listener_filters_timeout"] = json!("0s");
    let original_src =
        (mode == Mode::Tproxy).then(|| listener_filter("original_src", json!({ "mark": 1337 })));
    let inspectors = [
        listener_filter("tls_inspector", json!({ "initial_read_buffer_size": 512 })),
        listener_filter("http_inspector", json!({})),
    ];
    let filters = iter::once(builtin_filter())
        .chain(original_src)
        .chain(inspectors);
    listener["listener_filters"] = filters.collect();
    listener["filter_chains"] = json!([
        chain(
            "virtualInbound-blackhole",
            json!({ "destination_port": 15006 }),
            Listener::tcp,
            "BlackHoleCluster",
        ),
        chain(
            "virtualInbound-catchall-http",
            json!({
                "application_protocols": ["http/1.0", "http/1.1", "h2c"],
                "transport_protocol": "raw_buffer",
            }),
            Listener::http,
            "InboundPassthroughCluster",
        ),
        chain(
            "virtualInbound",
            json!({ "transport_protocol": "raw_buffer" }),
            Listener::tcp,
            "InboundPassthroughCluster",
        ),
        chain(
            "virtualInbound",
            json!({ "transport_protocol": "tls" }),
            Listener::tcp,
            "InboundPassthroughCluster",
        ),
    ]);
    listener
}

/// The listener of a service's port, which nothing binds: Envoy hands connections to it.
pub fn service(name: &str, ip: IpAddr, cluster: &str) -> Value {
    json!({
        "name": name,
        "address": socket_address(ip, PORT),
        "bind_to_port": false,
        "traffic_direction": "OUTBOUND",
        "filter_chains": [chain(name, json!({}), Listener::tcp, cluster)],
    })
}

/// The whole config, with two clusters of a service whose endpoint is the pod itself.
pub fn bootstrap(
    listeners: impl IntoIterator<Item = Value>,
    service_endpoints: [SocketAddr; 2],
) -> Value {
    let [v4, v6] = service_endpoints;
    let listeners: Vec<Value> = listeners.into_iter().collect();
    let mut inbound = passthrough("InboundPassthroughCluster");
    let address = |ip: &str| json!({ "address": ip, "port_value": 0 });
    inbound["upstream_bind_config"] = json!({
        "source_address": address("127.0.0.6"),
        "extra_source_addresses": [{ "address": address("::6") }],
    });
    json!({ "static_resources": {
        "listeners": listeners,
        "clusters": [
            passthrough("PassthroughCluster"),
            inbound,
            { "name": "BlackHoleCluster", "type": "STATIC", "connect_timeout": "10s" },
            static_cluster("service_ipv4", v4),
            static_cluster("service_ipv6", v6),
        ],
    }})
}

/// The stats that a sidecar has: Istio's own, and those that the workload adds.
pub fn stats_config(added: &ProxyStatsMatcher) -> Value {
    let pattern = |kind: &'static str| move |text: &str| json!({ kind: text });
    let prefixes = ["reporter=", "cluster_manager", "listener_manager", "server"];
    let prefixes = prefixes
        .into_iter()
        .chain(["cluster.xds-grpc", "wasm", "component", "istio"]);
    let suffixes = [
        "rbac.allowed",
        "rbac.denied",
        "shadow_allowed",
        "shadow_denied",
    ];
    let regexps = [r"vhost\.*\.route\.*"];
    let all = |own: Vec<&str>, added: &[String], make: &dyn Fn(&str) -> Value| -> Vec<Value> {
        let added = added.iter().map(String::as_str);
        own.into_iter().chain(added).map(make).collect()
    };
    let patterns = [
        all(
            prefixes.collect(),
            &added.inclusion_prefixes,
            &pattern("prefix"),
        ),
        all(
            suffixes.to_vec(),
            &added.inclusion_suffixes,
            &pattern("suffix"),
        ),
        all(
            regexps.to_vec(),
            &added.inclusion_regexps,
            &|text| json!({ "safe_regex": { "regex": text } }),
        ),
    ];
    json!({ "stats_matcher": { "inclusion_list": { "patterns": patterns.concat() } } })
}

fn listener(mode: Mode, name: &str, port: u16) -> Value {
    let [v4, v6] =
        ["0.0.0.0", "::"].map(|ip| socket_address(ip.parse().expect("an address"), port));
    let mut log = access_log(Source::Listener, name);
    log[0]["filter"] = json!({ "response_flag_filter": { "flags": ["NR"] } });
    let mut listener = json!({
        "name": name,
        "address": v4,
        "additional_addresses": [{ "address": v6 }],
        "access_log": log,
    });
    if mode == Mode::Tproxy {
        listener["transparent"] = json!(true);
    }
    listener
}

/// A chain whose access logs have its own name.
fn chain(name: &str, wanted: Value, kind: fn(Listener) -> Value, cluster: &str) -> Value {
    let mut chain = kind(Listener::internal(name).cluster(cluster))["filter_chains"][0].take();
    chain["name"] = json!(name);
    chain["filter_chain_match"] = wanted;
    chain
}

fn passthrough(name: &str) -> Value {
    let mut cluster = limited(original_dst_cluster(name), LIMIT);
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "use_downstream_protocol_config": { "http_protocol_options": {} },
        },
    });
    cluster
}

fn socket_address(ip: IpAddr, port: u16) -> Value {
    json!({ "socket_address": { "address": ip, "port_value": port } })
}
