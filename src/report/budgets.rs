//! Peaks held against budgets.

use serde::{Deserialize, Serialize};

use super::Evidence;
use super::memory::MemoryReport;
use crate::plan::{Budget, BudgetSubject};
use crate::units::ByteSize;

/// One budget and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BudgetCheck {
    /// What is limited.
    pub subject: BudgetSubject,
    /// The limit; `None` where SkyPilot has no constant for it.
    pub limit: Option<ByteSize>,
    /// Where the limit comes from.
    pub source: String,
    /// What was measured; `None` when there was nothing to measure.
    pub measured: Option<ByteSize>,
    /// What follows.
    pub state: BudgetState,
}

/// What became of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetState {
    /// The peak is at most the limit.
    Within,
    /// The peak is above the limit.
    Over,
    /// No process of the class ran, so nothing was proved.
    NotExercised,
    /// `auto`, and this SkyPilot has no constant for it.
    NoConstant,
    /// There is no profile to measure it by.
    NotMeasured,
}

impl BudgetCheck {
    /// The share of the limit that is left, in percent; negative when over.
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 bytes")]
    pub fn headroom(&self) -> Option<f64> {
        let (limit, measured) = (self.limit?, self.measured?);
        Some((1.0 - measured.as_u64() as f64 / limit.as_u64() as f64) * 100.0)
    }
}

pub(super) fn check(evidence: &Evidence, memory: Option<&MemoryReport>) -> Vec<BudgetCheck> {
    evidence.plan.budgets.iter().map(|budget| check_one(evidence, memory, *budget)).collect()
}

fn check_one(evidence: &Evidence, memory: Option<&MemoryReport>, budget: Budget) -> BudgetCheck {
    let subject = budget.subject;
    let measured = memory.and_then(|memory| measure(memory, subject));
    let (limit, source) = match (budget.limit, &evidence.environment) {
        (Some(limit), _) => (Some(limit), "configured".to_owned()),
        (None, Some(environment)) => {
            let sky = &environment.sky;
            let constant = match subject {
                BudgetSubject::Class(class) => sky.constants.for_class(class),
                BudgetSubject::TreeRss | BudgetSubject::TreePss => None,
            };
            (constant, format!("SkyPilot {}: {}", sky.version, sky.constants_source))
        }
        (None, None) => (None, "SkyPilot, which was never ready".to_owned()),
    };
    let state = match (limit, measured, memory) {
        (_, _, None) => BudgetState::NotMeasured,
        (None, ..) => BudgetState::NoConstant,
        (Some(limit), Some(measured), _) if measured > limit => BudgetState::Over,
        (Some(_), Some(_), _) => BudgetState::Within,
        (Some(_), None, _) => match subject {
            BudgetSubject::Class(_) => BudgetState::NotExercised,
            BudgetSubject::TreeRss | BudgetSubject::TreePss => BudgetState::NotMeasured,
        },
    };
    BudgetCheck { subject, limit, source, measured, state }
}

fn measure(memory: &MemoryReport, subject: BudgetSubject) -> Option<ByteSize> {
    match subject {
        BudgetSubject::Class(class) => memory.class(class)?.peak,
        BudgetSubject::TreeRss => memory.tree_rss_peak,
        BudgetSubject::TreePss => memory.snapshots.iter().map(|snapshot| snapshot.pss).max(),
    }
}
