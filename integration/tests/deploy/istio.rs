//! `istio.yaml`: the patches are applied to listeners as Istio makes them. Istio's schema is in no
//! registry of packages: the types say what of it is used, and refuse all else.

use lab::address::UPSTREAM_V4;
use lab::module::{builtin_filter, is_module};
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::manifest::Manifest;
use crate::{PORT, arrives};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvoyFilter {
    #[serde(rename = "apiVersion")]
    version: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(rename = "metadata")]
    _metadata: Value,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    workload_selector: Selector,
    config_patches: Vec<ConfigPatch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selector {
    labels: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConfigPatch {
    apply_to: String,
    r#match: Match,
    patch: Patch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    context: String,
    listener: ListenerMatch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListenerMatch {
    name: String,
    listener_filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    operation: String,
    value: Value,
}

impl ConfigPatch {
    /// Replaces the filter in the listener that it is for.
    fn apply(&self, context: &str, listener: &mut Value) -> bool {
        assert_eq!(self.apply_to, "LISTENER_FILTER");
        assert_eq!(self.patch.operation, "REPLACE");
        if self.r#match.context != context || listener["name"] != self.r#match.listener.name {
            return false;
        }
        let filters = listener["listener_filters"]
            .as_array_mut()
            .expect("filters");
        let named = |filter: &&mut Value| filter["name"] == self.r#match.listener.listener_filter;
        let filter = filters
            .iter_mut()
            .find(named)
            .expect("a filter of this name");
        filter.clone_from(&self.patch.value);
        true
    }
}

/// A listener that connections are redirected to, as Istio makes it.
fn redirected(name: &str, address: &str) -> Listener {
    Listener::new(address)
        .field("name", json!(name))
        .filter(builtin_filter())
}

/// The filter behind it in the inbound listener.
fn tls_inspector() -> Value {
    json!({
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    })
}

#[test]
fn istio() {
    let manifest = Manifest::read("istio.yaml");
    let filter: EnvoyFilter = manifest.typed("EnvoyFilter", "original-dst");
    assert_eq!(filter.version, "networking.istio.io/v1alpha3");
    let workload = Manifest::read("istio-workload.yaml");
    let workload = &workload.object("Deployment", "example")["spec"]["template"]["metadata"];
    for (label, value) in filter
        .spec
        .workload_selector
        .labels
        .as_object()
        .expect("labels")
    {
        assert_eq!(
            &workload["labels"][label], value,
            "the workload is not selected"
        );
    }

    let mut outbound = redirected("virtualOutbound", "0.0.0.0:15001")
        .field("use_original_dst", json!(true))
        .tcp();
    let mut inbound = redirected("virtualInbound", "0.0.0.0:15006")
        .filter(tls_inspector())
        .tcp();
    let patches = &filter.spec.config_patches;
    for (context, listener) in [
        ("SIDECAR_OUTBOUND", &mut outbound),
        ("SIDECAR_INBOUND", &mut inbound),
    ] {
        let applied = patches
            .iter()
            .filter(|patch| patch.apply(context, listener))
            .count();
        assert_eq!(applied, 1, "{context}");
        assert!(is_module(&listener["listener_filters"][0]), "{context}");
    }
    let service = Listener::new("0.0.0.0:8080")
        .field("bind_to_port", json!(false))
        .tcp();
    let config = bootstrap([outbound, inbound, service], []);
    for version in Version::under_test() {
        let lab = Lab::new();
        let _upstream = Upstream::start(&lab.upstream, &[PORT]);
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(config.clone())
            .start();
        for (port, prefix, listener) in [
            (15001, "outbound", "0.0.0.0:8080"),
            (15006, "inbound", "0.0.0.0:15006"),
        ] {
            lab.gateway.redirect(To::Port(PORT), port);
            let (client, to) = arrives(&lab.client, UPSTREAM_V4);
            envoy.wait_access_log(|log| {
                log.iter().any(|entry| {
                    entry["log"] == "tcp"
                        && entry["listener"] == listener
                        && entry["downstream_remote_address"] == client.to_string()
                        && entry["downstream_local_address"] == to.to_string()
                })
            });
            let counter = format!(".{prefix}.original_dst.restored_redirect");
            assert_eq!(envoy.stat_sum(&counter), Some(1), "{version}");
            lab.gateway.flush();
        }
    }
}
