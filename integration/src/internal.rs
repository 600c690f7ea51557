//! Tunnels to internal listeners, and what travels along with a connection.

use serde_json::{Value, json};

/// The namespace of the metadata that an original-destination filter reads.
const NAMESPACE: &str = "envoy.filters.listener.original_dst";

/// A cluster whose one endpoint is an internal listener of the same Envoy.
#[derive(Clone, Debug)]
pub struct Tunnel {
    host: Option<Value>,
    cluster: Option<Value>,
    passthrough: Vec<Value>,
    is_plain: bool,
}

impl Tunnel {
    /// A tunnel that passes on the filter state that is shared with it.
    #[allow(
        clippy::new_without_default,
        reason = "nothing about a tunnel is a default"
    )]
    pub fn new() -> Self {
        Self {
            host: None,
            cluster: None,
            passthrough: Vec::new(),
            is_plain: false,
        }
    }

    /// Metadata of the endpoint, in the namespace of the filter, and its passing on.
    pub fn host_metadata(mut self, metadata: Value) -> Self {
        self.host = Some(metadata);
        self.pass("host")
    }

    /// Metadata of the cluster, in the namespace of the filter, and its passing on.
    pub fn cluster_metadata(mut self, metadata: Value) -> Self {
        self.cluster = Some(metadata);
        self.pass("cluster")
    }

    /// Leaves the transport socket `internal_upstream` out, so that nothing is passed on.
    pub fn plain(self) -> Self {
        Self {
            is_plain: true,
            ..self
        }
    }

    /// Finishes it: a cluster of this name that leads to the internal listener `inner`.
    pub fn cluster(self, name: &str, inner: &str) -> Value {
        let address = json!({ "envoy_internal_address": { "server_listener_name": inner } });
        let metadata = |metadata| json!({ "filter_metadata": { NAMESPACE: metadata } });
        let mut endpoint = json!({ "endpoint": { "address": address } });
        if let Some(host) = self.host {
            endpoint["metadata"] = metadata(host);
        }
        let mut cluster = json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{ "lb_endpoints": [endpoint] }],
            },
        });
        if let Some(own) = self.cluster {
            cluster["metadata"] = metadata(own);
        }
        if !self.is_plain {
            cluster["transport_socket"] = json!({
                "name": "envoy.transport_sockets.internal_upstream",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
                    "passthrough_metadata": self.passthrough,
                    "transport_socket": {
                        "name": "envoy.transport_sockets.raw_buffer",
                        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
                    },
                },
            });
        }
        cluster
    }

    fn pass(mut self, kind: &str) -> Self {
        self.passthrough
            .push(json!({ "kind": { kind: {} }, "name": NAMESPACE }));
        self
    }
}

/// A network filter that sets filter state, which the connection's tunnel passes on.
#[derive(Clone, Debug, Default)]
pub struct SetFilterState(Vec<Value>);

impl SetFilterState {
    /// Sets `key` to the object that the factory makes of `text`, a format string of Envoy.
    pub fn set(mut self, key: &str, factory: &str, text: &str) -> Self {
        self.0.push(json!({
            "object_key": key,
            "factory_key": factory,
            "format_string": { "text_format_source": { "inline_string": text } },
            "shared_with_upstream": "TRANSITIVE",
        }));
        self
    }

    /// Puts the filter in front of the network filters of a finished listener.
    pub fn in_front(self, mut listener: Value) -> Value {
        let filter = json!({
            "name": "envoy.filters.network.set_filter_state",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
                "on_new_connection": self.0,
            },
        });
        listener["filter_chains"][0]["filters"]
            .as_array_mut()
            .expect("a finished listener")
            .insert(0, filter);
        listener
    }
}

/// The config with the extension without which Envoy has no internal listeners.
pub fn with_internal_listeners(mut config: Value) -> Value {
    config["bootstrap_extensions"] = json!([{
        "name": "envoy.bootstrap.internal_listener",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener" },
    }]);
    config
}
