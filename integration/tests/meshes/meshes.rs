//! The meshes, after the rules that they install.

use lab::address::{GATEWAY_V4, GATEWAY_V6};

use crate::call::{SERVICE_V4, SERVICE_V6};
use crate::mesh::{LeadsTo, Mesh, Redirected, Unbound};

const BOTH: &[&str] = &["[::]"];
const V4: &[&str] = &["0.0.0.0"];

const OUTBOUND: Redirected = Redirected {
    port: 15001,
    hosts: BOTH,
    is_transparent: false,
    hands_to: &[],
    leads_to: LeadsTo::Endpoint,
};
/// What asks for the service is handed over.
const OUTBOUND_HANDING: Redirected = Redirected {
    hands_to: &[
        Unbound {
            ip: SERVICE_V4,
            cluster: "service_ipv4",
        },
        Unbound {
            ip: SERVICE_V6,
            cluster: "service_ipv6",
        },
    ],
    leads_to: LeadsTo::Destination,
    ..OUTBOUND
};
const INBOUND: Redirected = Redirected {
    port: 15006,
    leads_to: LeadsTo::Application,
    ..OUTBOUND
};
/// What asks for the pod's application is handed over.
const INBOUND_HANDING: Redirected = Redirected {
    hands_to: &[
        Unbound {
            ip: GATEWAY_V4,
            cluster: "application",
        },
        Unbound {
            ip: GATEWAY_V6,
            cluster: "application",
        },
    ],
    ..INBOUND
};
/// For what a node forwards.
const NODE: Redirected = Redirected {
    leads_to: LeadsTo::Destination,
    ..OUTBOUND
};
const CILIUM: Redirected = Redirected {
    port: 10000,
    hosts: &["127.0.0.1", "[::1]"],
    is_transparent: true,
    ..OUTBOUND
};

/// All of them.
pub const MESHES: [Mesh; 9] = [
    Mesh {
        name: "istio",
        rules: "istio_redirect.sh",
        inbound: INBOUND,
        outbound: OUTBOUND_HANDING,
        user: Some(1337),
        mark: None,
    },
    Mesh {
        name: "istio/tproxy",
        rules: "istio_tproxy.sh",
        inbound: Redirected {
            is_transparent: true,
            ..INBOUND
        },
        outbound: Redirected {
            is_transparent: true,
            ..OUTBOUND_HANDING
        },
        user: None,
        mark: None,
    },
    Mesh {
        name: "ambient",
        rules: "ambient.sh",
        inbound: Redirected {
            leads_to: LeadsTo::Endpoint,
            ..INBOUND
        },
        outbound: OUTBOUND,
        user: None,
        mark: Some(0x539),
    },
    Mesh {
        name: "kuma",
        rules: "kuma.sh",
        inbound: INBOUND_HANDING,
        outbound: OUTBOUND_HANDING,
        user: Some(5678),
        mark: None,
    },
    Mesh {
        name: "consul",
        rules: "consul.sh",
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
        rules: "app_mesh.sh",
        inbound: Redirected {
            port: 15000,
            hosts: V4,
            leads_to: LeadsTo::Endpoint,
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
        rules: "open_service_mesh.sh",
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
        rules: "cilium.sh",
        inbound: CILIUM,
        outbound: CILIUM,
        user: None,
        mark: None,
    },
    Mesh {
        name: "host-network",
        rules: "host_network.sh",
        inbound: NODE,
        outbound: NODE,
        user: None,
        mark: Some(0x539),
    },
];
