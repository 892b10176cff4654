//! History of a run in bounded memory, for charts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::units::ByteSize;

/// Maximum number of points. With more, two neighbours become one, so that a day takes as much as
/// ten minutes.
const MAX_POINTS: usize = 600;

/// Time that a point covers at first: a little less than from one state to the next, so that each
/// has a point of its own.
const FIRST_INTERVAL: Duration = Duration::from_millis(900);

/// History of a run: the largest values of each interval.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Time that each point covers.
    interval: Duration,
    points: Vec<(Timestamp, Point)>,
}

/// Largest values in one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// RSS of the largest process of each class.
    pub largest: BTreeMap<ProcessClass, ByteSize>,
    /// Number of processes of each class.
    pub processes: BTreeMap<ProcessClass, u32>,
    /// RSS sum of all processes; `None` without a sample.
    pub rss_sum: Option<ByteSize>,
    /// Number of active iterations, without those that accompany the load; `None` before the load.
    pub active: Option<u64>,
    /// Longest latency of the health probe; `None` without a response.
    pub probe: Option<Duration>,
}

impl Default for History {
    fn default() -> Self {
        Self { interval: FIRST_INTERVAL, points: Vec::new() }
    }
}

impl History {
    /// Adds the values at a time, which is not before any other.
    pub(super) fn add(&mut self, at: Timestamp, point: Point) {
        self.push(at, point);
        if self.points.len() > MAX_POINTS {
            self.interval *= 2;
            for (at, point) in std::mem::take(&mut self.points) {
                self.push(at, point);
            }
        }
    }

    /// Adds values to the last point, or as a point of their own after its interval.
    fn push(&mut self, at: Timestamp, point: Point) {
        match self.points.last_mut() {
            Some((began, last)) if at.since(*began) < self.interval => last.merge(point),
            _ => self.points.push((at, point)),
        }
    }

    /// Points with the times at which they begin.
    pub fn points(&self) -> &[(Timestamp, Point)] {
        &self.points
    }
}

impl Point {
    fn merge(&mut self, other: Self) {
        merge_maps(&mut self.largest, other.largest);
        merge_maps(&mut self.processes, other.processes);
        self.rss_sum = self.rss_sum.max(other.rss_sum);
        self.active = self.active.max(other.active);
        self.probe = self.probe.max(other.probe);
    }
}

fn merge_maps<T: Ord + Default>(
    ours: &mut BTreeMap<ProcessClass, T>,
    others: BTreeMap<ProcessClass, T>,
) {
    for (class, other) in others {
        let own = ours.entry(class).or_default();
        if other > *own {
            *own = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_keeps_its_extremes_in_600_points() {
        let mut history = History::default();
        for second in 0..24 * 60 * 60 {
            let active = if second == 40_000 { 900 } else { second % 7 };
            let rss_sum = (second > 20).then_some(ByteSize::mib(second));
            let point = Point { active: Some(active), rss_sum, ..Point::default() };
            history.add(Timestamp::from_micros(second * 1_000_000), point);
        }
        let points = history.points();
        assert!(points.len() > MAX_POINTS / 2 && points.len() <= MAX_POINTS, "{}", points.len());
        assert_eq!(points.iter().filter_map(|(_, point)| point.active).max(), Some(900));
        assert_eq!(points.last().unwrap().1.rss_sum, Some(ByteSize::mib(24 * 60 * 60 - 1)));
        assert!(points.is_sorted_by_key(|(at, _)| *at));
    }
}
