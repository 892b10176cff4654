//! Search for the version that made a metric worse: versions between a good and a bad one, each
//! compared with the good one.
//!
//! Every comparison is one of runs of its own, also of the good version: runs in pairs share what
//! the machine does at that time, and runs of an hour ago do not.

mod conclusion;
mod revision;
mod search;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use revision::{CommitTitle, Revision};
pub use search::Range;
pub use step::{BisectionStep, StepVerdict};

use super::estimate::LEAST_RUNS;
use crate::analysis::Verdict;
use crate::metric::ComparedMetric;
use crate::record::{Document, Version};
use crate::units::{self, DurationText};
use search::{Answer, State};

/// Search for the version that made a metric worse, content of `bisect.json`. Written whole after
/// each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bisection {
    /// Format of this file.
    pub version: Version<1>,
    /// Metric that decides.
    pub metric: ComparedMetric,
    /// Version that every other one is compared with.
    pub good: Revision,
    /// Later versions, oldest first; the last one is the bad version. Positions count from 1.
    pub revisions: Vec<Revision>,
    /// Number of commits that change nothing in the package, which are not among the versions.
    pub unchanged_commits: usize,
    /// Number of pairs of runs of a comparison at the most.
    pub pairs: u32,
    /// Time after which no further pair begins; `None` without a limit.
    #[serde(with = "units::duration::option", default)]
    #[schemars(with = "Option<DurationText>")]
    pub max_time: Option<Duration>,
    /// Whether runs are compared although their conditions differ.
    #[serde(default)]
    pub allows_differences: bool,
    /// Comparisons so far; the first is that of the bad version.
    pub steps: Vec<BisectionStep>,
    /// Result of the steps so far.
    pub outcome: Outcome,
}

impl Document for Bisection {
    const KIND: &'static str = "bisection";
    const VERSION: u32 = 1;
}

/// Result of a bisection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Outcome {
    /// First bad version, at this position.
    Found {
        /// Position of the version.
        position: usize,
    },
    /// Positions among which the first bad version is. The others between them give no answer.
    Narrowed(Range),
    /// Positions among which the first bad version is, with versions still to compare.
    Unfinished(Range),
    /// No difference to look for: the bad version is the same as the good one, or better.
    NotWorse,
    /// No answer on the bad version: undecided, or it cannot be tested.
    NotConfirmed,
}

impl Outcome {
    /// Exit code of `cargo xtask bisect`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Found { .. } => Verdict::Pass.exit_code(),
            Self::Narrowed(_) | Self::Unfinished(_) | Self::NotWorse | Self::NotConfirmed => {
                Verdict::Inconclusive.exit_code()
            }
        }
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found { .. } => "FOUND",
            Self::Narrowed(_) => "NARROWED",
            Self::Unfinished(_) => "UNFINISHED",
            Self::NotWorse => "NOT WORSE",
            Self::NotConfirmed => "NOT CONFIRMED",
        }
    }
}

impl Bisection {
    /// Bisection without steps.
    pub fn new(
        metric: ComparedMetric,
        good: Revision,
        revisions: Vec<Revision>,
        unchanged_commits: usize,
    ) -> Self {
        let range = Range { first: 1, last: revisions.len() };
        Self {
            version: Version,
            metric,
            good,
            revisions,
            unchanged_commits,
            pairs: 0,
            max_time: None,
            allows_differences: false,
            steps: Vec::new(),
            outcome: Outcome::Unfinished(range),
        }
    }

    /// Position of the version to compare next; `None` at the end. The first is the bad version: a
    /// search between two equal ones would name any.
    pub fn next(&self) -> Option<usize> {
        match (self.steps.is_empty(), self.outcome) {
            (true, _) => Some(self.revisions.len()),
            (false, Outcome::Unfinished(_)) => self.state().next,
            (false, _) => None,
        }
    }

    /// Adds a step, and draws its conclusion.
    pub fn add(&mut self, step: BisectionStep) {
        self.steps.push(step);
        self.outcome = match &self.steps[0].verdict {
            StepVerdict::Bad => self.narrowed(),
            StepVerdict::Good => Outcome::NotWorse,
            StepVerdict::Undecided | StepVerdict::Untestable { .. } => Outcome::NotConfirmed,
        };
    }

    /// Version at a position; 0 is the good one.
    pub fn revision(&self, position: usize) -> &Revision {
        let later = position.checked_sub(1).and_then(|index| self.revisions.get(index));
        later.unwrap_or(&self.good)
    }

    /// Step that compared the version at a position.
    pub fn step(&self, position: usize) -> Option<&BisectionStep> {
        self.steps.iter().find(|step| step.position == position)
    }

    /// Number of versions between the good and the bad one.
    pub fn between(&self) -> usize {
        self.revisions.len().saturating_sub(1)
    }

    /// Comparisons that are still needed at the most, if every version gives an answer.
    pub fn most_steps(&self) -> u32 {
        match self.outcome {
            _ if self.steps.is_empty() => 1 + search::most_steps(self.state().range),
            Outcome::Unfinished(range) => search::most_steps(range),
            _ => 0,
        }
    }

    /// Fewest and most runs of the comparisons that are still needed. The good version has one
    /// warm-up, every other one its own.
    pub fn runs_needed(&self) -> [u64; 2] {
        let (steps, first) = (u64::from(self.most_steps()), u64::from(self.steps.is_empty()));
        let least = LEAST_RUNS as u64;
        [least, u64::from(self.pairs).max(least)].map(|pairs| {
            first.saturating_add(steps.saturating_mul(pairs.saturating_mul(2).saturating_add(1)))
        })
    }

    fn narrowed(&self) -> Outcome {
        let State { range, next } = self.state();
        match next {
            Some(_) => Outcome::Unfinished(range),
            None if range.first == range.last => Outcome::Found { position: range.last },
            None => Outcome::Narrowed(range),
        }
    }

    fn state(&self) -> State {
        let answers: BTreeMap<usize, Answer> =
            self.steps.iter().map(|step| (step.position, step.verdict.answer())).collect();
        search::search(self.revisions.len(), &answers)
    }
}

#[cfg(test)]
mod tests;
