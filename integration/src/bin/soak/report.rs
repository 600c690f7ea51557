//! What a person reads, and all figures in a file.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use lab::Version;
use serde_json::{Value, json};

use crate::counters;
use crate::crowd::Crowd;
use crate::goals::{self, Goal};
use crate::memory::{Growth, Sample};

/// All that was found.
pub struct Report<'a> {
    pub version: Version,
    pub is_builtin: bool,
    pub took: Duration,
    pub updates: u32,
    /// Files open before and after.
    pub files: (usize, usize),
    pub stats: BTreeMap<String, u64>,
    /// Memory under load.
    pub busy: Vec<Sample>,
    /// Memory when idle, after the warm-up and after each stage; one alone says nothing of growth.
    pub idle: Vec<Sample>,
    pub crowd: &'a Crowd,
}

/// One line while it runs.
pub fn progress(wanted: u64, elapsed: Duration, sample: Option<&Sample>) {
    let Some(sample) = sample else { return };
    let rate = sample.connections as f64 / elapsed.as_secs_f64();
    let left = wanted.saturating_sub(sample.connections) as f64 / rate.max(1.0);
    println!(
        "{:>9} connections, {rate:>5.0} a second, {:.1} MiB resident, {left:.0} s left",
        sample.connections,
        sample.resident / 1024.0,
    );
}

impl Report<'_> {
    /// Prints the summary and writes the file; whether every goal is met.
    pub fn finish(&self) -> bool {
        let goals = self.goals();
        self.print(&goals);
        let file = env::var_os("REPORT").map_or_else(
            || lab::workspace().join("target/soak/report.json"),
            PathBuf::from,
        );
        let directory = file.parent().expect("the name of a file");
        fs::create_dir_all(directory).expect("make the directory of the report");
        let text = serde_json::to_string_pretty(&self.json(&goals)).expect("JSON to text");
        fs::write(&file, text).expect("write the report");
        println!("all figures: {}", file.display());
        goals.iter().all(|goal| goal.is_met)
    }

    fn goals(&self) -> Vec<Goal> {
        let mut goals: Vec<Goal> = goals::outcomes(self.crowd).into();
        if !self.is_builtin {
            goals.push(counters::add_up(self.crowd, &self.stats));
            goals.push(goals::updates(self.crowd, &self.stats, self.updates));
        }
        goals.push(goals::files(self.files));
        let growth = [
            ("resident memory does not grow", resident(&self.idle)),
            ("allocated memory does not grow", allocated(&self.idle)),
        ];
        let growth = growth
            .into_iter()
            .filter_map(|(what, growth)| Some((what, growth?)));
        goals.extend(growth.map(|(what, growth)| goals::growth(what, &growth)));
        goals
    }

    fn print(&self, goals: &[Goal]) {
        println!();
        for (kind, tally) in self.crowd.kinds.iter().zip(&self.crowd.tallies) {
            let [made, refused, lost, wrong] =
                [&tally.made, &tally.refused, &tally.lost, &tally.wrong].map(|n| n.load(Relaxed));
            println!(
                "{:<30} {made:>9} made {refused:>8} refused while away {lost:>6} lost {wrong:>6} wrong",
                kind.name
            );
        }
        for failure in self.crowd.failures.lock().expect("no panic").iter() {
            println!("  {failure}");
        }
        println!();
        for Goal {
            goal,
            is_met,
            found,
        } in goals
        {
            println!(
                "{} {goal}: {found}",
                if *is_met { "ok    " } else { "MISSED" }
            );
        }
        let done = self.crowd.done();
        let seconds = self.took.as_secs_f64();
        let missed = goals.iter().filter(|goal| !goal.is_met).count();
        println!(
            "\nsoak: {}. {done} connections in {seconds:.0} s, {:.0} a second, Envoy {}; \
             {} goals met, {missed} missed",
            if missed == 0 { "ok" } else { "FAILED" },
            done as f64 / seconds,
            self.version,
            goals.len() - missed,
        );
    }

    fn json(&self, goals: &[Goal]) -> Value {
        let kinds = self.crowd.kinds.iter().zip(&self.crowd.tallies);
        let kinds = kinds.map(|(kind, tally)| {
            json!({
                "kind": kind.name,
                "made": tally.made,
                "refused_while_away": tally.refused,
                "lost": tally.lost,
                "wrong": tally.wrong,
            })
        });
        let module = self
            .stats
            .iter()
            .filter(|(name, _)| name.contains(".original_dst."));
        json!({
            "envoy": self.version.number(),
            "filter": if self.is_builtin { "built-in" } else { "module" },
            "connections": self.crowd.done(),
            "seconds": self.took.as_secs_f64(),
            "updates": self.updates,
            "open_files": { "before": self.files.0, "after": self.files.1 },
            "goals": goals,
            "kinds": kinds.collect::<Vec<_>>(),
            "counters": module.collect::<BTreeMap<_, _>>(),
            "growth_idle": { "resident": resident(&self.idle), "allocated": allocated(&self.idle) },
            "growth_busy": { "resident": resident(&self.busy), "allocated": allocated(&self.busy) },
            "idle": self.idle,
            "busy": self.busy,
        })
    }
}

fn resident(samples: &[Sample]) -> Option<Growth> {
    Growth::of(samples, |sample| sample.resident)
}

fn allocated(samples: &[Sample]) -> Option<Growth> {
    Growth::of(samples, |sample| sample.allocated)
}
