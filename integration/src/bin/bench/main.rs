//! What the module costs, in the newest Envoy: for each connection that is [accepted](accept), and
//! [from end to end](end_to_end), with traffic that goes somewhere.
//!
//! It prints tables and the goals, and writes `target/bench`. Environment variables: `ROUNDS` says
//! how many rounds there are; `PART` is `instructions` or `end-to-end`, both if not said.

mod accept;
mod callgrind;
mod dump;
mod end_to_end;
mod estimate;
mod feed;
mod figures;
mod goal;
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

use std::env;

use lab::Version;

/// Fewer rounds say too little.
const FEWEST_ROUNDS: usize = 10;

fn main() {
    let version = Version::under_test().into_iter().max().expect("a version");
    let part = env::var("PART").unwrap_or_default();
    let (accept, end_to_end) = match part.as_str() {
        "" => (true, true),
        "instructions" => (true, false),
        "end-to-end" => (false, true),
        _ => panic!("PART: instructions or end-to-end"),
    };
    let rounds = rounds();
    if accept {
        accept::run(version, rounds);
    }
    if end_to_end {
        end_to_end::run(version, rounds);
    }
}

fn rounds() -> Option<usize> {
    let rounds = env::var("ROUNDS").ok()?;
    let rounds = rounds.parse().expect("ROUNDS: a number");
    assert!(rounds >= FEWEST_ROUNDS, "ROUNDS: {FEWEST_ROUNDS} at least");
    Some(rounds)
}
