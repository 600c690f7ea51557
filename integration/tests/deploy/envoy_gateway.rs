//! `envoy-gateway.yaml`: the patch is applied to a listener as Envoy Gateway makes it. Its schema is in
//! no registry of packages: the types say what of it is used, and refuse all else.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::{Envoy, Lab, Listener, To, Upstream, Version, bootstrap};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::envoy_patch::{EnvoyPatchPolicy, Reference, ResourceType};
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
    #[serde(rename = "name")]
    _name: String,
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
        &gateway.metadata,
        &gateway.spec.infrastructure.parameters_ref,
        ("gateway.envoyproxy.io", "EnvoyProxy", &proxy.metadata),
    );
    refers(
        &policy.metadata,
        &policy.spec.target_ref,
        ("gateway.networking.k8s.io", "Gateway", &gateway.metadata),
    );

    let [listener] = &gateway.spec.listeners[..] else {
        panic!("one listener")
    };
    assert_eq!(listener.protocol, "TCP");
    // From 1.10 on; by the name of the Gateway and of its listener before.
    let name = format!("tcp-{}", listener.port);
    let config = |filters: &[&str]| {
        let made = made(&name, listener.port, filters);
        bootstrap([patched(made, &policy.spec)], [])
    };
    let with_tls = config(&["tls_inspector"]);
    let filters = &with_tls["static_resources"]["listeners"][0]["listener_filters"];
    assert_eq!(filters[0]["name"], "original_dst");
    assert_eq!(filters[1]["name"], "tls_inspector");
    let config = config(&[]);
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

/// A reference has no namespace: it means that of its own object.
fn refers(from: &Metadata, reference: &Reference, (group, kind, to): (&str, &str, &Metadata)) {
    assert_eq!((&*reference.group, &*reference.kind), (group, kind));
    assert_eq!(reference.name, to.name);
    assert_eq!(from.namespace, to.namespace);
}

/// A listener as Envoy Gateway makes it: without any filters it has no list of them.
fn made(name: &str, port: u16, filters: &[&str]) -> Value {
    let mut listener = Listener::new(&format!("0.0.0.0:{port}"))
        .field("name", json!(name))
        .tcp();
    let fields = listener.as_object_mut().expect("a listener");
    fields.remove("listener_filters");
    if !filters.is_empty() {
        let filters = filters.iter().map(|filter| json!({ "name": filter }));
        fields.insert("listener_filters".to_owned(), filters.collect());
    }
    listener
}

/// The listener after the patches, which all are for it.
fn patched(mut listener: Value, policy: &EnvoyPatchPolicy) -> Value {
    for patch in &policy.json_patches {
        assert!(matches!(patch.r#type, ResourceType::Listener));
        assert_eq!(listener["name"], patch.name);
        patch.operation.apply(&mut listener);
    }
    listener
}
