//! Thinning: a course of tens of thousands of ticks as some thousand points that
//! still have every extreme.
//!
//! Ticks are taken in chunks of equal length. Of each chunk and series the lowest
//! and the highest value are kept, in the order in which they came, at the times of
//! the chunk's first and last tick. So a value may stand beside its time by up to
//! one chunk, but none that was the highest is lost.

use std::ops::Range;
use std::time::Duration;

use crate::clock::Timestamp;

/// How many chunks a chart has at the most: some more than a screen has pixels for.
const MOST_CHUNKS: usize = 1000;

/// The times of one chart, in chunks of ticks.
#[derive(Debug)]
pub(super) struct Chunks {
    parts: Vec<Part>,
    ticks_each: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Ticks that follow one another.
    Ticks(Range<usize>),
    /// A silence that ends with this tick.
    Silence(usize),
}

impl Chunks {
    /// Splits a course at its silences, and then into chunks.
    pub(super) fn of(times: &[Timestamp], silence: Duration) -> Self {
        let ticks_each = times.len().div_ceil(MOST_CHUNKS).max(1);
        let mut parts: Vec<Part> = Vec::new();
        for index in 0..times.len() {
            let is_late = index > 0 && times[index].since(times[index - 1]) > silence;
            if is_late {
                parts.push(Part::Silence(index));
            }
            match parts.last_mut() {
                Some(Part::Ticks(ticks)) if ticks.len() < ticks_each => ticks.end = index + 1,
                _ => parts.push(Part::Ticks(index..index + 1)),
            }
        }
        Self { parts, ticks_each }
    }

    /// How many ticks became two points, or one where it is one tick.
    pub(super) const fn ticks_each(&self) -> usize {
        self.ticks_each
    }

    /// When the points are.
    pub(super) fn times(&self, times: &[Timestamp]) -> Vec<Timestamp> {
        let mut points = Vec::new();
        for part in &self.parts {
            match part {
                Part::Ticks(ticks) if ticks.len() == 1 => points.push(times[ticks.start]),
                Part::Ticks(ticks) => points.extend([times[ticks.start], times[ticks.end - 1]]),
                Part::Silence(end) => {
                    let from = times[end - 1];
                    points.push(from.plus(times[*end].since(from) / 2));
                }
            }
        }
        points
    }

    /// The values of a series at these times, of which there may be none in a tick.
    pub(super) fn values(&self, value: impl Fn(usize) -> Option<f64>) -> Vec<Option<f64>> {
        let mut points = Vec::new();
        for part in &self.parts {
            match part {
                Part::Ticks(ticks) if ticks.len() == 1 => points.push(value(ticks.start)),
                Part::Ticks(ticks) => points.extend(extremes(ticks.clone(), &value)),
                Part::Silence(_) => points.push(None),
            }
        }
        points
    }
}

/// The lowest and the highest value, in the order in which they came.
fn extremes(ticks: Range<usize>, value: impl Fn(usize) -> Option<f64>) -> [Option<f64>; 2] {
    let mut values = ticks.filter_map(|index| Some((index, value(index)?)));
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
    const SILENCE: Duration = Duration::from_secs(2);

    fn times(count: u64) -> Vec<Timestamp> {
        (0..count).map(|tick| Timestamp::from_micros(tick * INTERVAL)).collect()
    }

    #[test]
    fn a_short_course_is_kept_as_it_is() {
        let times = times(700);
        let chunks = Chunks::of(&times, SILENCE);
        assert_eq!(chunks.times(&times), times);
        assert_eq!(chunks.values(|_| Some(1.0)).len(), 700);
        assert_eq!(chunks.ticks_each(), 1);
    }

    #[test]
    fn a_long_course_is_thinned_and_keeps_a_spike_of_one_tick() {
        let times = times(72_000);
        let chunks = Chunks::of(&times, SILENCE);
        let values = chunks.values(|tick| Some(if tick == 54_321 { 900.0 } else { 10.0 }));
        assert_eq!(values.len(), chunks.times(&times).len());
        assert!(values.len() <= 2 * MOST_CHUNKS, "{}", values.len());
        assert_eq!(values.iter().flatten().copied().fold(0.0, f64::max), 900.0);
    }

    #[test]
    fn a_dip_and_a_rise_stay_in_their_order() {
        assert_eq!(extremes(0..3, |tick| Some([5.0, 1.0, 9.0][tick])), [Some(1.0), Some(9.0)]);
        assert_eq!(extremes(0..3, |tick| Some([5.0, 9.0, 1.0][tick])), [Some(9.0), Some(1.0)]);
        assert_eq!(extremes(0..3, |_| None), [None, None]);
        assert_eq!(extremes(0..2, |tick| (tick == 1).then_some(4.0)), [Some(4.0), Some(4.0)]);
    }

    #[test]
    fn nothing_is_drawn_where_the_profiler_was_silent() {
        let mut times = times(10);
        times.extend((0..10).map(|tick| Timestamp::from_micros(60_000_000 + tick * INTERVAL)));
        let chunks = Chunks::of(&times, SILENCE);
        let values = chunks.values(|_| Some(1.0));
        assert_eq!(values.len(), 21);
        assert_eq!(values[10], None);
        let at = chunks.times(&times)[10].as_micros();
        assert!((1_000_000..60_000_000).contains(&at), "{at}");
    }
}
