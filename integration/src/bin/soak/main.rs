//! A million connections of every kind through a real Envoy whose listeners (LDS) and filters (ECDS)
//! change all the while: none may be lost or reach the wrong destination, the counters must add up,
//! and neither memory nor open files may grow.
//!
//! `CONNECTIONS` says how many, `ENVOY_VERSION` in which Envoy, `REPORT` where the figures go if not
//! to `target/soak/report.json`; `--builtin` puts Envoy's own filter
//! in the place of the module, for comparison, in the kinds that it serves.

mod answerer;
mod counters;
mod crowd;
mod goals;
mod kernel;
mod kinds;
mod listeners;
mod memory;
mod report;
mod run;
mod site;

use std::env;
use std::process::ExitCode;
use std::sync::RwLock;
use std::time::{Duration, Instant};

use lab::{Lab, Version};

use crowd::Crowd;
use kinds::{FIXED, OF_GUEST, REDIRECTED, TPROXIED, kinds};
use listeners::ROUND;
use memory::open_files;
use report::Report;
use run::{Run, Stage};
use site::Site;

/// Envoy's heap grows with the first updates, with any filter; then it has found its size.
const WARM_UP: Stage = Stage {
    connections: 0,
    updates: 120,
    period: Duration::from_millis(200),
};
/// Fewer connections say nothing of growth.
const ENOUGH_FOR_GROWTH: u64 = 200_000;
const STAGES: u64 = 10;

fn main() -> ExitCode {
    let is_builtin = env::args().any(|argument| argument == "--builtin");
    let wanted = env::var("CONNECTIONS").map_or(1_000_000, |number| {
        number.parse().expect("CONNECTIONS is a number")
    });
    let version = Version::under_test().into_iter().max().expect("a version");
    let filter = if is_builtin {
        "Envoy's own filter"
    } else {
        "the module"
    };
    println!("{wanted} connections through Envoy {version} with {filter}");

    let lab = Lab::new();
    kernel::set_up(&lab);
    answerer::start(&lab.upstream, &[REDIRECTED, TPROXIED, OF_GUEST, FIXED]);
    let site = Site::new(is_builtin);
    let envoy = site.start(&lab, version);
    let crowd = Crowd::new(kinds(is_builtin));
    let files_before = open_files(&envoy);
    let mut run = Run {
        lab: &lab,
        envoy: &envoy,
        crowd: &crowd,
        site,
        guest: RwLock::new(false),
        began: Instant::now(),
        wanted,
        busy: Vec::new(),
        idle: Vec::new(),
    };
    let mut stages = 1;
    if wanted >= ENOUGH_FOR_GROWTH {
        run.stage(WARM_UP);
        stages = STAGES;
    }
    let warm = crowd.done();
    run.wanted += warm;
    for stage in 1..=stages {
        run.stage(Stage {
            connections: warm + wanted * stage / stages,
            updates: ROUND,
            period: Duration::from_secs(2),
        });
    }

    let report = Report {
        version,
        is_builtin,
        took: run.began.elapsed(),
        updates: run.site.updates(),
        files: (files_before, open_files(&envoy)),
        stats: envoy.stats(),
        busy: run.busy,
        idle: run.idle,
        crowd: &crowd,
    };
    match report.finish() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
