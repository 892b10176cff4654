//! Comparison of each metric that any run measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::{self, Amounts, Change, MetricVerdict, Pairing};
use super::measured_run::MeasuredRun;
use super::settings::Settings;
use crate::metric::{Amount, ComparedMetric, Kind, Tolerance};

/// Comparison of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricComparison {
    /// Metric.
    pub metric: ComparedMetric,
    /// Whether the metric decides the verdict of the comparison.
    pub decides: bool,
    /// Mean of the base; geometric if the change is a ratio.
    pub base: Option<Amount>,
    /// Mean of the candidate.
    pub candidate: Option<Amount>,
    /// Amount in each run of the base, in their order; `None` where it was not measured.
    pub base_runs: Vec<Option<Amount>>,
    /// Amount in each run of the candidate.
    pub candidate_runs: Vec<Option<Amount>>,
    /// Whether an amount of any run is a lower bound.
    pub has_lower_bounds: bool,
    /// Change from base to candidate; `None` with too few runs.
    pub change: Option<Change>,
    /// Tolerance of the metric's kind.
    pub tolerance: Tolerance,
    /// Names of the conditions that the metric needs and that are not those of the reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_conditions: Vec<String>,
    /// Verdict.
    pub verdict: MetricVerdict,
}

impl MetricComparison {
    /// Whether the metric is worse or better, or its estimated change exceeds the tolerance.
    pub fn differs(&self) -> bool {
        matches!(self.verdict, MetricVerdict::Worse | MetricVerdict::Better)
            || self.change.is_some_and(|change| change.estimate.abs() > change.tolerance)
    }
}

/// Comparisons of all metrics, deciding ones first. A metric for which there are
/// `other_conditions` is not compared.
pub(super) fn compare(
    [base, candidate]: [&[&MeasuredRun]; 2],
    pairing: Pairing,
    settings: &Settings,
    other_conditions: impl Fn(Kind) -> Vec<String>,
) -> Vec<MetricComparison> {
    let measured = |metric: ComparedMetric| {
        let of = |run: &&MeasuredRun| run.amounts.get(&metric).copied();
        let is_lower_bound =
            base.iter().chain(candidate).filter_map(of).any(|measured| measured.is_lower_bound);
        let amounts = |runs: &[&MeasuredRun]| {
            runs.iter().map(|run| of(run).map(|measured| measured.amount)).collect()
        };
        let amounts = Amounts { base: amounts(base), candidate: amounts(candidate) };
        (metric, amounts, is_lower_bound)
    };
    let measured: Vec<_> = ComparedMetric::all()
        .map(measured)
        .filter(|(_, amounts, _)| amounts.counts() != [0, 0])
        .collect();
    let decides = |metric| settings.decides(metric);
    let deciding = measured
        .iter()
        .filter(|(metric, amounts, _)| decides(*metric) && amounts.suffice(pairing))
        .filter(|(metric, ..)| other_conditions(metric.kind()).is_empty())
        .count();
    let compare_one = |(metric, amounts, has_lower_bounds): (ComparedMetric, Amounts, bool)| {
        // A metric that informs is judged as one more of those that decide.
        let metrics = deciding + usize::from(!decides(metric));
        let other_conditions = other_conditions(metric.kind());
        let (verdict, change) = match other_conditions.is_empty() {
            true => decision::decide(metric, &amounts, pairing, settings, metrics),
            false => (MetricVerdict::OtherConditions, None),
        };
        let [base, candidate] = decision::means(metric.kind(), &amounts, pairing);
        MetricComparison {
            metric,
            decides: decides(metric),
            base,
            candidate,
            base_runs: amounts.base,
            candidate_runs: amounts.candidate,
            has_lower_bounds,
            change,
            tolerance: settings.tolerance(metric),
            other_conditions,
            verdict,
        }
    };
    let mut metrics: Vec<MetricComparison> = measured.into_iter().map(compare_one).collect();
    metrics.sort_by_key(|metric| !metric.decides);
    metrics
}
