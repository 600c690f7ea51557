//! The whole suite: every scenario in every Envoy, and the summary.

use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use lab::{Lab, Upstream, Version};

use crate::judge::Three;
use crate::run::{self, Placed};
use crate::scenario::{Bench, Scenario};
use crate::site::{self, FIXED_UPSTREAM, Kind, Ports};
use crate::summary::Summary;
use crate::traffic;

/// The first ports of scenarios; the kernel chooses none so low.
const DESTINATIONS: u16 = 20_000;
const LISTENERS: u16 = 10_000;

/// Ports that scenarios ask for besides their own.
const FURTHER_PORTS: [u16; 2] = [8080, 65_535];

/// Runs the scenarios in the Envoys under test: how many passed, how many failed.
pub fn run(scenarios: Vec<Scenario>) -> (usize, usize) {
    let placed: Vec<(Scenario, Ports)> = (0..).zip(scenarios).map(place).collect();
    let benches = [Bench::Shared, Bench::Untracked].map(|bench| Stage::new(bench, &placed));
    fs::create_dir(site::directory()).expect("make a directory for pipes");
    let (mut passed, mut failed) = (0, 0);
    for version in Version::under_test() {
        let mut summary = Summary::new(version);
        for bench in &benches {
            bench.run(version, &placed, &mut summary);
        }
        passed += summary.passed();
        failed += summary.failed();
        println!("{summary}");
    }
    fs::remove_dir_all(site::directory()).expect("remove the directory just made");
    (passed, failed)
}

fn place((index, scenario): (u16, Scenario)) -> (Scenario, Ports) {
    let ports = Ports {
        destination: DESTINATIONS + index,
        listener: LISTENERS + index,
    };
    (scenario, ports)
}

/// The hosts of some scenarios, with their rules and upstreams.
struct Stage {
    bench: Bench,
    lab: Lab,
    _upstreams: Vec<Upstream>,
}

impl Stage {
    fn new(bench: Bench, placed: &[(Scenario, Ports)]) -> Self {
        let lab = Lab::new();
        traffic::addresses(&lab);
        if bench == Bench::Shared {
            // Also if the scenarios selected have no rule that would.
            lab.gateway.track();
        }
        let here = placed
            .iter()
            .filter(|(scenario, _)| stage(scenario) == bench);
        let (mut asked, mut spoken_to) = (Vec::from(FURTHER_PORTS), Vec::new());
        asked.push(
            FIXED_UPSTREAM
                .parse::<SocketAddr>()
                .expect("an address")
                .port(),
        );
        for (scenario, ports) in here {
            scenario
                .rules
                .iter()
                .for_each(|rules| rules.apply(&lab, *ports));
            let is_silent = |ask: &traffic::Ask| {
                matches!(ask.how, traffic::How::Listen | traffic::How::HalfClose)
            };
            if scenario.asks.iter().any(is_silent) {
                spoken_to.push(ports.destination);
            } else {
                asked.push(ports.destination);
            }
        }
        let upstreams = vec![
            Upstream::start(&lab.upstream, &asked),
            Upstream::start(&lab.gateway, &asked),
            Upstream::start_speaking_first(&lab.upstream, &spoken_to),
        ];
        Self {
            bench,
            lab,
            _upstreams: upstreams,
        }
    }

    fn run(&self, version: Version, placed: &[(Scenario, Ports)], summary: &mut Summary) {
        let here: Vec<Placed> = placed
            .iter()
            .filter(|(scenario, _)| {
                stage(scenario) == self.bench && scenario.versions.contains(&version)
            })
            .map(|(scenario, ports)| (scenario, *ports))
            .collect();
        let (alone, together): (Vec<Placed>, Vec<Placed>) = here
            .into_iter()
            .partition(|(scenario, _)| scenario.bench == Bench::Alone);
        for group in alone
            .chunks(1)
            .chain(Some(together.as_slice()).filter(|all| !all.is_empty()))
        {
            for (placed, three) in group.iter().zip(self.three(version, group)) {
                summary.add(*placed, &three);
            }
        }
    }

    fn three(&self, version: Version, group: &[Placed]) -> Vec<Three> {
        let mut runs = Kind::ALL.map(|kind| {
            let start = Instant::now();
            let observed = run::run(&self.lab, version, kind, group);
            println!(
                "{version} {kind:?}: {} scenarios in {:.1?}",
                group.len(),
                start.elapsed()
            );
            observed.into_iter()
        });
        let mut next = || {
            runs.each_mut()
                .map(|run| run.next().expect("one for each scenario"))
        };
        (0..group.len())
            .map(|_| {
                let [builtin, module, nothing] = next();
                Three {
                    builtin,
                    module,
                    nothing,
                }
            })
            .collect()
    }
}

/// Where a scenario's hosts are.
fn stage(scenario: &Scenario) -> Bench {
    match scenario.bench {
        Bench::Untracked => Bench::Untracked,
        Bench::Shared | Bench::Alone => Bench::Shared,
    }
}
