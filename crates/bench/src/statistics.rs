//! Statistics of measurements: spreads over rounds, and the accuracy of peaks.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use skyload::record::outcome::Latencies;
use skyload::units::ByteSize;

/// Time in microseconds, mostly CPU time.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Micros(pub(crate) f64);

/// Ratio of two measurements.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ratio(pub(crate) f64);

/// Samples per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hertz(pub(crate) f64);

impl Micros {
    /// CPU time per sample, request or iteration; `None` without one.
    #[expect(clippy::cast_precision_loss, reason = "a count of them is far below 2^52")]
    pub(crate) fn each(cpu: Duration, count: u64) -> Option<Self> {
        (count > 0).then(|| Self(cpu.as_secs_f64() * 1e6 / count as f64))
    }

    /// Percentile of a distribution; `None` if it is empty.
    pub(crate) fn percentile(latencies: &Latencies, percent: f64) -> Option<Self> {
        latencies.percentile(percent).map(|time| Self(time.as_secs_f64() * 1e6))
    }

    /// Share of one core, in percent, if this CPU time is used once per `interval`.
    pub(crate) fn percent_of_a_core(self, interval: Duration) -> f64 {
        self.0 / 1e6 / interval.as_secs_f64() * 100.0
    }
}

/// Median and range of a figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Spread<T> {
    pub(crate) median: T,
    pub(crate) min: T,
    pub(crate) max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// Spread of values; `None` without a value. For an even number of values, the median is
    /// the lower of the middle two, which is a measured value.
    pub(crate) fn of(values: &[T]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: *sorted.get((sorted.len() - 1) / 2)?, min, max })
    }
}

/// Tolerance within which a peak counts as exact. The kernel sums its per-CPU counters
/// exactly when `VmRSS` is read, but only approximately when it updates a high-water mark.
pub(crate) const EXACT: ByteSize = ByteSize(512 << 10);

/// Tolerance of the second, less strict count.
const APPROXIMATE: ByteSize = ByteSize::mib(5);

/// Actual peak of a process, and the peak that a candidate reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeakComparison {
    pub(crate) actual: ByteSize,
    /// Peak that the candidate reports; `None` if it did not see the process.
    pub(crate) reported: Option<ByteSize>,
}

impl PeakComparison {
    /// Difference by which the reported peak is too low: the whole peak if the process was not
    /// seen.
    fn shortfall(self) -> ByteSize {
        let reported = self.reported.unwrap_or_default().as_u64();
        ByteSize(self.actual.as_u64().saturating_sub(reported))
    }

    fn excess(self) -> ByteSize {
        let reported = self.reported.unwrap_or_default().as_u64();
        ByteSize(reported.saturating_sub(self.actual.as_u64()))
    }

    fn is_within(self, tolerance: ByteSize) -> bool {
        self.reported.is_some() && self.shortfall().max(self.excess()) <= tolerance
    }
}

/// Accuracy of a candidate's peaks of many processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recall {
    /// Number of processes.
    pub(crate) processes: usize,
    /// Number of processes that the candidate saw.
    pub(crate) seen: usize,
    /// Number of processes whose reported peak is within 0.5 MiB of the actual one.
    pub(crate) within_half_mib: usize,
    /// Number of processes whose reported peak is within 5 MiB of the actual one.
    pub(crate) within_5_mib: usize,
    pub(crate) shortfall_median: ByteSize,
    pub(crate) shortfall_p90: ByteSize,
    pub(crate) shortfall_max: ByteSize,
    /// Maximum by which a reported peak exceeds the actual one.
    pub(crate) excess_max: ByteSize,
}

impl Recall {
    /// Accuracy over all comparisons; `None` without one.
    pub(crate) fn of(comparisons: &[PeakComparison]) -> Option<Self> {
        let count = |holds: &dyn Fn(PeakComparison) -> bool| {
            comparisons.iter().filter(|comparison| holds(**comparison)).count()
        };
        let mut shortfalls: Vec<ByteSize> =
            comparisons.iter().map(|comparison| comparison.shortfall()).collect();
        shortfalls.sort_unstable();
        Some(Self {
            processes: comparisons.len(),
            seen: count(&|comparison| comparison.reported.is_some()),
            within_half_mib: count(&|comparison| comparison.is_within(EXACT)),
            within_5_mib: count(&|comparison| comparison.is_within(APPROXIMATE)),
            shortfall_median: percentile(&shortfalls, 50)?,
            shortfall_p90: percentile(&shortfalls, 90)?,
            shortfall_max: *shortfalls.last()?,
            excess_max: comparisons.iter().map(|comparison| comparison.excess()).max()?,
        })
    }
}

/// Percentile of sorted values by the nearest-rank method.
fn percentile(sorted: &[ByteSize], percent: usize) -> Option<ByteSize> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(actual: u64, reported: Option<u64>) -> PeakComparison {
        PeakComparison { actual: ByteSize::mib(actual), reported: reported.map(ByteSize::mib) }
    }

    #[test]
    fn a_median_is_one_of_the_values_and_the_range_includes_all() {
        let spread = Spread::of(&[5.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 5.0 });
        assert_eq!(Spread::of(&[7]).unwrap().median, 7);
    }

    #[test]
    fn no_values_have_no_statistics() {
        assert_eq!(Spread::<u32>::of(&[]), None);
        assert_eq!(Recall::of(&[]), None);
    }

    #[test]
    fn the_shortfall_of_an_unseen_process_is_its_whole_peak() {
        let recall = Recall::of(&[comparison(100, None), comparison(80, Some(80))]).unwrap();
        assert_eq!((recall.processes, recall.seen, recall.within_half_mib), (2, 1, 1));
        assert_eq!(recall.shortfall_max, ByteSize::mib(100));
        assert_eq!(recall.shortfall_median, ByteSize(0));
    }

    #[test]
    fn a_peak_that_is_too_high_is_as_wrong_as_one_that_is_too_low() {
        let recall = Recall::of(&[comparison(80, Some(182)), comparison(80, Some(77))]).unwrap();
        assert_eq!((recall.within_half_mib, recall.within_5_mib), (0, 1));
        assert_eq!(recall.excess_max, ByteSize::mib(102));
        assert_eq!(recall.shortfall_max, ByteSize::mib(3));
    }

    #[test]
    fn nine_of_ten_do_not_exceed_the_90th_percentile() {
        let comparisons: Vec<PeakComparison> =
            (1..=10).map(|shortfall| comparison(100, Some(100 - shortfall))).collect();
        let recall = Recall::of(&comparisons).unwrap();
        assert_eq!(recall.shortfall_p90, ByteSize::mib(9));
        assert_eq!(recall.shortfall_median, ByteSize::mib(5));
    }
}
