//! `envoy-gateway.yaml`: the patch is applied to a listener as Envoy Gateway makes it. Its schema is in
//! no registry of packages: the types say what of it is used, and refuse all else.

use std::net::SocketAddr;

use json_patch::{PatchOperation, patch};
use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::manifest::Manifest;
use crate::{PORT, arrives, is_closed};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<T> {
    #[serde(rename = "apiVersion")]
    version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
    namespace: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvoyPatchPolicy {
    target_ref: Reference,
    r#type: String,
    json_patches: Vec<JsonPatch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    group: String,
    kind: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPatch {
    r#type: String,
    name: String,
    operation: PatchOperation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Gateway {
    #[serde(rename = "gatewayClassName")]
    _class: String,
    infrastructure: Infrastructure,
    listeners: Vec<GatewayListener>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Infrastructure {
    parameters_ref: Reference,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayListener {
    name: String,
    protocol: String,
    port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvoyProxy {
    provider: Provider,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    r#type: String,
    kubernetes: Kubernetes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kubernetes {
    envoy_deployment: EnvoyDeployment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EnvoyDeployment {
    init_containers: Vec<Value>,
    pod: Pod,
    container: Container,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pod {
    volumes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Container {
    env: Vec<Value>,
    volume_mounts: Vec<Value>,
}

#[test]
fn envoy_gateway() {
    let manifest = Manifest::read("envoy-gateway.yaml");
    let proxy: Object<EnvoyProxy> = manifest.typed("EnvoyProxy", "original-dst");
    let gateway: Object<Gateway> = manifest.typed("Gateway", "egress");
    let policy: Object<EnvoyPatchPolicy> = manifest.typed("EnvoyPatchPolicy", "original-dst");
    assert_eq!(proxy.version, "gateway.envoyproxy.io/v1alpha1");
    assert_eq!(policy.version, "gateway.envoyproxy.io/v1alpha1");
    assert_eq!(gateway.version, "gateway.networking.k8s.io/v1");
    let Provider { r#type, kubernetes } = proxy.spec.provider;
    assert_eq!(r#type, "Kubernetes");
    brings_the_module(&kubernetes.envoy_deployment);
    refers(
        &gateway.spec.infrastructure.parameters_ref,
        "gateway.envoyproxy.io",
        "EnvoyProxy",
        &proxy.metadata,
    );
    refers(
        &policy.spec.target_ref,
        "gateway.networking.k8s.io",
        "Gateway",
        &gateway.metadata,
    );
    assert_eq!(policy.spec.r#type, "JSONPatch");

    let [listener] = &gateway.spec.listeners[..] else {
        panic!("one listener")
    };
    assert_eq!(listener.protocol, "TCP");
    let name = format!(
        "{}/{}/{}",
        gateway.metadata.namespace, gateway.metadata.name, listener.name
    );
    let made = Listener::new(&format!("0.0.0.0:{}", listener.port))
        .field("name", json!(name))
        .tcp();
    let config = bootstrap([patched(made, &policy.spec.json_patches)], []);
    for version in Version::under_test() {
        let lab = Lab::new();
        let _upstream = Upstream::start(&lab.upstream, &[PORT]);
        let envoy = Envoy::builder(&lab.gateway, version)
            .config(config.clone())
            .start();
        lab.gateway.redirect(To::Port(PORT), listener.port);
        arrives(&lab.client, UPSTREAM_V4);
        is_closed(&lab.client, SocketAddr::new(GATEWAY_V4, listener.port));
        assert_eq!(
            envoy.stat_sum("original_dst.restored_redirect"),
            Some(1),
            "{version}"
        );
        assert_eq!(
            envoy.stat_sum("original_dst.unredirected"),
            Some(1),
            "{version}"
        );
    }
}

/// The volume that the init container fills is the one that Envoy has, where it looks.
fn brings_the_module(deployment: &EnvoyDeployment) {
    let EnvoyDeployment {
        init_containers,
        pod,
        container,
    } = deployment;
    let volume = &pod.volumes[0]["name"];
    assert_eq!(&init_containers[0]["volumeMounts"][0]["name"], volume);
    assert_eq!(&container.volume_mounts[0]["name"], volume);
    assert_eq!(
        container.env[0]["name"],
        "ENVOY_DYNAMIC_MODULES_SEARCH_PATH"
    );
    assert_eq!(
        container.env[0]["value"],
        container.volume_mounts[0]["mountPath"]
    );
}

fn refers(reference: &Reference, group: &str, kind: &str, to: &Metadata) {
    assert_eq!((&*reference.group, &*reference.kind), (group, kind));
    assert_eq!(reference.name, to.name);
}

/// The listener after the patches, which all are for it.
fn patched(mut listener: Value, patches: &[JsonPatch]) -> Value {
    // Envoy Gateway makes no listener filters for plain TCP, and no empty list of them.
    listener
        .as_object_mut()
        .expect("a listener")
        .remove("listener_filters");
    for JsonPatch {
        r#type,
        name,
        operation,
    } in patches
    {
        assert_eq!(
            r#type,
            "type.googleapis.com/envoy.config.listener.v3.Listener"
        );
        assert_eq!(listener["name"], *name);
        patch(&mut listener, std::slice::from_ref(operation)).expect("a patch that applies");
    }
    listener
}
