//! What the scenarios came to in one Envoy.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use lab::Version;

use crate::judge::{Three, judge};
use crate::run::Placed;

/// The results of one version.
pub struct Summary {
    version: Version,
    start: Instant,
    passed: usize,
    failed: Vec<String>,
    differences: usize,
    on_purpose: BTreeMap<&'static str, usize>,
}

impl Summary {
    /// No results yet.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            start: Instant::now(),
            passed: 0,
            failed: Vec::new(),
            differences: 0,
            on_purpose: BTreeMap::new(),
        }
    }

    /// Judges a scenario; what is wrong with it is printed at once.
    pub fn add(&mut self, placed: Placed, three: &Three) {
        let (scenario, _) = placed;
        let wrong = judge(placed, three);
        if wrong.is_empty() {
            self.passed += 1;
            if let Some((_, reason)) = scenario.differs {
                *self.on_purpose.entry(reason).or_default() += 1;
            }
            return;
        }
        println!("{} FAILED {}", self.version, scenario.name);
        wrong.iter().for_each(|line| println!("    {line}"));
        self.differences += usize::from(wrong.iter().any(|line| line.starts_with("differs")));
        self.failed.push(scenario.name.clone());
    }

    /// How many scenarios passed.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// How many failed.
    pub fn failed(&self) -> usize {
        self.failed.len()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_purpose: usize = self.on_purpose.values().sum();
        write!(
            f,
            "{}: {} scenarios in {:.0?}: {} failed, {} differences, {on_purpose} on purpose",
            self.version,
            self.passed + self.failed.len(),
            self.start.elapsed(),
            self.failed.len(),
            self.differences,
        )?;
        for (reason, count) in &self.on_purpose {
            write!(f, "\n    {count:3} on purpose: {reason}")?;
        }
        for name in &self.failed {
            write!(f, "\n    failed: {name}")?;
        }
        Ok(())
    }
}
