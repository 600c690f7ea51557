//! Accepts connections of one kind on the fake host: `accept KIND COUNT`. The ledger counts its
//! instructions; it also serves a profiler.

#![allow(clippy::expect_used)]

use std::env;
use std::hint::black_box;

use fake_host::log::{self, Level};

#[path = "../benches/cases/mod.rs"]
mod cases;

/// So many connections are made, however many of them are accepted: what two runs differ in is the
/// accepting alone.
const MADE: usize = 1000;

fn main() {
    let mut arguments = env::args().skip(1);
    let kind = arguments.next().expect("the kind of connection");
    let count: usize = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .expect("a number");
    let mut known = cases::CASES.iter();
    let case = known.find(|case| case.name == kind).expect("a known kind");
    log::show(Level::Off);
    let listener = case.listener();
    let mut connections: Vec<_> = (0..=MADE).map(|_| (case.connection)()).collect();
    // The first one brings what is done once.
    for connection in &mut connections[..=count] {
        black_box(listener.accept(connection));
    }
}
