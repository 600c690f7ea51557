//! What a figure is to be.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::estimate::Estimate;

/// A goal, and how it was met.
#[derive(Debug, Serialize)]
pub struct Goal {
    pub what: String,
    pub measured: f64,
    pub interval: Option<Estimate>,
    pub bound: Bound,
    pub unit: &'static str,
    pub met: bool,
}

/// What a figure is to be. What is said of an interval is of the one that the figure has.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    Exactly(f64),
    /// It is not above that, as far as one can tell: its interval begins there or lower.
    IntervalFromAtMost(f64),
    IntervalAround(f64),
}

/// Of a figure without an interval.
pub fn goal(what: impl Into<String>, measured: f64, bound: Bound, unit: &'static str) -> Goal {
    Goal {
        what: what.into(),
        measured,
        interval: None,
        bound,
        unit,
        met: bound.holds(measured, measured..=measured),
    }
}

/// Of a median with its interval.
pub fn estimated(
    what: impl Into<String>,
    estimate: Estimate,
    bound: Bound,
    unit: &'static str,
) -> Goal {
    Goal {
        interval: Some(estimate),
        met: bound.holds(estimate.median, estimate.low..=estimate.high),
        ..goal(what, estimate.median, bound, unit)
    }
}

impl Bound {
    fn holds(self, measured: f64, interval: RangeInclusive<f64>) -> bool {
        match self {
            Self::AtMost(bound) => measured <= bound,
            Self::Below(bound) => measured < bound,
            Self::AtLeast(bound) => measured >= bound,
            Self::Exactly(wanted) => measured == wanted,
            Self::IntervalFromAtMost(bound) => *interval.start() <= bound,
            Self::IntervalAround(wanted) => interval.contains(&wanted),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "at most {bound}"),
            Self::Below(bound) => write!(f, "below {bound}"),
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::Exactly(wanted) => write!(f, "exactly {wanted}"),
            Self::IntervalFromAtMost(bound) => write!(f, "its interval not all above {bound}"),
            Self::IntervalAround(wanted) => write!(f, "{wanted} in its interval"),
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
            (1.5, Bound::AtLeast(1.5), true),
            (1.49, Bound::AtLeast(1.5), false),
        ] {
            assert_eq!(goal("", measured, bound, "").met, met, "{measured} {bound}");
        }
    }

    #[test]
    fn a_goal_may_be_of_the_interval() {
        for (low, high, from, around) in [
            (0.98, 1.02, true, true),
            (1.01, 1.02, false, false),
            (0.97, 0.99, true, false),
        ] {
            let estimate = Estimate {
                median: (low + high) / 2.0,
                low,
                high,
            };
            let met = |bound| estimated("", estimate, bound, "").met;
            assert_eq!(met(Bound::IntervalFromAtMost(1.0)), from, "{estimate:?}");
            assert_eq!(met(Bound::IntervalAround(1.0)), around, "{estimate:?}");
        }
    }
}
