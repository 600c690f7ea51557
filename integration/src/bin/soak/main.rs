//! A million connections of every kind through a real Envoy whose listeners change all the while:
//! none may be lost or reach the wrong destination, the counters must add up, and neither memory
//! nor open files may grow.
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
mod site;

use std::env;
use std::process::ExitCode;
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

use lab::{Envoy, Lab, Version};

use crowd::Crowd;
use kinds::{FIXED, OF_GUEST, REDIRECTED, TPROXIED, kinds};
use listeners::ROUND;
use memory::{Sample, open_files};
use report::Report;
use site::{Site, wait};

const UPDATE: Duration = Duration::from_secs(2);
const SAMPLE: Duration = Duration::from_secs(1);
const PROGRESS: Duration = Duration::from_secs(5);

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
    let mut site = Site::new(is_builtin);
    let envoy = site.start(&lab, version);
    let crowd = Crowd::new(kinds(is_builtin));
    let guest = RwLock::new(false);
    let files_before = open_files(&envoy);
    let began = Instant::now();
    let samples = thread::scope(|scope| {
        scope.spawn(|| crowd.run(&lab.client, &guest));
        let _stop = Stop(&crowd);
        watch(wanted, &crowd, &envoy, |envoy| {
            site.update(&lab, envoy, &guest)
        })
    });
    let took = began.elapsed();
    while !site.updates().is_multiple_of(ROUND) {
        site.update(&lab, &envoy, &guest);
    }
    wait(
        "that no connection and no replaced listener is left",
        || is_idle(&envoy),
    );

    let report = Report {
        version,
        is_builtin,
        took,
        updates: site.updates(),
        files: (files_before, open_files(&envoy)),
        stats: envoy.stats(),
        samples,
        crowd,
    };
    match report.finish() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Updates, samples and tells of progress, until there are as many connections as wanted.
fn watch(wanted: u64, crowd: &Crowd, envoy: &Envoy, mut update: impl FnMut(&Envoy)) -> Vec<Sample> {
    let began = Instant::now();
    let (mut samples, mut updates) = (Vec::new(), 0);
    let mut told = 0;
    while crowd.done() < wanted || updates < ROUND {
        thread::sleep(SAMPLE);
        let done = crowd.done();
        let sample = Sample::take(envoy, done);
        samples.push(sample);
        let elapsed = began.elapsed();
        if elapsed >= UPDATE * (updates + 1) {
            update(envoy);
            updates += 1;
        }
        if elapsed >= PROGRESS * (told + 1) {
            told += 1;
            report::progress(wanted, elapsed, &sample);
        }
    }
    samples
}

fn is_idle(envoy: &Envoy) -> bool {
    let stats = envoy.stats();
    let mut connections = stats
        .iter()
        .filter(|(name, _)| name.ends_with("_cx_active") && !name.contains("admin."));
    stats["listener_manager.total_listeners_draining"] == 0 && connections.all(|(_, n)| *n == 0)
}

/// Stops the clients when it is dropped, also by a panic.
struct Stop<'a>(&'a Crowd);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
