//! Makes every call of a mesh.

use std::net::SocketAddr;

use lab::client::tcp_ask;
use lab::{Envoy, Failure, Lab, Netns, Upstream, Version};

use crate::call::{Call, PORT};
use crate::fates::{self, Fate};
use crate::mesh::{Guard, LIMIT, Mesh};
use crate::meshes::MESHES;

/// What was seen of a call: the address at which it was answered, or why it was not; how many connections
/// came to the network filters of Envoy's listeners; and how many the module refused as unredirected,
/// and as Envoy's own.
#[derive(Debug)]
struct Seen {
    reached: Result<SocketAddr, Failure>,
    connections: u64,
    unredirected: u64,
    looped: u64,
}

/// Makes the calls in every version, with Envoy's own filter and guarded.
pub fn check(name: &str, guard: Guard, table: &'static str) {
    let mesh = MESHES.into_iter().find(|mesh| mesh.name == name);
    let mesh = mesh.expect("a mesh of this name");
    let lab = Lab::new();
    lab.gateway.ip("route add 192.0.2.0/24 via 10.2.0.2
                    route add 2001:db8:96::/64 via fd02::2");
    let _application = Upstream::start(&lab.gateway, &[PORT]);
    let _peer = Upstream::start(&lab.upstream, &[PORT, mesh.inbound.port]);
    lab.gateway.sh(mesh.rules);
    if guard == Guard::OwnMark {
        lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    }
    let calls: Vec<_> = fates::of(name, table)
        .into_iter()
        .flat_map(|(call, fates)| [(call, true, fates[0]), (call, false, fates[1])])
        .filter_map(|(call, is_ipv4, fate)| Some((call, is_ipv4, fate?)))
        .collect();
    let mut wrong = Vec::new();
    for version in Version::under_test() {
        let [builtin, guarded] = [None, Some(guard)].map(|guard| {
            let envoy = mesh.envoy(&lab, version, guard).start();
            let make = |&(call, is_ipv4, _): &(Call, bool, _)| {
                let to = call.address(&mesh, is_ipv4);
                make(&envoy, &mesh, call.host(&lab), to)
            };
            calls.iter().map(make).collect::<Vec<_>>()
        });
        for ((call, builtin), guarded) in calls.iter().zip(builtin).zip(guarded) {
            if !is_right(call.2, guard, &builtin, &guarded) {
                wrong.push(format!(
                    "{call:?} in {version}: {builtin:?}, guarded {guarded:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

fn make(envoy: &Envoy, mesh: &Mesh, host: &Netns, to: SocketAddr) -> Seen {
    let before = counts(envoy, mesh);
    let answer = tcp_ask(host, to);
    let after = counts(envoy, mesh);
    Seen {
        reached: answer.map(|answer| answer.reached.local),
        connections: after[0] - before[0],
        unredirected: after[1] - before[1],
        looped: after[2] - before[2],
    }
}

fn counts(envoy: &Envoy, mesh: &Mesh) -> [u64; 3] {
    let stats = envoy.idle_stats();
    let ports = mesh
        .redirected()
        .into_iter()
        .map(|redirected| redirected.port);
    let totals: Vec<_> = ports
        .map(|port| format!("_{port}.downstream_cx_total"))
        .collect();
    let sum = |is_counted: &dyn Fn(&str) -> bool| {
        let counted = stats.iter().filter(|(name, _)| is_counted(name));
        counted.map(|(_, count)| count).sum()
    };
    [
        sum(&|name| totals.iter().any(|total| name.ends_with(total))),
        sum(&|name| name.ends_with(".original_dst.unredirected")),
        sum(&|name| name.ends_with(".original_dst.looped")),
    ]
}

/// Whether Envoy's own filter does what the table says, and the guard only what it should.
fn is_right(fate: Fate, guard: Guard, builtin: &Seen, guarded: &Seen) -> bool {
    let is_reached = builtin.reached.is_ok();
    let (is_same, is_refused) = (is_same(builtin, guarded), is_refused(guard, guarded));
    match fate {
        Fate::Reaches(connections) => is_reached && builtin.connections == connections && is_same,
        Fate::ReachesUnredirected if guard == Guard::OutboundPort => is_reached && is_same,
        Fate::ReachesUnredirected => is_reached && is_refused,
        Fate::Loops => builtin.connections > LIMIT && is_refused,
        Fate::Ends => !is_reached && builtin.connections <= 1 && (is_same || is_refused),
    }
}

/// Whether the guard makes no difference.
fn is_same(builtin: &Seen, guarded: &Seen) -> bool {
    let seen = |seen: &Seen| (seen.reached.clone().ok(), seen.connections);
    seen(builtin) == seen(guarded)
}

/// Whether the guard ends a connection: at once, or when what Envoy makes of it comes back.
fn is_refused(guard: Guard, seen: &Seen) -> bool {
    let ends = match guard {
        Guard::Ports | Guard::OutboundPort => [0, 1, 0],
        Guard::OwnMark => [1, seen.unredirected, 1],
    };
    let is_closed = seen.reached.as_ref().is_err_and(Failure::is_closed);
    is_closed && [seen.connections, seen.unredirected, seen.looped] == ends
}
