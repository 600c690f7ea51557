//! The rows of `docs/meshes.md`: a mesh, and the options that guard it.

use crate::call::Call;
use crate::fates::{self, Fate};
use crate::mesh::{Guard, Mesh, Redirected};
use crate::meshes::MESHES;

/// A row.
pub struct Row {
    pub name: &'static str,
    mesh: &'static str,
    pub guard: Guard,
    /// The name of the options in the page.
    pub options: &'static str,
}

const fn row(name: &'static str, mesh: &'static str, guard: Guard, options: &'static str) -> Row {
    Row {
        name,
        mesh,
        guard,
        options,
    }
}

/// All of them.
pub const ROWS: [Row; 13] = [
    row("Istio, REDIRECT", "istio", Guard::Ports, "sidecar"),
    row("Istio, TPROXY", "istio/tproxy", Guard::Ports, "sidecar"),
    row(
        "ambient's rules, by port",
        "ambient",
        Guard::Ports,
        "sidecar",
    ),
    row(
        "ambient's rules, by mark",
        "ambient",
        Guard::OwnMark,
        "mark",
    ),
    row("Kuma", "kuma", Guard::Ports, "sidecar"),
    row(
        "Consul, outbound",
        "consul",
        Guard::OutboundPort,
        "outbound",
    ),
    row(
        "Consul, both: do not",
        "consul",
        Guard::Ports,
        "consul-both",
    ),
    row("AWS App Mesh", "app-mesh", Guard::Ports, "app-mesh"),
    row(
        "Open Service Mesh",
        "open-service-mesh",
        Guard::Ports,
        "osm",
    ),
    row("Cilium", "cilium", Guard::Ports, "cilium"),
    row(
        "hostNetwork, by port: not enough",
        "host-network",
        Guard::Ports,
        "outbound",
    ),
    row(
        "hostNetwork, by mark",
        "host-network",
        Guard::OwnMark,
        "mark",
    ),
    row("hostNetwork, denied", "host-network", Guard::Denied, "deny"),
];

impl Row {
    pub fn mesh(&self) -> Mesh {
        let mut meshes = MESHES.into_iter();
        meshes
            .find(|mesh| mesh.name == self.mesh)
            .expect("a mesh of this name")
    }

    /// Whether the module guards this listener. Envoy's own filter serves the others.
    pub fn guards(&self, listener: Redirected) -> bool {
        self.guard != Guard::OutboundPort || listener == self.mesh().outbound
    }

    /// Whether a call loops with the guard as well.
    pub fn lets_loop(&self, fate: Fate) -> bool {
        fate == Fate::LoopsByService && self.guard == Guard::Ports
    }

    /// Whether the guard refuses a call that is answered without.
    pub fn loses(&self, fate: Fate) -> bool {
        fate == Fate::ReachesUnredirected && self.guard == Guard::Ports
    }

    /// The calls, each with its fate by IPv4 and by IPv6.
    pub fn calls(&self) -> Vec<(Call, [Option<Fate>; 2])> {
        fates::of(self.mesh)
    }
}
