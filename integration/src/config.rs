//! Envoy configs: small ones built here, and the files of `envoy-configs/`.

use std::fs;
use std::iter;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::access_log::{Source, access_log};
use crate::module::{builtin_filter, is_original_dst};
use crate::netns::Netns;

/// The cluster that connects to the restored address; every [`bootstrap`] has it.
pub const ORIGINAL_DST: &str = "original_dst";

const HCM: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const TCP_PROXY: &str =
    "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

/// A listener with one filter chain, whose access logs name it and its kind.
#[derive(Clone, Debug)]
pub struct Listener {
    name: String,
    cluster: String,
    value: Value,
}

impl Listener {
    /// A listener bound to `address`, such as `[::]:15001`, which is also its name.
    pub fn new(address: &str) -> Self {
        let (ip, port) = address.rsplit_once(':').expect("an address with a port");
        let port: u16 = port.parse().expect("a port");
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        let value = json!({
            "name": address,
            "address": { "socket_address": { "address": ip, "port_value": port } },
            "access_log": access_log(Source::Listener, address),
            "listener_filters": [],
        });
        Self {
            name: address.to_owned(),
            cluster: ORIGINAL_DST.to_owned(),
            value,
        }
    }

    /// An internal listener of this name: where tunnels end, see [`Tunnel`](crate::Tunnel).
    pub fn internal(name: &str) -> Self {
        let value = json!({
            "name": name,
            "internal_listener": {},
            "access_log": access_log(Source::Listener, name),
            "listener_filters": [],
        });
        Self {
            name: name.to_owned(),
            cluster: ORIGINAL_DST.to_owned(),
            value,
        }
    }

    /// Adds a listener filter, behind those that are there.
    pub fn filter(mut self, filter: Value) -> Self {
        self.value["listener_filters"]
            .as_array_mut()
            .expect("set in new")
            .push(filter);
        self
    }

    /// Accepts connections to any address, as TPROXY needs it.
    pub fn transparent(self) -> Self {
        self.field("transparent", json!(true))
    }

    /// Accepts IPv4 connections on an IPv6 wildcard too.
    pub fn ipv4_compat(mut self) -> Self {
        self.value["address"]["socket_address"]["ipv4_compat"] = json!(true);
        self
    }

    /// Listens in this namespace, wherever Envoy runs.
    pub fn within(mut self, host: &Netns) -> Self {
        self.value["address"]["socket_address"]["network_namespace_filepath"] = json!(host.path());
        self
    }

    /// Forwards to this cluster instead of [`ORIGINAL_DST`].
    pub fn cluster(self, name: &str) -> Self {
        Self {
            cluster: name.to_owned(),
            ..self
        }
    }

    /// Sets any other field of the listener.
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.value[name] = value;
        self
    }

    /// Finishes it with an HTTP connection manager.
    pub fn http(self) -> Value {
        let filter = json!({
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": HCM,
                "stat_prefix": "http",
                "access_log": access_log(Source::Http, &self.name),
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": { "@type": ROUTER },
                }],
                "route_config": { "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{
                        "match": { "prefix": "/" },
                        "route": { "cluster": self.cluster },
                    }],
                }]},
            },
        });
        self.chain(&[filter])
    }

    /// Finishes it with a TCP proxy.
    pub fn tcp(self) -> Value {
        let filter = json!({
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": TCP_PROXY,
                "stat_prefix": "tcp",
                "access_log": access_log(Source::Tcp, &self.name),
                "cluster": self.cluster,
            },
        });
        self.chain(&[filter])
    }

    /// Finishes it with these network filters.
    pub fn chain(mut self, filters: &[Value]) -> Value {
        self.value["filter_chains"] = json!([{ "filters": filters }]);
        self.value
    }
}

/// A whole config of these listeners and clusters, and the cluster [`ORIGINAL_DST`].
pub fn bootstrap(
    listeners: impl IntoIterator<Item = Value>,
    clusters: impl IntoIterator<Item = Value>,
) -> Value {
    let original_dst = original_dst_cluster(ORIGINAL_DST);
    let listeners: Vec<Value> = listeners.into_iter().collect();
    let clusters: Vec<Value> = iter::once(original_dst).chain(clusters).collect();
    json!({ "static_resources": { "listeners": listeners, "clusters": clusters } })
}

/// A cluster that connects to the restored address.
pub fn original_dst_cluster(name: &str) -> Value {
    json!({
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "2s",
    })
}

/// The cluster with so many connections at most, which end a loop.
pub fn limited(mut cluster: Value, connections: u64) -> Value {
    cluster["circuit_breakers"] = json!({ "thresholds": [{ "max_connections": connections }] });
    cluster
}

/// The cluster, whose connections carry this mark.
pub fn marked(mut cluster: Value, mark: u32) -> Value {
    // SOL_SOCKET and SO_MARK.
    let mark = json!({ "level": 1, "name": 36, "int_value": mark, "state": "STATE_PREBIND" });
    cluster["upstream_bind_config"]["socket_options"] = json!([mark]);
    cluster
}

/// A listener filter of Envoy, by its short name, such as `tls_inspector`, with the fields of its config.
pub fn listener_filter(name: &str, mut config: Value) -> Value {
    let capitalized = |word: &str| word[..1].to_uppercase() + &word[1..];
    let message: String = name.split('_').map(capitalized).collect();
    config["@type"] = json!(format!(
        "type.googleapis.com/envoy.extensions.filters.listener.{name}.v3.{message}"
    ));
    json!({ "name": format!("envoy.filters.listener.{name}"), "typed_config": config })
}

/// A cluster of one fixed endpoint.
pub fn static_cluster(name: &str, endpoint: SocketAddr) -> Value {
    let address = json!({ "socket_address": {
        "address": endpoint.ip().to_string(),
        "port_value": endpoint.port(),
    }});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
        },
    })
}

/// Reads a file of `envoy-configs/`, named as `redirect.yaml`.
pub fn load(name: &str) -> Value {
    let path = crate::workspace().join("envoy-configs").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The config with the filter, the module or Envoy's own, taken out of every listener. So is
/// `use_original_dst`, with which Envoy adds its own filter unasked.
pub fn without_original_dst(mut config: Value) -> Value {
    edit_listeners(&mut config, &mut |listener| {
        filters(listener).retain(|filter| !is_original_dst(filter));
        listener
            .as_object_mut()
            .expect("a listener")
            .remove("use_original_dst");
    });
    config
}

/// The config with Envoy's own filter where the module was.
pub fn with_builtin(config: Value) -> Value {
    with_filter(config, &builtin_filter())
}

/// The config with this filter in the place of every original-destination filter.
pub fn with_filter(mut config: Value, filter: &Value) -> Value {
    edit_listeners(&mut config, &mut |listener| {
        for found in filters(listener)
            .iter_mut()
            .filter(|found| is_original_dst(found))
        {
            found.clone_from(filter);
        }
    });
    config
}

/// The config with the lab's access log instead of its own in every listener, HTTP connection
/// manager and TCP proxy.
pub fn with_access_log(mut config: Value) -> Value {
    edit_listeners(&mut config, &mut |listener| {
        let name = listener["name"].as_str().unwrap_or_default().to_owned();
        listener["access_log"] = access_log(Source::Listener, &name);
        edit_objects(listener, &mut |object| {
            let source = match object["@type"].as_str() {
                Some(HCM) => Source::Http,
                Some(TCP_PROXY) => Source::Tcp,
                _ => return,
            };
            object["access_log"] = access_log(source, &name);
        });
    });
    config
}

fn filters(listener: &mut Value) -> &mut Vec<Value> {
    listener["listener_filters"]
        .as_array_mut()
        .expect("edited listeners have filters")
}

/// Edits every listener; each has a list of listener filters then.
fn edit_listeners(config: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    let listeners = config["static_resources"]["listeners"].as_array_mut();
    for listener in listeners.expect("a config with static listeners") {
        if listener["listener_filters"].is_null() {
            listener["listener_filters"] = json!([]);
        }
        edit(listener);
    }
}

/// Edits every object in `value`, itself included.
fn edit_objects(value: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    if value.is_object() {
        edit(value);
    }
    match value {
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| edit_objects(value, edit)),
        Value::Array(items) => items.iter_mut().for_each(|value| edit_objects(value, edit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_logs_are_replaced() {
        let listeners = [
            Listener::new("0.0.0.0:1").http(),
            Listener::new("[::]:2").tcp(),
        ];
        let ours = bootstrap(listeners, []);
        let mut theirs = ours.clone();
        let mut places = 0;
        edit_objects(&mut theirs, &mut |object| {
            if let Some(log) = object.get_mut("access_log") {
                *log = json!([{ "name": "envoy.access_loggers.stdout" }]);
                places += 1;
            }
        });
        assert_eq!(places, 4);
        assert_ne!(theirs, ours);
        assert_eq!(with_access_log(theirs), ours);
    }

    #[test]
    fn yaml_means_what_it_means_to_envoy() {
        let text = r#"
listeners:
- &first
  name: "10"
  port_value: 15001
  typed_config: { "@type": type.googleapis.com/a.B, value: { ports: ["443", 8000-8999] } }
  timeout: 0.25s
  transparent: true
- *first
path: "/a: b" # not this
tracked: yes
"#;
        let value: Value = serde_saphyr::from_str(text).expect("YAML");
        let first = json!({
            "name": "10",
            "port_value": 15001,
            "typed_config": {
                "@type": "type.googleapis.com/a.B",
                "value": { "ports": ["443", "8000-8999"] },
            },
            "timeout": "0.25s",
            "transparent": true,
        });
        let whole = json!({ "listeners": [&first, &first], "path": "/a: b", "tracked": true });
        assert_eq!(value, whole);
    }
}
