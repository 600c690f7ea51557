//! The module's counters, beside what the clients counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use crate::crowd::Crowd;
use crate::goals::{Goal, goal};
use crate::listeners::SCOPE;

/// Counts by the listener's port and the counter.
type Counts<'a> = BTreeMap<(&'a str, &'a str), u64>;

/// Counts clients' addresses, beside the connection itself.
const SOURCE_RESTORED: &str = "source_restored";
/// What counts nothing.
const GAUGES: [&str; 2] = ["redirection_broken", "destination_rules"];

/// Each counter of each listener is the number of connections that it stands for.
pub fn add_up(crowd: &Crowd, stats: &BTreeMap<String, u64>) -> Goal {
    let ports: Vec<String> = crowd
        .kinds
        .iter()
        .map(|kind| kind.listener.to_string())
        .collect();
    let (made, counted) = (made(crowd, &ports), counted(stats));
    let keys: BTreeSet<_> = made.keys().chain(counted.keys()).collect();
    let apart: Vec<String> = keys
        .into_iter()
        .map(|key| (key, count(&counted, key), count(&made, key)))
        .filter(|(_, counted, made)| counted != made)
        .map(|((port, counter), counted, made)| {
            format!("; {counter} of {port}: {counted} counted for {made} made")
        })
        .collect();
    let found = format!(
        "{} counted for {} made{}",
        total(&counted),
        total(&made),
        apart.concat()
    );
    goal("counters add up", apart.is_empty(), found)
}

fn made<'a>(crowd: &Crowd, ports: &'a [String]) -> Counts<'a> {
    let mut counts = Counts::new();
    for ((kind, tally), port) in crowd.kinds.iter().zip(&crowd.tallies).zip(ports) {
        let mut add = |counter| {
            *counts.entry((port.as_str(), counter)).or_default() += tally.made.load(Relaxed);
        };
        add(kind.counter);
        if kind.counter == "restored_filter_state" {
            add(SOURCE_RESTORED);
        }
    }
    counts
}

/// Both variants of a listener together: `<scope>.<namespace>.<port>_<variant>.original_dst.<counter>`.
fn counted(stats: &BTreeMap<String, u64>) -> Counts<'_> {
    let mut counts = Counts::new();
    for (name, value) in stats.iter().filter(|(name, _)| name.starts_with(SCOPE)) {
        if let Some((scope, counter)) = name.split_once(".original_dst.")
            && !GAUGES.contains(&counter)
            && let Some((_, prefix)) = scope.rsplit_once('.')
            && let Some((port, _)) = prefix.split_once('_')
        {
            *counts.entry((port, counter)).or_default() += value;
        }
    }
    counts
}

fn count(counts: &Counts, key: &(&str, &str)) -> u64 {
    counts.get(key).copied().unwrap_or(0)
}

/// So many connections.
fn total(counts: &Counts) -> u64 {
    let connections = counts
        .iter()
        .filter(|((_, counter), _)| *counter != SOURCE_RESTORED);
    connections.map(|(_, count)| count).sum()
}
