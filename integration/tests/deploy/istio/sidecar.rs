//! A pod with a sidecar, before and after the patches.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab::address::{GATEWAY_V4, GATEWAY_V6};
use lab::module::is_module;
use lab::{Lab, Upstream};
use serde_json::Value;

use super::envoy_filter::{Context, EnvoyFilter};
use super::patch;
use super::pilot::{self, Mode, bootstrap, service};
use crate::PORT;
use crate::manifest::Manifest;

/// A port that no service has.
pub const OTHER: u16 = 8081;
/// The service of which the pod is the endpoint.
pub const SERVICE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
pub const SERVICE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x96, 0, 0, 0, 0, 0x10));

/// The pod is the gateway of the lab, with Istio's rules; two more hosts are outside.
pub struct Pod {
    pub lab: Lab,
    _servers: [Upstream; 2],
}

impl Pod {
    pub fn new(mode: Mode) -> Self {
        let lab = Lab::new();
        lab.gateway.ip("route add 192.0.2.0/24 via 10.2.0.2
                        route add 2001:db8:96::/64 via fd02::2");
        let servers = [&lab.gateway, &lab.upstream];
        let servers = servers.map(|host| Upstream::start(host, &[PORT, OTHER]));
        mode.set_rules(&lab.gateway);
        Self {
            lab,
            _servers: servers,
        }
    }
}

/// The EnvoyFilter of `istio.yaml`.
pub fn envoy_filter() -> EnvoyFilter {
    Manifest::read("istio.yaml").typed("EnvoyFilter", "original-dst")
}

/// The virtual listeners, with the patches of the file.
///
/// # Panics
/// If a patch does nothing.
pub fn patched(mode: Mode) -> [Value; 2] {
    let patches = envoy_filter().spec.config_patches;
    let mut applied = 0;
    let listeners = [
        (Context::SidecarOutbound, pilot::virtual_outbound(mode)),
        (Context::SidecarInbound, pilot::virtual_inbound(mode)),
    ]
    .map(|(context, mut listener)| {
        applied += patch::apply(&patches, context, &mut listener);
        assert!(is_module(&listener["listener_filters"][0]), "{context:?}");
        listener
    });
    assert_eq!(applied, patches.len(), "a patch does nothing");
    listeners
}

/// The whole config, with listeners of two services: one elsewhere, one whose endpoint is this pod.
pub fn config(virtual_listeners: [Value; 2]) -> Value {
    let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let [any_v4, any_v6]: [IpAddr; 2] = any;
    let services = [
        service("0.0.0.0_8080", any_v4, "PassthroughCluster"),
        service("[::]_8080", any_v6, "PassthroughCluster"),
        service("192.0.2.10_8080", SERVICE_V4, "service_ipv4"),
        service("[2001:db8:96::10]_8080", SERVICE_V6, "service_ipv6"),
    ];
    let endpoints = [GATEWAY_V4, GATEWAY_V6].map(|ip| SocketAddr::new(ip, PORT));
    bootstrap(virtual_listeners.into_iter().chain(services), endpoints)
}
