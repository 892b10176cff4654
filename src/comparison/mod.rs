//! Comparison of two SkyPilots, the base and the candidate, by finished runs of each.
//!
//! [`Comparison::assemble`] is a pure function of the reports of both sides and of [`Settings`]. A
//! command that makes runs pair by pair calls it after each pair, with [`Looks::AfterEachPair`].
//!
//! * `measured_run`: conditions, amounts and failures of a run, from its report.
//! * `conditions`: what should be equal in all runs, so that a change is SkyPilot's.
//! * `metrics`, `scale`, `decision`: amounts of each metric in each run, and the metric's verdict.
//! * `estimate`, `risk`: the statistics behind it: Student's t, and the risk of a wrong verdict.
//! * `failures`: errors and failures of the candidate alone.
//! * `packages`: packages that differ between both.
//! * `excluded`, `early_end`: runs that are left out, and pairs that were not made.
//! * `schedule`, `ab`: order of the runs of an `ab`, and the record from which it is continued.
//! * `bisection`: search for the version that made a metric worse, by comparisons with a good one.

mod ab;
mod bisection;
mod conditions;
mod decision;
mod early_end;
mod estimate;
mod excluded;
mod failures;
mod measured_run;
mod metrics;
mod packages;
mod risk;
mod scale;
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
pub use early_end::EarlyEnd;
pub use estimate::{Interval, LEAST_RUNS, MOST_FORECAST, Noise};
pub use excluded::{Excluded, ExcludedError};
pub use failures::ErrorComparison;
use measured_run::MeasuredRun;
pub use measured_run::unusable;
pub use metrics::MetricComparison;
pub use packages::PackageDifference;
pub use schedule::{Next, Place, PlacedRun, Role, complete_pairs, left_out, next, warm_ups};
pub use settings::{Looks, Settings};
pub use side::Side;
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
    /// Packages that differ between base and candidate, Python among them, SkyPilot left out;
    /// `None` if the packages of either are unknown.
    #[serde(default)]
    pub packages: Option<Vec<PackageDifference>>,
    /// Metrics, deciding ones first.
    pub metrics: Vec<MetricComparison>,
    /// Metrics that should decide, but were measured in no run.
    pub not_measured: Vec<ComparedMetric>,
    /// Errors of both versions, those of the candidate alone first.
    pub errors: Vec<ErrorComparison>,
    /// Scenarios and thresholds that failed in the candidate alone, and setup or teardown.
    pub failed: Vec<String>,
    /// Reason for which no further pair was made, although metrics may be undecided; `None` if all
    /// are decided, if all pairs were made, or of finished runs.
    #[serde(default)]
    pub early_end: Option<EarlyEnd>,
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
        let [base, candidate] = [base, candidate]
            .map(|reports| reports.iter().map(MeasuredRun::of).collect::<Vec<MeasuredRun>>());
        Self::of_runs(&base, &candidate, pairing, settings)
    }

    fn of_runs(
        base: &[MeasuredRun],
        candidate: &[MeasuredRun],
        pairing: Pairing,
        settings: &Settings,
    ) -> Self {
        let ((base_side, base), (candidate_side, candidate)) =
            (Side::of(base, candidate, pairing), Side::of(candidate, base, pairing));
        let runs = base.iter().chain(&candidate).map(|run| (&run.run, &run.conditions));
        let mut differences = conditions::differences(&runs.collect::<Vec<_>>());
        differences.extend(packages::within(Role::Base, &base));
        differences.extend(packages::within(Role::Candidate, &candidate));
        let packages = packages::between(&base, &candidate);
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
            packages,
            metrics,
            not_measured,
            errors,
            failed,
            early_end: None,
            verdict,
        }
    }

    /// Comparison of an `ab` from that of its complete pairs: with the runs that are left out, of
    /// which reports are given, and with the reason for which it ended early.
    #[must_use]
    pub fn of_ab(mut self, record: &AbRecord, left_out: &[Report], end: Option<EarlyEnd>) -> Self {
        let of_sides = schedule::left_out(&record.done);
        for (side, runs) in [&mut self.base, &mut self.candidate].into_iter().zip(of_sides) {
            for (run, reason) in runs {
                if let Some(report) = left_out.iter().find(|report| report.run == *run) {
                    side.leave_out(&MeasuredRun::of(report), reason);
                }
            }
        }
        self.verdict = end.as_ref().map_or(self.verdict, |end| end.verdict(self.verdict));
        self.early_end = end;
        self
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

    /// Whether more pairs may change the verdict: a deciding metric is undecided or too noisy.
    pub fn is_open(&self) -> bool {
        let is_open = |verdict: MetricVerdict| verdict.is_undecided() || verdict.is_too_noisy();
        self.deciding().any(|metric| is_open(metric.verdict))
    }

    /// Reason for the verdict, in one clause, and for an early end.
    pub fn reason(&self) -> String {
        let of_verdict = self.reason_of_verdict();
        match &self.early_end {
            // Where nothing else failed, it is the reason.
            Some(end) if of_verdict.is_empty() => end.to_string(),
            Some(end) => format!("{of_verdict}; {end}"),
            None => of_verdict,
        }
    }

    fn reason_of_verdict(&self) -> String {
        let named = |is_meant: fn(&MetricVerdict) -> bool| {
            let metrics = self.deciding().filter(move |metric| is_meant(&metric.verdict));
            metrics.map(|metric| metric.metric.to_string()).collect::<Vec<_>>().join(", ")
        };
        match self.verdict {
            ComparisonVerdict::ScenarioFailed if self.failed.is_empty() => String::new(),
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
                format!("better: {better}; no deciding metric is worse{}", self.too_noisy())
            }
            ComparisonVerdict::Same => match named(MetricVerdict::is_too_noisy).is_empty() {
                true => "every deciding metric is the same".to_owned(),
                false => {
                    let same = named(|verdict| *verdict == MetricVerdict::Same);
                    format!("the same: {same}{}", self.too_noisy())
                }
            },
        }
    }

    /// Clause on deciding metrics that are too noisy; empty without one.
    fn too_noisy(&self) -> String {
        let clauses = self.deciding().filter_map(|metric| match metric.verdict {
            MetricVerdict::TooNoisy { pairs } => {
                let pairs = pairs.map_or_else(|| format!("> {MOST_FORECAST}"), |it| it.to_string());
                Some(format!("; too noisy to tell: {} (needs {pairs} pairs)", metric.metric))
            }
            _ => None,
        });
        clauses.collect()
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
            _ if metrics.is_empty() && self.is_open() => {
                format!("no deciding metric is decided{}", self.too_noisy())
            }
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
