//! What must hold at the end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use serde::Serialize;

use crate::crowd::{Crowd, Tally};
use crate::listeners::{SCOPE, stat_prefix};
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

/// Each counter of each listener is the number of connections that it stands for.
pub fn counters(crowd: &Crowd, stats: &BTreeMap<String, u64>) -> Goal {
    let mut expected = BTreeMap::<_, u64>::new();
    for (kind, tally) in crowd.kinds.iter().zip(&crowd.tallies) {
        let made = tally.made.load(Relaxed);
        let mut count = |counter| {
            *expected
                .entry((kind.listener.to_string(), counter))
                .or_default() += made;
        };
        count(kind.counter);
        if kind.counter == "restored_filter_state" {
            count("source_restored");
        }
    }
    let mut found = BTreeMap::<_, u64>::new();
    for (name, value) in stats.iter().filter(|(_, value)| **value > 0) {
        // listener.soak.<namespace>.<port>_<variant>.original_dst.<counter>
        if name.starts_with(SCOPE)
            && let Some((scope, counter)) = name.split_once(".original_dst.")
            && counter != "redirection_broken"
        {
            let prefix = scope.rsplit('.').next().unwrap_or_default();
            let port = prefix.split('_').next().unwrap_or_default().to_owned();
            *found.entry((port, counter)).or_default() += value;
        }
    }
    let keys = expected.keys().chain(found.keys());
    let mut apart: Vec<String> = keys
        .filter(|key| expected.get(key) != found.get(key))
        .map(|key| format!("{key:?}: {:?} for {:?}", found.get(key), expected.get(key)))
        .collect();
    apart.dedup();
    let total = |counts: &BTreeMap<(String, &str), u64>| {
        let counts = counts
            .iter()
            .filter(|((_, counter), _)| *counter != "source_restored");
        counts.map(|(_, count)| count).sum::<u64>()
    };
    let (counted, made) = (total(&found), total(&expected));
    let apart = match apart.is_empty() {
        true => String::new(),
        false => format!("; {}", apart.join(", ")),
    };
    goal(
        "counters add up",
        apart.is_empty(),
        format!("{counted} counted for {made} made{apart}"),
    )
}

/// Both variants of every listener had connections: the updates took effect.
pub fn updates(crowd: &Crowd, stats: &BTreeMap<String, u64>, updates: u32) -> Goal {
    let idle: Vec<String> = crowd
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
