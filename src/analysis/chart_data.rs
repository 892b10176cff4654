//! What charts are drawn from beside the report, which has no room for it.

use super::distributions::{self, Distribution};
use super::timeline::{self, Timeline};
use super::{Evidence, Report};

/// Courses over time, and distributions of latencies.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartData {
    /// What the profile says over time.
    pub timeline: Timeline,
    /// What users waited for.
    pub distributions: Vec<Distribution>,
}

impl ChartData {
    /// Assembles it for the report of a run.
    pub fn assemble(report: &Report, evidence: &Evidence) -> Self {
        Self {
            timeline: timeline::assemble(evidence),
            distributions: distributions::assemble(&report.scenarios, evidence),
        }
    }
}
