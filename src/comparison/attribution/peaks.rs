//! Causes of executors' peaks, of base and candidate.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::median::median;
use super::of_run::{AttributedPeak, PeakCause, RunAttribution};
use crate::class::ProcessClass;
use crate::units::ByteSize;

/// Causes of the largest peaks of a class of executors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeakCauses {
    /// Process class.
    pub class: ProcessClass,
    /// Whether the largest peak of the class is worse or better, or changed by more than its
    /// tolerance.
    pub differs: bool,
    /// Causes in the runs of the base, the most frequent first.
    pub base: Vec<CauseOfPeaks>,
    /// Causes in the runs of the candidate, the most frequent first.
    pub candidate: Vec<CauseOfPeaks>,
}

/// Cause of a class's largest peak in some runs of a version: medians of these runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CauseOfPeaks {
    /// Cause.
    pub cause: PeakCause,
    /// Number of runs whose largest peak has this cause.
    pub runs: usize,
    /// Largest peak.
    pub peak: ByteSize,
    /// Growth of the peak by its cause; `None` if it is unknown in all runs.
    pub growth: Option<ByteSize>,
    /// Largest peak with another cause; `None` if it is unknown in all runs.
    pub without: Option<ByteSize>,
}

/// Causes of the peaks of each class that any run has.
pub(super) fn compare(
    base: &[&RunAttribution],
    candidate: &[&RunAttribution],
    differs: impl Fn(ProcessClass) -> bool,
) -> Vec<PeakCauses> {
    let peaks = base.iter().chain(candidate).flat_map(|run| &run.peaks);
    let classes: BTreeSet<ProcessClass> = peaks.map(|peak| peak.class).collect();
    let compared = classes.into_iter().map(|class| PeakCauses {
        class,
        differs: differs(class),
        base: causes(base, class),
        candidate: causes(candidate, class),
    });
    compared.collect()
}

fn causes(runs: &[&RunAttribution], class: ProcessClass) -> Vec<CauseOfPeaks> {
    let mut by_cause: BTreeMap<&PeakCause, Vec<&AttributedPeak>> = BTreeMap::new();
    for peak in runs.iter().flat_map(|run| &run.peaks).filter(|peak| peak.class == class) {
        by_cause.entry(&peak.cause).or_default().push(peak);
    }
    let pooled = by_cause.into_iter().filter_map(|(cause, peaks)| {
        Some(CauseOfPeaks {
            cause: cause.clone(),
            runs: peaks.len(),
            peak: median_size(peaks.iter().map(|peak| peak.peak))?,
            growth: median_size(peaks.iter().filter_map(|peak| peak.growth)),
            without: median_size(peaks.iter().filter_map(|peak| peak.without)),
        })
    });
    let mut causes: Vec<CauseOfPeaks> = pooled.collect();
    causes.sort_by_key(|cause| Reverse((cause.runs, cause.peak)));
    causes
}

fn median_size(sizes: impl Iterator<Item = ByteSize>) -> Option<ByteSize> {
    let mut sizes: Vec<ByteSize> = sizes.collect();
    sizes.sort_unstable();
    median(&sizes)
}
