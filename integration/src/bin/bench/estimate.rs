//! What many rounds say together.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// A median, and the interval in which it lies with a confidence of 95 % or more. The interval is
/// from one of the values in order to another, which holds however the values are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// Of six values or more: fewer have no such interval.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (count, outside) = (values.len(), outside(values.len()));
        Self {
            median: (values[(count - 1) / 2] + values[count / 2]) / 2.0,
            low: values[outside],
            high: values[count - 1 - outside],
        }
    }
}

/// To three digits, as ratios are shown.
impl Display for Estimate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { median, low, high } = self;
        f.pad(&format!("{median:.3} [{low:.3}, {high:.3}]"))
    }
}

/// How many values on each side are outside of the interval. Each value is below the true median
/// with a chance of one half: that at most `outside` of them are has one of 2.5 % or less.
fn outside(count: usize) -> usize {
    let mut exactly = 0.5_f64.powf(count as f64);
    let mut at_most = exactly;
    assert!(at_most <= 0.025, "{count} values have no interval");
    let mut outside = 0;
    loop {
        exactly *= (count - outside) as f64 / (outside + 1) as f64;
        at_most += exactly;
        if at_most > 0.025 {
            return outside;
        }
        outside += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks that tables of the sign test have.
    #[test]
    fn intervals_are_those_of_the_tables() {
        for (count, low, high) in [
            (6, 1, 6),
            (10, 2, 9),
            (20, 6, 15),
            (25, 8, 18),
            (50, 18, 33),
        ] {
            let estimate = Estimate::of((1..=count).rev().map(f64::from));
            assert_eq!(
                (estimate.low, estimate.high),
                (f64::from(low), f64::from(high))
            );
            assert_eq!(estimate.median, f64::from(count + 1) / 2.0);
        }
    }
}
