//! Largest peaks of executors, one for each cause.

use std::cmp::Reverse;

use super::cause::{self, Cause};
use super::history;
use super::names::Names;
use crate::analysis::Evidence;
use crate::class::ProcessClass;
use crate::units::ByteSize;

/// Largest peak of an executor by one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorPeak {
    /// Process class.
    pub class: ProcessClass,
    /// Largest peak of the class by the cause.
    pub peak: ByteSize,
    /// Cause of the peak.
    pub cause: Cause,
}

impl ExecutorPeak {
    /// Whether two peaks have one cause: requests of a kind count once in a class.
    fn has_cause_of(&self, other: &Self) -> bool {
        let is_same = match (self.cause.kind(), other.cause.kind()) {
            (Some(one), Some(another)) => one == another,
            (None, None) => without_growth(&self.cause) == without_growth(&other.cause),
            _ => false,
        };
        is_same && self.class == other.class
    }
}

/// Cause as a key: two executors grow by different amounts.
fn without_growth(cause: &Cause) -> Cause {
    match cause.clone() {
        Cause::Request { request, .. } => Cause::Request { request, growth: None },
        Cause::OneOf { requests, .. } => Cause::OneOf { requests, growth: None },
        other => other,
    }
}

/// Largest peaks of a run's executors, one for each cause in a class, the largest first. Empty
/// without readings of executors.
pub fn largest_peaks(evidence: &Evidence) -> Vec<ExecutorPeak> {
    let recording = evidence.recording();
    let histories = history::of(recording);
    if histories.iter().all(|history| history.readings.is_empty()) {
        return Vec::new();
    }
    let names = Names::of(evidence.server_requests.as_ref(), &histories, recording);
    let peaks = histories.iter().filter_map(|history| {
        let cause = cause::of(history, &names);
        Some(ExecutorPeak { class: history.record.class, peak: history.record.peak?, cause })
    });
    let mut peaks: Vec<ExecutorPeak> = peaks.collect();
    peaks.sort_by_key(|peak| Reverse(peak.peak));
    let mut largest: Vec<ExecutorPeak> = Vec::new();
    for peak in peaks {
        if !largest.iter().any(|other| other.has_cause_of(&peak)) {
            largest.push(peak);
        }
    }
    largest
}
