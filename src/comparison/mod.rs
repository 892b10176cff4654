//! Comparison of two SkyPilots, the base and the candidate, by finished runs of each.
//!
//! [`Comparison::assemble`] is a pure function of the reports of both sides and of [`Settings`]. A
//! command that makes runs pair by pair calls it after each pair, with [`Looks::AfterEachPair`].
//!
//! * `measured_run`: conditions, amounts and failures of a run, from its report.
//! * `reference`: stored set of runs, with which later ones are compared.
//! * `conditions`: what should be equal in all runs, so that a change is SkyPilot's.
//! * `metrics`, `scale`, `decision`: amounts of each metric in each run, and the metric's verdict.
//! * `estimate`, `risk`: the statistics behind it: Student's t, and the risk of a wrong verdict.
//! * `attribution`: what made executors' peaks, and what requests cost, which informs.
//! * `failures`: errors, failures and kills of the candidate alone.
//! * `packages`: packages that differ between both.
//! * `reason`: reason of the verdict in words.
//! * `excluded`, `early_end`: runs that are left out, and pairs that were not made.
//! * `schedule`, `ab`: order of the runs of an `ab`, and the record from which it is continued.
//! * `bisection`: search for the version that made a metric worse, by comparisons with a good one.

mod ab;
mod attribution;
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
mod reason;
mod reference;
mod risk;
mod scale;
mod schedule;
mod settings;
mod side;
mod verdict;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ab::{AbRecord, VersionUnderTest};
pub use attribution::{
    AttributionComparison, CauseOfPeaks, CostComparison, CostFigure, FigureChange,
    FigureComparison, PeakCause, PeakCauses,
};
pub use bisection::{Bisection, BisectionStep, CommitTitle, Outcome, Range, Revision, StepVerdict};
use conditions::Unknown;
pub use conditions::{Difference, Part};
pub use decision::{Amounts, Change, MetricVerdict, Pairing};
pub use early_end::EarlyEnd;
pub use estimate::{Interval, LEAST_RUNS, MOST_FORECAST, Noise};
pub use excluded::{Excluded, ExcludedError};
use failures::OfCandidate;
pub use failures::{ErrorComparison, KillComparison};
use measured_run::MeasuredRun;
pub use measured_run::unusable;
pub use metrics::MetricComparison;
pub use packages::PackageDifference;
pub use reference::{Fingerprint, RecordedRun, Reference};
pub use schedule::{Next, Place, PlacedRun, Role, complete_pairs, left_out, next, warm_ups};
pub use settings::{Looks, Settings};
pub use side::Side;
pub use verdict::ComparisonVerdict;

use crate::analysis::Report;
use crate::metric::{ComparedMetric, Kind};
use crate::record::{Document, Version};

/// Comparison of two SkyPilots, content of `compare.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Comparison {
    /// Format of this file.
    pub version: Version<1>,
    /// Runs that the candidate is compared with.
    pub base: Side,
    /// Whether the base is a reference, which is compared only where conditions are equal.
    #[serde(default)]
    pub against_reference: bool,
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
    /// Executors' memory by requests, which informs.
    #[serde(default)]
    pub attribution: AttributionComparison,
    /// Errors of both versions, those of the candidate alone first.
    pub errors: Vec<ErrorComparison>,
    /// Scenarios and thresholds that failed in the candidate alone, and setup or teardown.
    pub failed: Vec<String>,
    /// Thresholds that failed in the candidate and that no run of the base has, without effect on
    /// the verdict.
    #[serde(default)]
    pub unjudged: Vec<String>,
    /// Runs in which the kernel killed processes at the server's size.
    #[serde(default)]
    pub kills: KillComparison,
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
        let [base, candidate] = [base, candidate].map(measured);
        let pairing = Pairing::of(base.len(), candidate.len());
        Self::of_runs([&base, &candidate], pairing, false, settings)
    }

    /// Compares runs of a candidate with a reference: as sets, since runs of other days are not
    /// pairs, and only those metrics whose conditions are equal.
    pub fn with_reference(
        reference: &Reference,
        candidate: &[Report],
        settings: &Settings,
    ) -> Self {
        let (base, candidate) = (reference.measured_runs(), measured(candidate));
        Self::of_runs([&base, &candidate], Pairing::Unpaired, true, settings)
    }

    fn of_runs(
        [base, candidate]: [&[MeasuredRun]; 2],
        pairing: Pairing,
        against_reference: bool,
        settings: &Settings,
    ) -> Self {
        let ((base_side, base), (candidate_side, candidate)) =
            (Side::of(base, candidate, pairing), Side::of(candidate, base, pairing));
        let of_base = base.iter().map(|run| (&run.run, &run.conditions));
        let of_candidate: Vec<_> =
            candidate.iter().map(|run| (&run.run, &run.conditions)).collect();
        let runs: Vec<_> = of_base.chain(of_candidate.iter().copied()).collect();
        let unknown =
            if against_reference { Unknown::MayDiffer } else { Unknown::DiffersFromNothing };
        let mut differences = conditions::differences(&runs, unknown);
        conditions::add_those_within(&mut differences, &of_candidate, unknown);
        differences.extend(packages::within(Role::Base.name(), &base));
        differences.extend(packages::within(Role::Candidate.name(), &candidate));
        let packages = packages::between(&base, &candidate);
        let other_conditions = |kind: Kind| {
            let needed = Part::needed_for(kind);
            let differ = differences
                .iter()
                .filter(|it| against_reference && !it.may_be_skypilots && it.part <= needed);
            differ.map(|difference| difference.what.clone()).collect::<Vec<String>>()
        };
        let metrics = metrics::compare([&base, &candidate], pairing, settings, other_conditions);
        let attribution = attribution::compare([&base, &candidate], &metrics, settings, |kind| {
            other_conditions(kind).is_empty()
        });
        let not_measured = settings.deciding_metrics().filter(|metric| {
            metrics.iter().all(|measured: &MetricComparison| measured.metric != *metric)
        });
        let not_measured = not_measured.collect();
        let errors = failures::errors(&base, &candidate);
        let OfCandidate { failed, unjudged } = OfCandidate::alone(&base, &candidate);
        let kills = KillComparison::of(&base, &candidate);
        let verdict = if !failed.is_empty() {
            ComparisonVerdict::ScenarioFailed
        } else if kills.is_new() {
            // Whatever decides: the candidate does not fit into the size that the base fits into.
            ComparisonVerdict::Worse
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
            against_reference,
            candidate: candidate_side,
            pairing,
            looks: settings.looks,
            differences,
            packages,
            metrics,
            not_measured,
            attribution,
            errors,
            failed,
            unjudged,
            kills,
            early_end: None,
            verdict,
        }
    }

    /// Compares the complete pairs of an `ab`, names its runs that are `left_out`, and the reason
    /// for which it ended early.
    pub fn of_ab(
        record: &AbRecord,
        [base, candidate]: [&[Report]; 2],
        left_out: &[Report],
        end: Option<EarlyEnd>,
        settings: &Settings,
    ) -> Self {
        let [base, candidate] = [base, candidate].map(measured);
        let pairing = Pairing::of(base.len(), candidate.len());
        let mut comparison = Self::of_runs([&base, &candidate], pairing, false, settings);
        let of_sides = schedule::left_out(&record.done);
        let sides = [&mut comparison.base, &mut comparison.candidate];
        for (side, runs) in sides.into_iter().zip(of_sides) {
            for (run, reason) in runs {
                if let Some(report) = left_out.iter().find(|report| report.run == *run) {
                    side.leave_out(&MeasuredRun::of(report), reason);
                }
            }
        }
        if let Some(end) = &end {
            let of_base = comparison.base.excluded.iter().flat_map(|run| &run.failed);
            let of_base: BTreeSet<&String> =
                of_base.chain(base.iter().flat_map(|run| &run.failed)).collect();
            let mut of_candidate = comparison.candidate.excluded.iter().flat_map(|run| &run.failed);
            let fails_alone = of_candidate.any(|failed| !of_base.contains(failed));
            comparison.verdict = end.verdict(comparison.verdict, fails_alone);
        }
        comparison.early_end = end;
        comparison
    }

    /// Differences that make the change one of something else than SkyPilot.
    pub fn disturbances(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| !difference.may_be_skypilots)
    }

    /// Condition that differs, in words; the runs of a reference are named as such.
    pub fn in_words(&self, difference: &Difference) -> String {
        let Difference { what, run, value, other_run, other_value, .. } = difference;
        match self.against_reference && self.base.runs.contains(run) {
            true => format!("{what}: {value} in the reference, {other_value} in {other_run}"),
            false => difference.to_string(),
        }
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

    /// Whether all deciding metrics need conditions that are not those of the reference.
    pub fn has_nothing_to_compare(&self) -> bool {
        let mut deciding = self.deciding().peekable();
        deciding.peek().is_some()
            && deciding.all(|metric| metric.verdict == MetricVerdict::OtherConditions)
    }
}

fn measured(reports: &[Report]) -> Vec<MeasuredRun> {
    reports.iter().map(MeasuredRun::of).collect()
}

#[cfg(test)]
mod tests;
