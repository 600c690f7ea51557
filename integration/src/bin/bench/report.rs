//! What is written to `report.json`.

use serde::Serialize;

use crate::figures::Figures;
use crate::goals::{Goal, goals};

/// The figures, and how they meet the goals.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub figures: Figures,
    pub goals: Vec<Goal>,
}

impl Report {
    pub fn new(figures: Figures) -> Self {
        Self {
            goals: goals(&figures),
            figures,
        }
    }
}
