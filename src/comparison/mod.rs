//! Comparison of two SkyPilots, the base and the candidate, by finished runs of each.
//!
//! [`Comparison::assemble`] is a pure function of the reports of both sides and of [`Settings`]. A
//! command that makes runs pair by pair calls it after each pair, with [`Looks::AfterEachPair`].
//!
//! * `conditions`: what should be equal in all runs, so that a change is SkyPilot's.
//! * `metrics`, `decision`: amounts of each metric in each run, and the metric's verdict.
//! * `estimate`, `risk`: the statistics behind it: Student's t, and the risk of a wrong verdict.
//! * `failures`: errors and failures of the candidate alone.
//! * `schedule`, `ab`: order of the runs of an `ab`, and the record from which it is continued.
//! * `bisection`: search for the version that made a metric worse, by comparisons with a good one.

mod ab;
mod bisection;
mod conditions;
mod decision;
mod estimate;
mod failures;
mod metrics;
mod risk;
mod schedule;
mod settings;
mod side;
mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ab::{AbRecord, VersionUnderTest};
pub use bisection::{Bisection, BisectionStep, CommitTitle, Outcome, Range, Revision, StepVerdict};
pub use conditions::Difference;
pub use decision::{Amounts, Change, MetricVerdict, Pairing};
pub use estimate::{Interval, LEAST_RUNS, MOST_FORECAST, Noise};
pub use failures::ErrorComparison;
pub use metrics::MetricComparison;
pub use schedule::{Next, Place, PlacedRun, Role, complete_pairs, next};
pub use settings::{Looks, Settings};
pub use side::{Excluded, Side, unusable};
pub use verdict::ComparisonVerdict;

use crate::analysis::Report;
use crate::metric::ComparedMetric;
use crate::record::{Document, Version};

/// Comparison of two SkyPilots, content of `compare.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Comparison {
    /// Format of this file.
    pub version: Version<1>,
    /// Runs that the candidate is compared with.
    pub base: Side,
    /// Runs of the candidate.
    pub candidate: Side,
    /// Pairing of the runs.
    pub pairing: Pairing,
    /// Number of times that the comparison is looked at.
    pub looks: Looks,
    /// Conditions that differ between runs.
    pub differences: Vec<Difference>,
    /// Metrics, deciding ones first.
    pub metrics: Vec<MetricComparison>,
    /// Metrics that should decide, but were measured in no run.
    pub not_measured: Vec<ComparedMetric>,
    /// Errors of both versions, those of the candidate alone first.
    pub errors: Vec<ErrorComparison>,
    /// Scenarios and thresholds that failed in the candidate alone, and setup or teardown.
    pub failed: Vec<String>,
    /// Verdict: the first that applies of scenario failed, worse, undecided, else same or better.
    pub verdict: ComparisonVerdict,
}

impl Document for Comparison {
    const KIND: &'static str = "comparison";
    const VERSION: u32 = 1;
}

impl Comparison {
    /// Compares runs of a candidate with runs of a base, in pairs if there are as many of both.
    pub fn assemble(base: &[Report], candidate: &[Report], settings: &Settings) -> Self {
        let pairing = match base.len() == candidate.len() {
            true => Pairing::InOrder,
            false => Pairing::Unpaired,
        };
        let ((base_side, base), (candidate_side, candidate)) =
            (Side::of(base, candidate, pairing), Side::of(candidate, base, pairing));
        let differences =
            conditions::differences(&base.iter().chain(&candidate).copied().collect::<Vec<_>>());
        let metrics = metrics::compare(&base, &candidate, pairing, settings);
        let not_measured = settings.deciding_metrics().filter(|metric| {
            metrics.iter().all(|measured: &MetricComparison| measured.metric != *metric)
        });
        let not_measured = not_measured.collect();
        let errors = failures::errors(&base, &candidate);
        let failed = failures::only_of_candidate(&base, &candidate);
        let verdict = if !failed.is_empty() {
            ComparisonVerdict::ScenarioFailed
        } else if settings.errors_decide() && errors.iter().any(ErrorComparison::is_new) {
            ComparisonVerdict::Worse
        } else if base.len().min(candidate.len()) < LEAST_RUNS {
            ComparisonVerdict::Undecided
        } else {
            ComparisonVerdict::of(&metrics, settings)
        };
        Self {
            version: Version,
            base: base_side,
            candidate: candidate_side,
            pairing,
            looks: settings.looks,
            differences,
            metrics,
            not_measured,
            errors,
            failed,
            verdict,
        }
    }

    /// Differences that make the change one of something else than SkyPilot.
    pub fn disturbances(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| !difference.may_be_skypilots)
    }

    /// Metrics that decide the verdict.
    pub fn deciding(&self) -> impl Iterator<Item = &MetricComparison> {
        self.metrics.iter().filter(|metric| metric.decides)
    }

    /// Number of pairs that would decide all deciding metrics; `None` if all are decided, or if
    /// the number is unknown or more than 100.
    pub fn pairs_needed(&self) -> Option<usize> {
        let needed = self.deciding().filter_map(|metric| match metric.verdict {
            MetricVerdict::Undecided { pairs } => Some(pairs),
            _ => None,
        });
        needed.collect::<Option<Vec<usize>>>()?.into_iter().max()
    }

    /// Whether more pairs may change the verdict: a deciding metric is undecided.
    pub fn is_undecided(&self) -> bool {
        self.deciding().any(|metric| metric.verdict.is_undecided())
    }

    /// Reason for the verdict, in one clause.
    pub fn reason(&self) -> String {
        let named = |is_meant: fn(&MetricVerdict) -> bool| {
            let metrics = self.deciding().filter(move |metric| is_meant(&metric.verdict));
            metrics.map(|metric| metric.metric.to_string()).collect::<Vec<_>>().join(", ")
        };
        match self.verdict {
            ComparisonVerdict::ScenarioFailed => {
                format!("only in the candidate failed: {}", self.failed.join(", "))
            }
            ComparisonVerdict::Worse => {
                let new = self.errors.iter().filter(|error| error.is_new());
                let new = new.map(|error| format!("{} ({})", error.error_type, error.scenario));
                let worse = named(|verdict| *verdict == MetricVerdict::Worse);
                let worse = (!worse.is_empty()).then(|| format!("worse: {worse}"));
                let new = new.collect::<Vec<_>>().join(", ");
                let new = (!new.is_empty()).then(|| format!("new errors: {new}"));
                worse.into_iter().chain(new).collect::<Vec<_>>().join("; ")
            }
            ComparisonVerdict::Undecided => self.why_undecided(named(MetricVerdict::is_undecided)),
            ComparisonVerdict::Better => {
                let better = named(|verdict| *verdict == MetricVerdict::Better);
                format!("better: {better}; no deciding metric is worse")
            }
            ComparisonVerdict::Same => "every deciding metric is the same".to_owned(),
        }
    }

    fn why_undecided(&self, metrics: String) -> String {
        let runs = [&self.base, &self.candidate].map(|side| side.runs.len());
        if runs.iter().any(|runs| *runs < LEAST_RUNS) {
            let [base, candidate] = runs;
            return format!(
                "too few usable runs: {base} of the base, {candidate} of the candidate, at least \
                 {LEAST_RUNS} of each are needed"
            );
        }
        match self.pairs_needed() {
            _ if metrics.is_empty() => "no deciding metric was measured in both".to_owned(),
            Some(pairs) => format!("{metrics}; {pairs} pairs would decide"),
            None if self.deciding().any(has_too_few_runs) => {
                format!("{metrics}; measured in fewer than {LEAST_RUNS} pairs")
            }
            None => format!("{metrics}; more than {MOST_FORECAST} pairs would be needed"),
        }
    }
}

/// Whether a metric is undecided for want of runs.
const fn has_too_few_runs(metric: &MetricComparison) -> bool {
    metric.verdict.is_undecided() && metric.change.is_none()
}

#[cfg(test)]
mod tests;
