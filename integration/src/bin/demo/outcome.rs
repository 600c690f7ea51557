//! A scenario, as it should be and as it was.

use crate::scenario::{Scenario, Seen};

/// Closed, with Envoy's response flag for a cluster without a healthy upstream.
const CLOSED: &str = "closed (UH)";

/// What was seen of a scenario.
pub struct Outcome {
    /// What should be seen.
    pub scenario: Scenario,
    /// With the module.
    pub with: Seen,
    /// Without it.
    pub without: Seen,
}

impl Outcome {
    /// What is not as it should be, one line each.
    pub fn wrong(&self) -> Vec<String> {
        let Self {
            scenario,
            with,
            without,
        } = self;
        let counted = with
            .counted
            .as_ref()
            .map_or(0, |(_, count)| *count)
            .to_string();
        let checks = [
            (
                "with the module, accepted at",
                &with.accepted_at,
                scenario.accepted_at,
            ),
            (
                "with the module, restored",
                &with.restored,
                scenario.asked_for,
            ),
            ("with the module, the answer", &with.answer, scenario.answer),
            ("the module's counter", &counted, "1"),
            (
                "without it, accepted at",
                &without.accepted_at,
                scenario.accepted_at,
            ),
            (
                "without it, the local address",
                &without.restored,
                scenario.accepted_at,
            ),
            ("without it, the answer", &without.answer, CLOSED),
        ];
        let wrong = checks
            .into_iter()
            .filter(|(_, seen, wanted)| seen != wanted);
        wrong
            .map(|(what, seen, wanted)| format!("{}: {what}: {seen}, not {wanted}", scenario.name))
            .collect()
    }
}
