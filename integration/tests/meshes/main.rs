//! Rules as meshes install them, each with an Envoy as the mesh has it: clients outside, in the pod,
//! and at the listeners themselves. Guarded, nothing loops, and whatever reaches its destination with
//! Envoy's own filter still does.

mod call;
mod fates;
mod mesh;
mod meshes;
mod run;

use mesh::Guard;
use meshes::MESHES;
use run::check;

/// Every mesh and every call: what becomes of it with Envoy's own filter, by IPv4 and IPv6.
///
/// The only ones that the guard takes away are `P`: peers in Consul dial the public listener on
/// purpose. Nobody redirected them, and it is no loop only because the cluster behind leads to the
/// application, whatever the destination. At such a listener the guard is out of place.
const FATES: &str = "
                  outside>pod outside>peer outside>pod:in outside>pod:out pod>peer pod>peer:in pod>pod pod>lo pod>service pod>pod:in pod>pod:out pod>lo:in pod>lo:out
istio             11          --           LL             LL              11       11          00      00     22          LL         LL          LL        LL
istio/tproxy      11          --           LL             LL              11       11          00      00     22          LL         LL          LL        LL
ambient           11          --           LL             LL              11       11          00      00     11          LL         LL          LL        LL
kuma              11          --           LL             LL              11       11          00      00     22          LL         LL          LL        LL
consul            1-          --           P-             P-              1-       1-          1-      0-     1-          P-         L-          P-        L-
app-mesh          1-          --           L-             L-              1-       1-          0-      0-     1-          L-         L-          L-        L-
open-service-mesh 1-          --           x-             x-              1-       1-          1-      0-     1-          x-         L-          x-        L-
cilium            11          11           xx             xx              00       00          00      00     --          xx         xx          LL        LL
";

#[test]
fn istio() {
    check("istio", Guard::Ports, FATES);
}

#[test]
fn istio_tproxy() {
    check("istio/tproxy", Guard::Ports, FATES);
}

#[test]
fn ambient() {
    check("ambient", Guard::Ports, FATES);
}

/// The mark that the rules exempt tells the proxy's own connections by itself.
#[test]
fn ambient_by_its_mark() {
    check("ambient", Guard::OwnMark, FATES);
}

#[test]
fn kuma() {
    check("kuma", Guard::Ports, FATES);
}

#[test]
fn consul() {
    check("consul", Guard::Ports, FATES);
}

#[test]
fn consul_but_for_the_public_listener() {
    check("consul", Guard::OutboundPort, FATES);
}

#[test]
fn app_mesh() {
    check("app-mesh", Guard::Ports, FATES);
}

#[test]
fn open_service_mesh() {
    check("open-service-mesh", Guard::Ports, FATES);
}

#[test]
fn cilium() {
    check("cilium", Guard::Ports, FATES);
}

#[test]
fn every_mesh_has_its_row() {
    let rows = fates::names(FATES);
    assert_eq!(rows, MESHES.map(|mesh| mesh.name));
}
