//! The table: all scenarios.

mod filters;
mod hand_off;
mod internal;
mod kernel;
mod special;
mod texts;

use crate::scenario::Scenario;

/// All scenarios.
pub fn scenarios() -> Vec<Scenario> {
    [
        kernel::scenarios(),
        filters::scenarios(),
        hand_off::scenarios(),
        special::scenarios(),
        internal::scenarios(),
        texts::scenarios(),
    ]
    .concat()
}
