//! What the whole proxy costs, with traffic that goes somewhere: through a real REDIRECT rule and an
//! `ORIGINAL_DST` cluster to an origin, from clients that start the next exchange as soon as they have
//! the answer (for the capacity, and the processor time of an exchange), and from clients that start
//! them at a fixed rate (for the latency). Instructions, which callgrind counts, are those of one client.

mod client;
mod figures;
mod goals;
mod instructions;
mod layout;
mod load;
mod memory;
mod origin;
mod round;
mod site;
mod subject;
mod table;

use lab::Version;

use crate::machine::Machine;
use crate::plot;
use crate::progress::Progress;
use crate::report::Report;
use figures::Measured;
use layout::layouts;
use site::Site;
use subject::Subject;

pub use client::Kind;
pub use figures::{Figures, OfKind, Row};

/// How many rounds there are if nobody says.
const ROUNDS: usize = 40;
/// The rounds between two signs of life.
const ROUNDS_A_STEP: usize = 5;

/// Measures it, and tells.
pub fn run(version: Version, rounds: Option<usize>) {
    let figures = Figures::new(measure(version, rounds.unwrap_or(ROUNDS)));
    let report = Report {
        goals: goals::goals(&figures),
        figures,
    };
    table::print(&report.figures);
    report.finish("end-to-end", &plot::end_to_end::draw(&report.figures));
}

fn measure(version: Version, rounds: usize) -> Measured {
    let layouts = layouts();
    let mut progress =
        Progress::new(2 * Subject::passing().count() + rounds.div_ceil(ROUNDS_A_STEP));
    let site = Site::new(version, &layouts);
    let instructions = |subject: Subject| {
        progress.step(format_args!("instructions: {}", subject.name()));
        instructions::count(&site, subject, &layouts[0])
    };
    let instructions = Subject::passing().map(instructions).collect();
    let memory = |subject: Subject| {
        progress.step(format_args!("open connections: {}", subject.name()));
        memory::measure(&site, subject, &layouts[0])
    };
    let memory = Subject::passing().map(memory).collect();
    let round = |round| {
        if round % ROUNDS_A_STEP == 0 {
            progress.step(format_args!("end to end: round {} of {rounds}", round + 1));
        }
        round::round(&site, &layouts)
    };
    Measured {
        machine: Machine::here(version),
        instructions,
        memory,
        rounds: (0..rounds).map(round).collect(),
        layouts,
    }
}
