//! What was measured held against budgets.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exactness::Exactness;
use super::memory::MemoryReport;
use super::snapshots::SnapshotMemory;
use super::{Evidence, Report};
use crate::budget::{Amount, Budget, BudgetSubject};
use crate::record::profile::Phase;

/// The source of a limit that somebody set, in a flag or in `skyload.toml`.
pub(crate) const CONFIGURED: &str = "configured";

/// One budget and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BudgetCheck {
    /// What is limited.
    pub subject: BudgetSubject,
    /// The limit; `None` where SkyPilot has no constant for it, or nobody knows which.
    pub limit: Option<Amount>,
    /// Where the limit comes from.
    pub source: String,
    /// What was measured; `None` when there was nothing to measure.
    pub measured: Option<Amount>,
    /// What follows.
    pub state: BudgetState,
}

/// What became of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetState {
    /// What was measured is at most the limit.
    Within,
    /// What was measured is above the limit.
    Over,
    /// No process of the class ran, or the server was not stopped: nothing was proved.
    Skipped,
    /// `auto`, and this SkyPilot has no constant for it.
    NoConstant,
    /// `auto`, and nobody knows which constants this SkyPilot has.
    LimitUnknown,
    /// There is nothing to measure it by.
    NotMeasured,
}

impl BudgetState {
    /// The word that stands in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Within => "ok",
            Self::Over => "OVER",
            Self::Skipped => "not tried",
            Self::NoConstant => "no constant",
            Self::LimitUnknown => "limit unknown",
            Self::NotMeasured => "not measured",
        }
    }
}

impl BudgetCheck {
    /// The share of the limit that is left, in percent; negative when over. `None`
    /// where nothing was measured, and where nothing is allowed.
    pub fn headroom(&self) -> Option<f64> {
        Some((1.0 - self.measured?.share_of(self.limit?)?) * 100.0)
    }
}

impl Report {
    /// Whether the figure that a budget is about is known to lack something.
    pub fn is_lower_bound(&self, subject: BudgetSubject) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.is_lower_bound(subject))
    }
}

impl MemoryReport {
    /// Whether a figure lacks something: a process that was not read, or not to its end,
    /// or pages in swap.
    pub(crate) fn is_lower_bound(&self, subject: BudgetSubject) -> bool {
        let has_swapped = self.classes.iter().any(|class| class.swapped > 0);
        match subject {
            BudgetSubject::Class(class) => {
                self.class(class).is_some_and(|class| class.exactness != Exactness::Exact)
            }
            BudgetSubject::TreePss => {
                has_swapped || self.snapshots.iter().any(|snapshot| snapshot.unread > 0)
            }
            BudgetSubject::Growth => {
                self.growth.as_ref().is_some_and(|growth| has_swapped || growth.unread_after > 0)
            }
            BudgetSubject::TreeRss => has_swapped,
            BudgetSubject::Threads | BudgetSubject::Zombies | BudgetSubject::LeakedProcesses => {
                false
            }
        }
    }
}

pub(super) fn check(evidence: &Evidence, memory: Option<&MemoryReport>) -> Vec<BudgetCheck> {
    if !evidence.is_profiled() {
        return Vec::new();
    }
    evidence.plan.budgets.iter().map(|budget| check_one(evidence, memory, *budget)).collect()
}

fn check_one(evidence: &Evidence, memory: Option<&MemoryReport>, budget: Budget) -> BudgetCheck {
    let subject = budget.subject;
    let measured = measure(evidence, memory, subject);
    let (limit, source) = match (budget.limit, &evidence.environment) {
        (Some(limit), _) => (Some(limit), CONFIGURED.to_owned()),
        (None, Some(environment)) => {
            let sky = &environment.sky;
            let constant = match subject {
                BudgetSubject::Class(class) => sky.constants.for_class(class),
                _ => None,
            };
            let source = format!("SkyPilot {}: {}", sky.version, sky.constants_source);
            (constant.map(Amount::Size), source)
        }
        (None, None) => (None, "SkyPilot, whose constants are not on record".to_owned()),
    };
    let is_profiled = memory.is_some();
    let state = match (limit, measured) {
        // A stop is seen without a profile.
        (Some(_), None) if subject == BudgetSubject::LeakedProcesses => BudgetState::Skipped,
        (_, None) if !is_profiled => BudgetState::NotMeasured,
        (None, _) if evidence.environment.is_none() => BudgetState::LimitUnknown,
        (None, _) => BudgetState::NoConstant,
        (Some(_), None) => match subject {
            BudgetSubject::Class(class)
                if !memory.is_some_and(|memory| memory.is_unread(class)) =>
            {
                BudgetState::Skipped
            }
            _ => BudgetState::NotMeasured,
        },
        (Some(limit), Some(measured)) => match measured.partial_cmp(&limit) {
            Some(Ordering::Greater) => BudgetState::Over,
            Some(_) => BudgetState::Within,
            // A limit in another unit holds nothing.
            None => BudgetState::NotMeasured,
        },
    };
    BudgetCheck { subject, limit, source, measured, state }
}

fn measure(
    evidence: &Evidence,
    memory: Option<&MemoryReport>,
    subject: BudgetSubject,
) -> Option<Amount> {
    let count = |count: u32| Amount::Count(count.into());
    match subject {
        BudgetSubject::Class(class) => memory?.class(class)?.peak.map(Amount::Size),
        BudgetSubject::TreeRss => memory?.tree_rss_peak.map(Amount::Size),
        BudgetSubject::TreePss => {
            let memory = memory?;
            // A profile that was made elsewhere may have one from before the load alone.
            let of_load =
                |one: &SnapshotMemory| !matches!(one.phase, Phase::Baseline | Phase::SetUp);
            memory.read_snapshots().find(|one| of_load(one))?;
            memory.tree_pss_peak().map(Amount::Size)
        }
        BudgetSubject::Growth => memory?.growth.as_ref()?.pss.map(Amount::Size),
        BudgetSubject::Threads => memory?.most_threads.map(count),
        BudgetSubject::Zombies => memory?.zombies.map(count),
        BudgetSubject::LeakedProcesses => evidence.leaked_processes().map(count),
    }
}
