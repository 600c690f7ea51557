//! What must hold at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use crate::crowd::{Crowd, Tally};
use crate::listeners::stat_prefix;
use crate::memory::Growth;

/// In percent.
const GROWTH: f64 = 1.0;

/// One goal, and what was found.
#[derive(Debug, Serialize)]
pub struct Goal {
    pub goal: &'static str,
    pub is_met: bool,
    pub found: String,
}

pub fn goal(goal: &'static str, is_met: bool, found: String) -> Goal {
    Goal {
        goal,
        is_met,
        found,
    }
}

/// Nothing is lost, nothing goes astray.
pub fn outcomes(crowd: &Crowd) -> [Goal; 2] {
    let sum = |count: fn(&Tally) -> u64| crowd.tallies.iter().map(count).sum::<u64>();
    let lost = sum(|tally| tally.lost.load(Relaxed));
    let wrong = sum(|tally| tally.wrong.load(Relaxed));
    [
        goal("no connection lost", lost == 0, format!("{lost} lost")),
        goal("no wrong destination", wrong == 0, format!("{wrong} wrong")),
    ]
}

/// Both variants of every listener had connections: the updates took effect.
pub fn updates(crowd: &Crowd, stats: &BTreeMap<String, u64>, updates: u32) -> Goal {
    let idle: BTreeSet<String> = crowd
        .kinds
        .iter()
        .flat_map(|kind| [0, 1].map(|variant| stat_prefix(kind.listener, variant)))
        .filter(|prefix| {
            let counters = format!(".{prefix}.original_dst.");
            !stats
                .iter()
                .any(|(name, value)| name.contains(&counters) && *value > 0)
        })
        .collect();
    goal(
        "every update took effect",
        idle.is_empty(),
        format!("{updates} updates, without connections: {idle:?}"),
    )
}

pub fn files((before, after): (usize, usize)) -> Goal {
    let found = format!("{before} before, {after} after");
    goal("open files do not grow", after <= before, found)
}

pub fn growth(what: &'static str, growth: &Growth) -> Goal {
    let Growth {
        per_million,
        total,
        percent,
    } = growth;
    goal(
        what,
        *percent < GROWTH,
        format!("{percent:+.2} %, {total:+.0} KiB, {per_million:+.0} KiB per million connections"),
    )
}
