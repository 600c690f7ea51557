//! Who calls whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab::address::*;
use lab::{Lab, Netns};

use crate::mesh::Mesh;

/// The application's port, in the pod and elsewhere.
pub const PORT: u16 = 8080;
/// The service of which the pod is an endpoint.
pub const SERVICE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
pub const SERVICE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x96, 0, 0, 0, 0, 0x10));

/// A call. The pod is the gateway of the lab, and two more hosts are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub from: From,
    pub to: To,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Outside,
    Pod,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The pod's application, at the pod's address.
    Pod,
    /// The same, on loopback.
    Loopback,
    /// The same, by the service's address.
    Service,
    /// The application of another host.
    Peer,
    /// Another host, at a port of the number that a listener of the pod has.
    PeerInbound,
    /// A listener that connections are redirected to, at the pod's address and on loopback.
    Inbound,
    Outbound,
    LoopbackInbound,
    LoopbackOutbound,
}

impl Call {
    /// Reads `from>to`.
    pub fn parse(text: &str) -> Self {
        let (from, to) = text.split_once('>').expect("from>to");
        let from = match from {
            "outside" => From::Outside,
            "pod" => From::Pod,
            _ => panic!("nobody: {from}"),
        };
        let to = match to {
            "pod" => To::Pod,
            "lo" => To::Loopback,
            "service" => To::Service,
            "peer" => To::Peer,
            "peer:in" => To::PeerInbound,
            "pod:in" => To::Inbound,
            "pod:out" => To::Outbound,
            "lo:in" => To::LoopbackInbound,
            "lo:out" => To::LoopbackOutbound,
            _ => panic!("nobody: {to}"),
        };
        Self { from, to }
    }

    pub fn host(self, lab: &Lab) -> &Netns {
        match self.from {
            From::Outside => &lab.client,
            From::Pod => &lab.gateway,
        }
    }

    pub fn address(self, mesh: &Mesh, is_ipv4: bool) -> SocketAddr {
        let of = |v4: IpAddr, v6: IpAddr| if is_ipv4 { v4 } else { v6 };
        let pod = of(GATEWAY_V4, GATEWAY_V6);
        let loopback = of(Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        let peer = of(UPSTREAM_V4, UPSTREAM_V6);
        let (ip, port) = match self.to {
            To::Pod => (pod, PORT),
            To::Loopback => (loopback, PORT),
            To::Service => (of(SERVICE_V4, SERVICE_V6), PORT),
            To::Peer => (peer, PORT),
            To::PeerInbound => (peer, mesh.inbound.port),
            To::Inbound => (pod, mesh.inbound.port),
            To::Outbound => (pod, mesh.outbound.port),
            To::LoopbackInbound => (loopback, mesh.inbound.port),
            To::LoopbackOutbound => (loopback, mesh.outbound.port),
        };
        SocketAddr::new(ip, port)
    }
}
