//! The meshes, after the rules that they install.

use crate::mesh::{LeadsTo, Mesh, Redirected};

const BOTH: &[&str] = &["[::]"];
const V4: &[&str] = &["0.0.0.0"];

const OUTBOUND: Redirected = Redirected {
    port: 15001,
    hosts: BOTH,
    is_transparent: false,
    leads_to: LeadsTo::Destination,
};
const INBOUND: Redirected = Redirected {
    port: 15006,
    leads_to: LeadsTo::Application,
    ..OUTBOUND
};
const CILIUM: Redirected = Redirected {
    port: 10000,
    hosts: &["127.0.0.1", "[::1]"],
    is_transparent: true,
    ..OUTBOUND
};

/// All of them.
pub const MESHES: [Mesh; 8] = [
    Mesh {
        name: "istio",
        rules: include_str!("rules/istio_redirect.sh"),
        inbound: INBOUND,
        outbound: OUTBOUND,
        user: Some(1337),
        mark: None,
    },
    Mesh {
        name: "istio/tproxy",
        rules: include_str!("rules/istio_tproxy.sh"),
        inbound: Redirected {
            is_transparent: true,
            ..INBOUND
        },
        outbound: OUTBOUND,
        user: None,
        mark: None,
    },
    Mesh {
        name: "ambient",
        rules: include_str!("rules/ambient.sh"),
        inbound: Redirected {
            leads_to: LeadsTo::Destination,
            ..INBOUND
        },
        outbound: OUTBOUND,
        user: None,
        mark: Some(0x539),
    },
    Mesh {
        name: "kuma",
        rules: include_str!("rules/kuma.sh"),
        inbound: INBOUND,
        outbound: OUTBOUND,
        user: Some(5678),
        mark: None,
    },
    Mesh {
        name: "consul",
        rules: include_str!("rules/consul.sh"),
        inbound: Redirected {
            port: 20000,
            hosts: V4,
            leads_to: LeadsTo::Anything,
            ..INBOUND
        },
        outbound: Redirected {
            hosts: V4,
            ..OUTBOUND
        },
        user: Some(123),
        mark: None,
    },
    Mesh {
        name: "app-mesh",
        rules: include_str!("rules/app_mesh.sh"),
        inbound: Redirected {
            port: 15000,
            hosts: V4,
            leads_to: LeadsTo::Destination,
            ..INBOUND
        },
        outbound: Redirected {
            hosts: V4,
            ..OUTBOUND
        },
        user: Some(1337),
        mark: None,
    },
    Mesh {
        name: "open-service-mesh",
        rules: include_str!("rules/open_service_mesh.sh"),
        inbound: Redirected {
            port: 15003,
            hosts: V4,
            leads_to: LeadsTo::Port,
            ..INBOUND
        },
        outbound: Redirected {
            hosts: V4,
            ..OUTBOUND
        },
        user: Some(1500),
        mark: None,
    },
    Mesh {
        name: "cilium",
        rules: include_str!("rules/cilium.sh"),
        inbound: CILIUM,
        outbound: CILIUM,
        user: None,
        mark: None,
    },
];
