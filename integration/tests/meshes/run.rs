//! Makes every call of a mesh.

use std::fs;
use std::net::SocketAddr;

use lab::client::tcp_ask;
use lab::kernel::Feature;
use lab::{Envoy, Failure, Lab, Netns, Upstream, Version, workspace};

use crate::call::{Call, PORT};
use crate::fates::Fate;
use crate::mesh::{Guard, LIMIT, Mesh};
use crate::rows::{ROWS, Row};

/// What was seen of a call: the address at which it was answered, or why it was not; how many connections
/// came to the network filters of Envoy's listeners, and how many of them to those that are not bound;
/// and how many the module refused as unredirected, as Envoy's own, and as denied.
#[derive(Debug)]
struct Seen {
    reached: Result<SocketAddr, Failure>,
    connections: u64,
    handed_over: u64,
    unredirected: u64,
    looped: u64,
    denied: u64,
}

/// Makes the calls of a row in every version, with Envoy's own filter and guarded.
pub fn check(name: &str) {
    let row = ROWS.iter().find(|row| row.name == name).expect("a row");
    let needs_marks = row.guard == Guard::OwnMark;
    if needs_marks && Feature::FwmarkAccept.is_missing_for(name) {
        return;
    }
    let mesh = row.mesh();
    let lab = Lab::new();
    lab.gateway.ip("route add 192.0.2.0/24 via 10.2.0.2
                    route add 2001:db8:96::/64 via fd02::2");
    let _application = Upstream::start(&lab.gateway, &[PORT]);
    let _peer = Upstream::start(&lab.upstream, &[PORT, mesh.inbound.port]);
    lab.gateway.sh(&rules(&mesh));
    if needs_marks {
        lab.gateway.sysctl("net/ipv4/tcp_fwmark_accept", "1");
    }
    let calls: Vec<_> = row
        .calls()
        .into_iter()
        .flat_map(|(call, fates)| [(call, true, fates[0]), (call, false, fates[1])])
        .filter_map(|(call, is_ipv4, fate)| Some((call, is_ipv4, fate?)))
        .collect();
    let mut wrong = Vec::new();
    for version in Version::under_test() {
        let [builtin, guarded] = [None, Some(row)].map(|guard| {
            let envoy = mesh.envoy(&lab, version, guard).start();
            let make = |&(call, is_ipv4, _): &(Call, bool, _)| {
                let to = call.address(&mesh, is_ipv4);
                make(&envoy, &mesh, call.host(&lab), to)
            };
            calls.iter().map(make).collect::<Vec<_>>()
        });
        let mut found = [0; 3];
        let mut expected = [0; 3];
        for ((call, builtin), guarded) in calls.iter().zip(builtin).zip(guarded) {
            let fate = call.2;
            let is_lost = builtin.reached.is_ok() && guarded.reached.is_err();
            add(&mut found, [builtin.is_loop(), guarded.is_loop(), is_lost]);
            let loops = matches!(fate, Fate::Loops | Fate::LoopsByService);
            add(&mut expected, [loops, row.lets_loop(fate), row.loses(fate)]);
            if !is_right(fate, row, &builtin, &guarded) {
                wrong.push(format!(
                    "{call:?} in {version}: {builtin:?}, guarded {guarded:?}"
                ));
            }
        }
        let [loops, loops_guarded, lost] = found;
        let of = calls.len();
        println!(
            "{name}, {version}: {of} calls, {loops} loop, guarded {loops_guarded}; {lost} lost"
        );
        assert_eq!(found, expected, "{name}, {version}:\n{}", wrong.join("\n"));
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

fn add(sums: &mut [usize; 3], are: [bool; 3]) {
    for (sum, is) in sums.iter_mut().zip(are) {
        *sum += usize::from(is);
    }
}

fn rules(mesh: &Mesh) -> String {
    let file = workspace()
        .join("integration/tests/meshes/rules")
        .join(mesh.rules);
    fs::read_to_string(file).expect("a file of rules")
}

fn make(envoy: &Envoy, mesh: &Mesh, host: &Netns, to: SocketAddr) -> Seen {
    let before = counts(envoy, mesh);
    let answer = tcp_ask(host, to);
    let after = counts(envoy, mesh);
    let [bound, handed_over, unredirected, looped, denied] =
        std::array::from_fn(|count| after[count] - before[count]);
    Seen {
        reached: answer.map(|answer| answer.reached.local),
        connections: bound + handed_over,
        handed_over,
        unredirected,
        looped,
        denied,
    }
}

/// Of bound listeners, of those that are not, and of the module's refusals.
fn counts(envoy: &Envoy, mesh: &Mesh) -> [u64; 5] {
    let stats = envoy.idle_stats();
    let total = |port| format!("_{port}.downstream_cx_total");
    let ports = mesh.redirected().into_iter().map(|bound| bound.port);
    let bound: Vec<_> = ports.map(total).collect();
    let unbound = total(PORT);
    let sum = |is_counted: &dyn Fn(&str) -> bool| {
        let counted = stats.iter().filter(|(name, _)| is_counted(name));
        counted.map(|(_, count)| count).sum()
    };
    [
        sum(&|name| bound.iter().any(|total| name.ends_with(total))),
        sum(&|name| name.ends_with(&unbound)),
        sum(&|name| name.ends_with(".original_dst.unredirected")),
        sum(&|name| name.ends_with(".original_dst.looped")),
        sum(&|name| name.ends_with(".original_dst.denied")),
    ]
}

impl Seen {
    fn is_loop(&self) -> bool {
        self.connections > LIMIT
    }
}

/// Whether Envoy's own filter does what the table says, and the guard only what it should.
fn is_right(fate: Fate, row: &Row, builtin: &Seen, guarded: &Seen) -> bool {
    let is_reached = builtin.reached.is_ok();
    let (is_same, is_refused) = (
        is_same(builtin, guarded),
        is_refused(fate, row.guard, guarded),
    );
    match fate {
        Fate::Reaches {
            connections,
            handed_over,
        } => {
            let is_right = [builtin.connections, builtin.handed_over] == [connections, handed_over];
            is_reached && is_right && is_same
        }
        Fate::ReachesUnredirected if row.loses(fate) => is_reached && is_refused,
        Fate::ReachesUnredirected => is_reached && is_same,
        Fate::Loops | Fate::LoopsByService if row.lets_loop(fate) => {
            builtin.is_loop() && guarded.is_loop()
        }
        Fate::Loops | Fate::LoopsByService => builtin.is_loop() && is_refused,
        Fate::Ends => !is_reached && builtin.connections <= 1 && (is_same || is_refused),
    }
}

/// Whether the guard makes no difference.
fn is_same(builtin: &Seen, guarded: &Seen) -> bool {
    let seen = |seen: &Seen| {
        (
            seen.reached.clone().ok(),
            seen.connections,
            seen.handed_over,
        )
    };
    seen(builtin) == seen(guarded)
}

/// Whether the guard ends a connection: at once, or when what Envoy makes of it comes back.
fn is_refused(fate: Fate, guard: Guard, seen: &Seen) -> bool {
    let ends = match guard {
        Guard::Denied if fate == Fate::LoopsByService => [0, 0, 0, 1],
        Guard::Ports | Guard::OutboundPort | Guard::Denied => [0, 1, 0, 0],
        Guard::OwnMark => [1, seen.unredirected, 1, 0],
    };
    let is_closed = seen.reached.as_ref().is_err_and(Failure::is_closed);
    let counts = [
        seen.connections,
        seen.unredirected,
        seen.looped,
        seen.denied,
    ];
    is_closed && counts == ends
}
