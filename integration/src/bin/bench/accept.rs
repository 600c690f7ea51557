//! What it costs to accept a connection, in an Envoy with one worker, whose listener answers each
//! redirected connection at once and closes it:
//!
//! - user-space instructions, which callgrind counts, in Envoy and in pieces of the module;
//! - processor time, in rounds, with an interval in which the median lies;
//! - system calls, which strace counts;
//! - memory, the time to load rules, and the size of the library;
//! - what as many rules as feeds have take of a running Envoy.

use std::fs;

use lab::Version;

use crate::feed::{self, Kind};
use crate::figures::{Figures, Measured};
use crate::goals::goals;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::Report;
use crate::site::Site;
use crate::subject::Subject;
use crate::{callgrind, pieces, plot, process, rounds, syscalls, table};

/// How many rounds there are if nobody says.
const ROUNDS: usize = 60;
/// The rounds between two signs of life.
const ROUNDS_A_STEP: usize = 10;

/// Measures it, and tells.
pub fn run(version: Version, rounds: Option<usize>) {
    let figures = Figures::new(measure(version, rounds.unwrap_or(ROUNDS)));
    let report = Report {
        goals: goals(&figures),
        figures,
    };
    table::print(&report.figures);
    println!();
    for piece in &report.figures.pieces {
        println!("{:38} {:>12}", piece.name, piece.instructions);
    }
    println!();
    for feed in &report.figures.feeds {
        println!("{feed}");
    }
    report.finish("report", &plot::instructions::draw(&report.figures));
}

fn measure(version: Version, rounds: usize) -> Measured {
    let steps = 1 + Kind::ALL.len() + 2 * Subject::all().count() + rounds.div_ceil(ROUNDS_A_STEP);
    let mut progress = Progress::new(steps);
    progress.step("instructions of the module's pieces");
    let pieces = pieces::count();
    let site = Site::new(version);
    let feeds = feed::measure(&site, |feed| progress.step(format_args!("a feed: {feed}")));
    let instructions = |subject: Subject| {
        progress.step(format_args!("instructions: {}", subject.name()));
        callgrind::count(&site, subject)
    };
    let instructions = Subject::all().map(instructions).collect();
    let system_calls = |subject: Subject| {
        progress.step(format_args!("system calls: {}", subject.name()));
        syscalls::count(&site, subject)
    };
    let system_calls = Subject::all().map(system_calls).collect();
    let round = |round| {
        if round % ROUNDS_A_STEP == 0 {
            progress.step(format_args!(
                "CPU time and memory: round {} of {rounds}",
                round + 1
            ));
        }
        rounds::round(&site)
    };
    // One is enough: client and Envoy take turns.
    let last = process::processors().pop().expect("a processor");
    let rounds = process::on_processors(&[last], || (0..rounds).map(round).collect());
    Measured {
        machine: Machine::here(version),
        library_bytes: fs::metadata(lab::module::library())
            .expect("the library")
            .len(),
        pieces,
        feeds,
        instructions,
        system_calls,
        rounds,
    }
}
