//! Downsampling of charts: reduces tens of thousands of samples to about a thousand points
//! without losing an extreme.
//!
//! Samples are split into chunks of equal length. Of each chunk and line, the minimum and the
//! maximum are kept in their order, at the times of the chunk's first and last sample. A point
//! may thus be off in time by up to one chunk, but every maximum is drawn.

use std::ops::Range;
use std::time::Duration;

use crate::clock::Timestamp;

/// Maximum number of chunks of a chart without gaps. Two points each are about as many as a wide
/// screen has pixels across.
const MAX_CHUNKS: usize = 1000;

/// Sample times of one chart, split into chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    parts: Vec<Part>,
    samples_each: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Indices of consecutive samples without a gap.
    Samples(Range<usize>),
    /// Sampling gap, with the index of the sample that ends it.
    Gap(usize),
}

impl Chunks {
    /// Splits samples at gaps longer than `max_gap`, and then into chunks.
    pub(super) fn of(times: &[Timestamp], max_gap: Duration) -> Self {
        let samples_each = times.len().div_ceil(MAX_CHUNKS).max(1);
        let mut parts: Vec<Part> = Vec::new();
        for index in 0..times.len() {
            let ends_gap = index > 0 && times[index].since(times[index - 1]) > max_gap;
            if ends_gap {
                parts.push(Part::Gap(index));
            }
            match parts.last_mut() {
                Some(Part::Samples(samples)) if samples.len() < samples_each => {
                    samples.end = index + 1;
                }
                _ => parts.push(Part::Samples(index..index + 1)),
            }
        }
        Self { parts, samples_each }
    }

    /// Number of samples per chunk. A chunk becomes two points, or one if it has one sample.
    pub(super) const fn samples_each(&self) -> usize {
        self.samples_each
    }

    /// Times of the points.
    pub(super) fn times(&self, times: &[Timestamp]) -> Vec<Timestamp> {
        let mut points = Vec::new();
        for part in &self.parts {
            match part {
                Part::Samples(samples) if samples.len() == 1 => points.push(times[samples.start]),
                Part::Samples(samples) => {
                    points.extend([times[samples.start], times[samples.end - 1]]);
                }
                Part::Gap(end) => {
                    // A point without a value in the middle of the gap interrupts the line.
                    let from = times[end - 1];
                    points.push(from.plus(times[*end].since(from) / 2));
                }
            }
        }
        points
    }

    /// Values of a line at the times of the points; `None` in gaps, and where samples have none.
    pub(super) fn values(&self, value: impl Fn(usize) -> Option<f64>) -> Vec<Option<f64>> {
        let mut points = Vec::new();
        for part in &self.parts {
            match part {
                Part::Samples(samples) if samples.len() == 1 => points.push(value(samples.start)),
                Part::Samples(samples) => points.extend(extremes(samples.clone(), &value)),
                Part::Gap(_) => points.push(None),
            }
        }
        points
    }
}

/// Minimum and maximum of the values, in their order.
fn extremes(samples: Range<usize>, value: impl Fn(usize) -> Option<f64>) -> [Option<f64>; 2] {
    let mut values = samples.filter_map(|index| Some((index, value(index)?)));
    let Some(first) = values.next() else { return [None, None] };
    let (lowest, highest) = values.fold((first, first), |(lowest, highest), next| {
        (
            if next.1 < lowest.1 { next } else { lowest },
            if next.1 > highest.1 { next } else { highest },
        )
    });
    match lowest.0 < highest.0 {
        true => [Some(lowest.1), Some(highest.1)],
        false => [Some(highest.1), Some(lowest.1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: u64 = 50_000;
    const MAX_GAP: Duration = Duration::from_secs(2);

    fn times(count: u64) -> Vec<Timestamp> {
        (0..count).map(|index| Timestamp::from_micros(index * INTERVAL)).collect()
    }

    #[test]
    fn a_short_series_is_unchanged() {
        let times = times(700);
        let chunks = Chunks::of(&times, MAX_GAP);
        assert_eq!(chunks.times(&times), times);
        assert_eq!(chunks.values(|_| Some(1.0)).len(), 700);
        assert_eq!(chunks.samples_each(), 1);
    }

    #[test]
    fn a_long_series_is_downsampled_and_keeps_a_spike_of_one_sample() {
        let times = times(72_000);
        let chunks = Chunks::of(&times, MAX_GAP);
        let values = chunks.values(|index| Some(if index == 54_321 { 900.0 } else { 10.0 }));
        assert_eq!(values.len(), chunks.times(&times).len());
        assert!(values.len() <= 2 * MAX_CHUNKS, "{}", values.len());
        assert_eq!(values.iter().flatten().copied().fold(0.0, f64::max), 900.0);
    }

    #[test]
    fn minimum_and_maximum_stay_in_their_order() {
        assert_eq!(extremes(0..3, |index| Some([5.0, 1.0, 9.0][index])), [Some(1.0), Some(9.0)]);
        assert_eq!(extremes(0..3, |index| Some([5.0, 9.0, 1.0][index])), [Some(9.0), Some(1.0)]);
        assert_eq!(extremes(0..3, |_| None), [None, None]);
        assert_eq!(extremes(0..2, |index| (index == 1).then_some(4.0)), [Some(4.0), Some(4.0)]);
    }

    #[test]
    fn a_sampling_gap_has_one_point_without_a_value() {
        let mut times = times(10);
        times.extend((0..10).map(|index| Timestamp::from_micros(60_000_000 + index * INTERVAL)));
        let chunks = Chunks::of(&times, MAX_GAP);
        let values = chunks.values(|_| Some(1.0));
        assert_eq!(values.len(), 21);
        assert_eq!(values[10], None);
        let at = chunks.times(&times)[10].as_micros();
        assert!((1_000_000..60_000_000).contains(&at), "{at}");
    }
}
