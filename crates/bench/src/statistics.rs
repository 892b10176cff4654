//! From single measurements to figures.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use skyload::units::ByteSize;

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Micros(pub(crate) f64);

/// How many times as much.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ratio(pub(crate) f64);

/// Ticks per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hertz(pub(crate) f64);

impl Micros {
    /// CPU per tick; `None` where there was no tick.
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks is far below 2^52")]
    pub(crate) fn per_tick(cpu: Duration, ticks: u64) -> Option<Self> {
        (ticks > 0).then(|| Self(cpu.as_secs_f64() * 1e6 / ticks as f64))
    }

    /// The share of one core, in percent, that so much every `interval` is.
    pub(crate) fn percent_of_a_core(self, interval: Duration) -> f64 {
        self.0 / 1e6 / interval.as_secs_f64() * 100.0
    }
}

/// What a figure was in the middle of all rounds, and between what it lay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Spread<T> {
    pub(crate) median: T,
    pub(crate) min: T,
    pub(crate) max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// `None` of no values. Of an even number the lower middle is the median, so
    /// that it is a value that was measured.
    pub(crate) fn of(values: &[T]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: *sorted.get((sorted.len() - 1) / 2)?, min, max })
    }
}

/// A peak that differs by less is the same: the kernel sums its counters up exactly
/// when it is asked, and roughly when it keeps a maximum.
const SAME: ByteSize = ByteSize(512 << 10);

/// What still counts as "caught".
const CAUGHT: ByteSize = ByteSize::mib(5);

/// What one process says of its own peak, and what a candidate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) truth: ByteSize,
    /// `None` when the candidate never saw the process.
    pub(crate) said: Option<ByteSize>,
}

impl Claim {
    /// By how much less was said; of a process that was not seen, that is all of it.
    fn shortfall(self) -> ByteSize {
        let said = self.said.unwrap_or_default().as_u64();
        ByteSize(self.truth.as_u64().saturating_sub(said))
    }

    fn excess(self) -> ByteSize {
        let said = self.said.unwrap_or_default().as_u64();
        ByteSize(said.saturating_sub(self.truth.as_u64()))
    }

    fn is_within(self, tolerance: ByteSize) -> bool {
        self.said.is_some() && self.shortfall().max(self.excess()) <= tolerance
    }
}

/// How well a candidate knew the peaks of many processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recall {
    /// Processes there were.
    pub(crate) processes: usize,
    /// Those that the candidate saw at all.
    pub(crate) seen: usize,
    /// Those whose peak it knew to half a MiB.
    pub(crate) within_half_mib: usize,
    /// Those whose peak it knew to five MiB.
    pub(crate) within_5_mib: usize,
    pub(crate) shortfall_median: ByteSize,
    pub(crate) shortfall_p90: ByteSize,
    pub(crate) shortfall_max: ByteSize,
    /// The most that was said beyond a truth.
    pub(crate) excess_max: ByteSize,
}

impl Recall {
    /// `None` of no processes.
    pub(crate) fn of(claims: &[Claim]) -> Option<Self> {
        let count =
            |holds: &dyn Fn(Claim) -> bool| claims.iter().filter(|claim| holds(**claim)).count();
        let mut shortfalls: Vec<ByteSize> = claims.iter().map(|claim| claim.shortfall()).collect();
        shortfalls.sort_unstable();
        Some(Self {
            processes: claims.len(),
            seen: count(&|claim| claim.said.is_some()),
            within_half_mib: count(&|claim| claim.is_within(SAME)),
            within_5_mib: count(&|claim| claim.is_within(CAUGHT)),
            shortfall_median: percentile(&shortfalls, 50)?,
            shortfall_p90: percentile(&shortfalls, 90)?,
            shortfall_max: *shortfalls.last()?,
            excess_max: claims.iter().map(|claim| claim.excess()).max()?,
        })
    }
}

/// The least of the sorted values that `percent` percent of them do not exceed.
fn percentile(sorted: &[ByteSize], percent: usize) -> Option<ByteSize> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(truth: u64, said: Option<u64>) -> Claim {
        Claim { truth: ByteSize::mib(truth), said: said.map(ByteSize::mib) }
    }

    #[test]
    fn a_median_is_one_of_the_values_and_the_spread_holds_them_all() {
        let spread = Spread::of(&[5.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 5.0 });
        assert_eq!(Spread::of(&[7]).unwrap().median, 7);
    }

    #[test]
    fn of_nothing_there_is_no_figure() {
        assert_eq!(Spread::<u32>::of(&[]), None);
        assert_eq!(Recall::of(&[]), None);
    }

    #[test]
    fn a_process_that_was_not_seen_falls_short_by_all_it_had() {
        let recall = Recall::of(&[claim(100, None), claim(80, Some(80))]).unwrap();
        assert_eq!((recall.processes, recall.seen, recall.within_half_mib), (2, 1, 1));
        assert_eq!(recall.shortfall_max, ByteSize::mib(100));
        assert_eq!(recall.shortfall_median, ByteSize(0));
    }

    #[test]
    fn saying_too_much_is_no_more_right_than_saying_too_little() {
        let recall = Recall::of(&[claim(80, Some(182)), claim(80, Some(77))]).unwrap();
        assert_eq!((recall.within_half_mib, recall.within_5_mib), (0, 1));
        assert_eq!(recall.excess_max, ByteSize::mib(102));
        assert_eq!(recall.shortfall_max, ByteSize::mib(3));
    }

    #[test]
    fn nine_of_ten_do_not_exceed_the_90th_percentile() {
        let claims: Vec<Claim> = (1..=10).map(|short| claim(100, Some(100 - short))).collect();
        let recall = Recall::of(&claims).unwrap();
        assert_eq!(recall.shortfall_p90, ByteSize::mib(9));
        assert_eq!(recall.shortfall_median, ByteSize::mib(5));
    }
}
