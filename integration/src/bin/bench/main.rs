//! What the module costs, in the newest Envoy with one worker, whose listener answers each redirected
//! connection at once and closes it:
//!
//! - user-space instructions, which callgrind counts, in Envoy and in pieces of the module;
//! - processor time, in rounds, with an interval in which the median lies;
//! - system calls, which strace counts;
//! - memory, the time to load rules, and the size of the library;
//! - what as many rules as feeds have take of a running Envoy.
//!
//! It prints a table and the goals, and writes `target/bench/report.json` and `report.svg`. The
//! environment variable `ROUNDS` says how many rounds there are.

mod callgrind;
mod dump;
mod estimate;
mod feed;
mod figures;
mod goals;
mod load;
mod machine;
mod pieces;
mod plot;
mod process;
mod progress;
mod report;
mod rounds;
mod site;
mod subject;
mod syscalls;
mod table;

use std::{env, fs};

use lab::Version;

use feed::Kind;
use figures::{Figures, Measured};
use machine::Machine;
use progress::Progress;
use report::Report;
use site::Site;
use subject::Subject;

const ROUNDS: usize = 60;
/// Fewer say too little.
const FEWEST_ROUNDS: usize = 10;
/// The rounds between two signs of life.
const ROUNDS_A_STEP: usize = 10;

fn main() {
    let report = Report::new(Figures::new(measure(rounds())));
    table::print(&report.figures);
    println!();
    for piece in &report.figures.pieces {
        println!("{:38} {:>12}", piece.name, piece.instructions);
    }
    println!();
    for feed in &report.figures.feeds {
        println!("{feed}");
    }
    println!();
    for goal in &report.goals {
        println!("{goal}");
    }
    write(&report);
}

fn rounds() -> usize {
    let rounds =
        env::var("ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("ROUNDS: a number"));
    assert!(rounds >= FEWEST_ROUNDS, "ROUNDS: {FEWEST_ROUNDS} at least");
    rounds
}

fn measure(rounds: usize) -> Measured {
    let version = Version::under_test().into_iter().max().expect("a version");
    let steps = 1 + Kind::ALL.len() + 2 * Subject::ALL.len() + rounds.div_ceil(ROUNDS_A_STEP);
    let mut progress = Progress::new(steps);
    progress.step("instructions of the module's pieces");
    let pieces = pieces::count();
    let site = Site::new(version);
    let feeds = feed::measure(&site, |feed| progress.step(format_args!("a feed: {feed}")));
    let instructions = Subject::ALL.map(|subject| {
        progress.step(format_args!("instructions: {}", subject.name()));
        callgrind::count(&site, subject)
    });
    let system_calls = Subject::ALL.map(|subject| {
        progress.step(format_args!("system calls: {}", subject.name()));
        syscalls::count(&site, subject)
    });
    process::stay_on_one_processor();
    let rounds = (0..rounds).map(|round| {
        if round % ROUNDS_A_STEP == 0 {
            progress.step(format_args!(
                "CPU time and memory: round {} of {rounds}",
                round + 1
            ));
        }
        rounds::round(&site)
    });
    Measured {
        machine: Machine::here(version),
        library_bytes: fs::metadata(lab::module::library())
            .expect("the library")
            .len(),
        pieces,
        feeds,
        instructions: instructions.into(),
        system_calls: system_calls.into(),
        rounds: rounds.collect(),
    }
}

fn write(report: &Report) {
    let directory = lab::workspace().join("target/bench");
    fs::create_dir_all(&directory).expect("make target/bench");
    let json = serde_json::to_string_pretty(report).expect("JSON");
    fs::write(directory.join("report.json"), json + "\n").expect("write the report");
    fs::write(directory.join("report.svg"), plot::draw(&report.figures)).expect("write the plot");
    println!("\nAll figures: target/bench/report.json; a plot of them: target/bench/report.svg");
}
