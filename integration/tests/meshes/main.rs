//! Rules as meshes install them, each with an Envoy as the mesh has it: clients outside, in the pod,
//! and at the listeners themselves. Guarded, nothing loops, and whatever reaches its destination with
//! Envoy's own filter still does. `docs/meshes.md` is the list of it, with the options.

mod call;
mod fates;
mod mesh;
mod meshes;
mod page;
mod rows;
mod run;

use meshes::MESHES;
use rows::ROWS;
use run::check;

/// A test for each row.
macro_rules! rows {
    ($($test:ident: $row:literal,)*) => {
        $(#[test]
        fn $test() {
            check($row);
        })*

        const TESTED: &[&str] = &[$($row),*];
    };
}

rows! {
    istio: "Istio, REDIRECT",
    istio_tproxy: "Istio, TPROXY",
    ambient: "ambient's rules, by port",
    ambient_by_mark: "ambient's rules, by mark",
    kuma: "Kuma",
    consul: "Consul, outbound",
    consul_both: "Consul, both: do not",
    app_mesh: "AWS App Mesh",
    open_service_mesh: "Open Service Mesh",
    cilium: "Cilium",
    host_network: "hostNetwork, by port: not enough",
    host_network_by_mark: "hostNetwork, by mark",
    host_network_denied: "hostNetwork, denied",
}

#[test]
fn every_row_is_tested() {
    assert_eq!(TESTED, ROWS.map(|row| row.name));
}

#[test]
fn every_mesh_has_its_fates() {
    assert_eq!(fates::names(), MESHES.map(|mesh| mesh.name));
}
