//! Executors' memory by requests, base against candidate: what made the largest peaks, and what each
//! kind of request costs. It informs, and never decides the verdict.
//!
//! Runs are pooled by medians: of each run's figure over the runs that measured it.

mod costs;
mod median;
pub(super) mod of_run;
mod peaks;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use costs::{CostComparison, FigureChange, FigureComparison};
pub use of_run::{CostFigure, PeakCause};
pub use peaks::{CauseOfPeaks, PeakCauses};

use self::of_run::RunAttribution;
use super::measured_run::MeasuredRun;
use super::metrics::MetricComparison;
use super::settings::Settings;
use crate::class::ProcessClass;
use crate::metric::{ComparedMetric, Kind, Metric};

/// Executors' memory by requests, in both versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AttributionComparison {
    /// Number of runs of the base with readings of executors.
    pub runs_of_base: usize,
    /// Number of runs of the candidate with readings of executors.
    pub runs_of_candidate: usize,
    /// Causes of the largest peaks of each class of executors.
    pub peaks: Vec<PeakCauses>,
    /// Cost of each kind of request, by its largest growth; empty if a version has no readings.
    pub costs: Vec<CostComparison>,
}

/// Comparison of the runs with readings of executors. Costs of a kind of metric that is not
/// comparable are left out.
pub(super) fn compare(
    [base, candidate]: [&[&MeasuredRun]; 2],
    metrics: &[MetricComparison],
    settings: &Settings,
    is_comparable: impl Fn(Kind) -> bool,
) -> AttributionComparison {
    let [base, candidate] = [base, candidate].map(|runs| {
        let attributed = runs.iter().filter_map(|run| run.attribution.as_ref());
        attributed.collect::<Vec<&RunAttribution>>()
    });
    let differs = |class: ProcessClass| {
        let peak = ComparedMetric::Server(Metric::max_peak(class));
        metrics.iter().any(|metric| metric.metric == peak && metric.differs())
    };
    AttributionComparison {
        runs_of_base: base.len(),
        runs_of_candidate: candidate.len(),
        peaks: peaks::compare(&base, &candidate, differs),
        costs: match base.is_empty() || candidate.is_empty() {
            true => Vec::new(),
            false => costs::compare(&base, &candidate, settings, is_comparable),
        },
    }
}
