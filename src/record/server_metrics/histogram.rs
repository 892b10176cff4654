//! Histogram of durations, as Prometheus counts them: cumulative counts of fixed buckets.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// Histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Histogram {
    /// Buckets with a finite bound, in ascending order.
    pub buckets: Vec<Bucket>,
    /// Number of all observations, also of those above the last bound.
    pub count: u64,
}

/// Bucket of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bucket {
    /// Upper bound in seconds, itself included.
    pub le: f64,
    /// Number of observations up to the bound, those of lower buckets included.
    pub count: u64,
}

/// Quantile of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Quantile {
    /// Estimate by linear interpolation within a bucket.
    Within(
        #[serde(with = "units::seconds")]
        #[schemars(with = "crate::units::Seconds")]
        Duration,
    ),
    /// Lower bound: the quantile is above the last bound.
    Above(
        #[serde(with = "units::seconds")]
        #[schemars(with = "crate::units::Seconds")]
        Duration,
    ),
}

impl Quantile {
    /// Estimate, or the lower bound.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Within(duration) | Self::Above(duration) => duration,
        }
    }

    /// Whether only a lower bound is known.
    pub const fn is_lower_bound(self) -> bool {
        matches!(self, Self::Above(_))
    }
}

impl Histogram {
    /// Quantile `q` between 0 and 1, by the rule of Prometheus's `histogram_quantile`: values are
    /// spread evenly within a bucket. `None` without observations.
    #[expect(clippy::cast_precision_loss, reason = "counts of observations are far below 2^52")]
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        if self.count == 0 {
            return None;
        }
        let rank = q * self.count as f64;
        let (mut below, mut seen) = (0.0, 0_u64);
        for Bucket { le, count } in &self.buckets {
            if *count as f64 >= rank && *count > 0 {
                let inside = count.saturating_sub(seen).max(1) as f64;
                let part = ((rank - seen as f64) / inside).clamp(0.0, 1.0);
                return Some(Quantile::Within(seconds(below + (le - below) * part)));
            }
            (below, seen) = (*le, *count);
        }
        Some(Quantile::Above(seconds(below)))
    }

    /// Observations since an `earlier` state of the histogram. After a reset, which a lower count
    /// shows, all observations of the new state: those before the reset are lost.
    pub fn since(&self, earlier: &Self) -> Self {
        let is_reset = !self.has_bounds_of(earlier)
            || self.count < earlier.count
            || self.pairs(earlier).any(|(now, before)| now.count < before.count);
        if is_reset {
            return self.clone();
        }
        let difference = |(now, before): (&Bucket, &Bucket)| Bucket {
            le: now.le,
            count: now.count.saturating_sub(before.count),
        };
        Self {
            buckets: self.pairs(earlier).map(difference).collect(),
            count: self.count.saturating_sub(earlier.count),
        }
    }

    /// Adds the observations of another histogram. Other bounds replace the histogram: such
    /// counts cannot be added.
    pub fn add(&mut self, other: &Self) {
        if !self.has_bounds_of(other) {
            self.clone_from(other);
            return;
        }
        for (own, more) in self.buckets.iter_mut().zip(&other.buckets) {
            own.count = own.count.saturating_add(more.count);
        }
        self.count = self.count.saturating_add(other.count);
    }

    fn has_bounds_of(&self, other: &Self) -> bool {
        self.buckets.len() == other.buckets.len()
            && self.pairs(other).all(|(one, two)| one.le.total_cmp(&two.le).is_eq())
    }

    fn pairs<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a Bucket, &'a Bucket)> {
        self.buckets.iter().zip(&other.buckets)
    }
}

/// Duration of a number of seconds; zero for a number that is none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Histogram with bounds of 1 s, 2 s and 4 s.
    fn histogram(counts: [u64; 3], count: u64) -> Histogram {
        let bucket = |(le, count)| Bucket { le, count };
        Histogram { buckets: [1.0, 2.0, 4.0].into_iter().zip(counts).map(bucket).collect(), count }
    }

    // Expected values are those of `histogram_quantile` in Prometheus.
    #[rstest]
    #[case::in_the_first_bucket(0.25, 0.5)]
    #[case::at_a_bound(0.5, 1.0)]
    #[case::in_the_middle(0.75, 2.0)]
    #[case::in_the_last_bucket(0.875, 3.0)]
    #[case::the_lowest(0.0, 0.0)]
    fn a_quantile_is_interpolated_in_its_bucket(#[case] q: f64, #[case] expected: f64) {
        let quantile = histogram([4, 6, 8], 8).quantile(q);
        assert_eq!(quantile, Some(Quantile::Within(Duration::from_secs_f64(expected))));
    }

    #[test]
    fn an_empty_bucket_has_no_quantile() {
        let quantile = histogram([0, 0, 2], 2).quantile(0.0);
        assert_eq!(quantile, Some(Quantile::Within(Duration::from_secs(2))));
    }

    #[test]
    fn a_quantile_above_the_last_bound_is_a_lower_bound() {
        let quantile = histogram([1, 1, 1], 10).quantile(0.99).unwrap();
        assert!(quantile.is_lower_bound());
        assert_eq!(quantile.duration(), Duration::from_secs(4));
    }

    #[test]
    fn without_observations_there_is_no_quantile() {
        assert_eq!(histogram([0, 0, 0], 0).quantile(0.5), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn observations_of_a_window_are_the_difference() {
        let window = histogram([3, 6, 8], 10).since(&histogram([1, 2, 2], 3));
        assert_eq!(window, histogram([2, 4, 6], 7));
    }

    #[rstest]
    #[case::of_all(histogram([1, 2, 2], 2), histogram([3, 6, 8], 10))]
    #[case::of_one_bucket(histogram([0, 6, 9], 11), histogram([3, 6, 8], 10))]
    #[case::of_the_bounds(Histogram { count: 4, ..Histogram::default() }, histogram([1, 1, 1], 1))]
    fn after_a_reset_all_observations_count(#[case] now: Histogram, #[case] before: Histogram) {
        assert_eq!(now.since(&before), now);
    }

    #[test]
    fn histograms_add_up() {
        let mut sum = histogram([1, 2, 3], 4);
        sum.add(&histogram([1, 1, 1], 1));
        assert_eq!(sum, histogram([2, 3, 4], 5));
        let mut empty = Histogram::default();
        empty.add(&sum);
        assert_eq!(empty, sum);
    }
}
