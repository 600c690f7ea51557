//! What a connection costs the module on the fake host: allocations, and instructions of a release
//! build. Both may not grow beyond what `ledger.json` says. With `UPDATE_LEDGER=1` in the
//! environment, the test writes that file instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::{env, fs};

use fake_host::log::{self, Level};
use serde::{Deserialize, Serialize};

#[path = "../benches/callgrind/mod.rs"]
mod callgrind;
#[path = "../benches/cases/mod.rs"]
mod cases;

mod build;

use callgrind::instructions;
use cases::{CASES, Case};

/// So much more than the ledger says is too much.
const TOLERANCE: f64 = 1.05;
const CONNECTIONS: u64 = 1000;

/// What one connection costs.
#[derive(Debug, Deserialize, Serialize)]
struct Cost {
    allocations: u64,
    /// Those of the fake host among them.
    instructions: u64,
}

/// Counts this thread's allocations.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Those of a connection that is not the first.
fn allocations(case: &Case) -> u64 {
    log::show(Level::Off);
    let listener = case.listener();
    listener.accept(&mut (case.connection)());
    let mut connection = (case.connection)();
    let before = ALLOCATIONS.get();
    listener.accept(&mut connection);
    ALLOCATIONS.get() - before
}

#[test]
fn costs_do_not_grow() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ledger.json");
    let program = build::program(&["build", "--release", "--bench", "instructions"]);
    let costs: BTreeMap<_, _> = CASES
        .iter()
        .map(|case| {
            let piece = format!("accept/{}", case.name);
            let cost = Cost {
                allocations: allocations(case),
                instructions: instructions(&program, &[&piece], CONNECTIONS),
            };
            (case.name, cost)
        })
        .collect();
    if env::var_os("UPDATE_LEDGER").is_some() {
        fs::write(file, serde_json::to_string_pretty(&costs).unwrap() + "\n").unwrap();
        return;
    }
    let text = fs::read_to_string(file).expect("the ledger");
    let ledger: BTreeMap<String, Cost> = serde_json::from_str(&text).expect("the ledger in JSON");
    let known: Vec<_> = ledger.keys().map(String::as_str).collect();
    assert_eq!(
        known,
        Vec::from_iter(costs.keys().copied()),
        "{file} is out of date"
    );
    let grown: Vec<_> = costs
        .iter()
        .filter(|(name, cost)| {
            let allowed = &ledger[**name];
            cost.allocations > allowed.allocations
                || cost.instructions as f64 > allowed.instructions as f64 * TOLERANCE
        })
        .map(|(name, cost)| format!("{name}: {cost:?}, was {:?}", ledger[*name]))
        .collect();
    assert!(
        grown.is_empty(),
        "a connection costs more than before:\n{}",
        grown.join("\n")
    );
}

#[test]
fn the_common_paths_do_not_allocate() {
    for case in &CASES {
        assert_eq!(allocations(case), 0, "{}", case.name);
    }
}

#[test]
fn allocations_are_counted() {
    let before = ALLOCATIONS.get();
    let kept = Vec::from([1_u8]);
    assert_eq!((kept.len(), ALLOCATIONS.get() - before), (1, 1));
}
