//! What the module is to cost at most.

mod feeds;

use std::fmt;

use serde::Serialize;

use crate::estimate::Estimate;
use crate::figures::Figures;
use crate::subject::Subject;

/// A goal, and how it was met.
#[derive(Debug, Serialize)]
pub struct Goal {
    pub what: &'static str,
    pub measured: f64,
    pub interval: Option<Estimate>,
    pub bound: Bound,
    pub unit: &'static str,
    pub met: bool,
}

/// What a figure is to be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtMost(f64),
    Below(f64),
    Exactly(f64),
}

/// All goals.
pub fn goals(figures: &Figures) -> Vec<Goal> {
    use Bound::{AtMost, Below, Exactly};
    let instructions = |subject| figures.of(subject).instructions_per_connection;
    let getsockopt = |subject| figures.of(subject).getsockopt_calls_per_connection;
    let cpu = |subject| figures.of(subject).cpu_microseconds_per_connection.median;
    let (module, built_in) = (
        instructions(Subject::Module),
        instructions(Subject::BuiltIn),
    );
    let ratio = figures.of(Subject::Module).cpu_ratio_to_built_in;
    let load = figures.load_of_100000_rules_milliseconds;
    let of_connections = vec![
        goal(
            "instructions of a redirected connection, above the constant",
            module - instructions(Subject::Constant),
            AtMost(300.0),
            "",
        ),
        goal(
            "instructions of the whole Envoy, above the built-in filter",
            100.0 * (module / built_in - 1.0),
            AtMost(4.2),
            " %",
        ),
        Goal {
            interval: Some(ratio),
            ..goal(
                "CPU time to the built-in filter's",
                ratio.median,
                AtMost(1.02),
                "",
            )
        },
        goal(
            "instructions with 100,000 rules, above those with 10",
            instructions(Subject::ManyRules) - instructions(Subject::FewRules),
            AtMost(150.0),
            "",
        ),
        goal(
            "instructions of a refusal, to network RBAC's",
            instructions(Subject::Refused) / instructions(Subject::Rbac),
            AtMost(0.6),
            "",
        ),
        goal(
            "CPU time of a refusal, to network RBAC's",
            cpu(Subject::Refused) / cpu(Subject::Rbac),
            AtMost(0.6),
            "",
        ),
        goal(
            "getsockopt calls of a redirected connection, above no filter",
            getsockopt(Subject::Module) - getsockopt(Subject::NoFilter),
            Exactly(1.0),
            "",
        ),
        goal(
            "heap allocations of the module for a connection",
            figures
                .of(Subject::Module)
                .module_allocations_per_connection,
            Exactly(0.0),
            "",
        ),
        Goal {
            interval: Some(load),
            ..goal("load of 100,000 rules", load.median, Below(1000.0), " ms")
        },
        goal(
            "size of the library",
            figures.library_bytes as f64 / 1024.0,
            Below(600.0),
            " KiB",
        ),
    ];
    let of_feeds = figures.feeds.iter().flat_map(feeds::goals);
    of_connections.into_iter().chain(of_feeds).collect()
}

fn goal(what: &'static str, measured: f64, bound: Bound, unit: &'static str) -> Goal {
    Goal {
        what,
        measured,
        interval: None,
        bound,
        unit,
        met: bound.holds(measured),
    }
}

impl Bound {
    fn holds(self, measured: f64) -> bool {
        match self {
            Self::AtMost(bound) => measured <= bound,
            Self::Below(bound) => measured < bound,
            Self::Exactly(wanted) => measured == wanted,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Below(bound) => write!(f, "below {bound}"),
            Self::Exactly(wanted) => write!(f, "exactly {wanted}"),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Goal {
            what, unit, bound, ..
        } = self;
        let met = if self.met { "met" } else { "NOT met" };
        let digits = if self.measured.abs() < 10.0 { 3 } else { 0 };
        write!(f, "{met:<7}  {what}: {:.digits$}{unit}", self.measured)?;
        if let Some(Estimate { low, high, .. }) = self.interval {
            write!(f, " [{low:.digits$} to {high:.digits$}]")?;
        }
        write!(f, ", {bound}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_not() {
        for (measured, bound, met) in [
            (300.0, Bound::AtMost(300.0), true),
            (300.1, Bound::AtMost(300.0), false),
            (599.9, Bound::Below(600.0), true),
            (600.0, Bound::Below(600.0), false),
            (1.0, Bound::Exactly(1.0), true),
            (1.002, Bound::Exactly(1.0), false),
        ] {
            assert_eq!(goal("", measured, bound, "").met, met, "{measured} {bound}");
        }
    }
}
