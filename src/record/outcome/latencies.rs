//! Latency distributions in constant memory.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::total;

/// Distribution of durations with three significant digits, from one microsecond to 31 days.
/// Serialized as `[microseconds, count]` pairs.
#[derive(Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

/// Summary in one line: the histogram's own `Debug` prints thousands of buckets.
impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, mean, max] = [self.min(), self.mean(), self.max()].map(Option::unwrap_or_default);
        write!(f, "Latencies({} of {min:?} to {max:?}, {mean:?} on average)", self.count())
    }
}

/// Maximum number of durations when parsing, far above that of any run. Low enough that counts
/// of thousands of distributions can be added without overflow.
const MAX_COUNT: u64 = 1 << 40;

/// Longest duration: that of a load is 30 days, and iterations end after it.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

impl Default for Latencies {
    fn default() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        let histogram = Histogram::new_with_bounds(1, longest, 3);
        // Cannot fail: the bounds are constants, so every test would fail.
        Self(histogram.unwrap_or_else(|_| unreachable!("constant bounds are valid")))
    }
}

impl Latencies {
    /// Records one duration, limited to the range of the distribution.
    pub fn record(&mut self, duration: Duration) {
        self.record_n(duration, 1);
    }

    fn record_n(&mut self, duration: Duration, count: u64) {
        let micros = u64::try_from(duration.min(LONGEST).as_micros()).unwrap_or(u64::MAX);
        // The histogram cannot record 0.
        self.0.saturating_record_n(micros.max(1), count);
    }

    /// Adds all durations of another distribution.
    pub fn add(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Percentile: the duration that `percent` percent of the durations do not exceed; `None`
    /// for an empty distribution.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        self.if_any(|h| Duration::from_micros(h.value_at_percentile(percent).min(h.max())))
    }

    /// Shortest duration; `None` for an empty distribution.
    pub fn min(&self) -> Option<Duration> {
        // Upper end of the bucket, as for percentiles: otherwise a single duration would have
        // a minimum below its maximum.
        self.if_any(|h| Duration::from_micros(h.highest_equivalent(h.min())))
    }

    /// Longest duration; `None` for an empty distribution.
    pub fn max(&self) -> Option<Duration> {
        self.if_any(|h| Duration::from_micros(h.max()))
    }

    /// Mean duration; `None` for an empty distribution.
    pub fn mean(&self) -> Option<Duration> {
        let mean =
            self.if_any(|h| Duration::try_from_secs_f64(h.mean() / 1e6).unwrap_or(LONGEST))?;
        // The histogram averages the middles of buckets, which may be outside of min and max.
        Some(mean.clamp(self.min()?, self.max()?))
    }

    /// Counts per bucket of a logarithmic axis with ten buckets per decade, as pairs of bucket
    /// `n` and count. Bucket `n` begins at 10^(n/10) microseconds. Empty buckets are left out.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "the logarithm of 31 days in microseconds is 12.4, and none is below 0"
    )]
    pub fn counts_by_tenth_of_decade(&self) -> Vec<(u32, u64)> {
        let mut counts = BTreeMap::new();
        for bucket in self.0.iter_recorded() {
            let micros = bucket.value_iterated_to().min(self.0.max());
            let tenth = ((micros as f64).log10() * 10.0).floor() as u32;
            let count: &mut u64 = counts.entry(tenth).or_default();
            *count = count.saturating_add(bucket.count_at_value());
        }
        counts.into_iter().collect()
    }

    fn if_any(&self, of: impl Fn(&Histogram<u64>) -> Duration) -> Option<Duration> {
        (!self.0.is_empty()).then(|| of(&self.0))
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0
                .iter_recorded()
                .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())),
        )
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::default();
        let counts = Vec::<(u64, u64)>::deserialize(deserializer)?;
        if total(counts.iter().map(|(_, count)| *count)) > MAX_COUNT {
            return Err(D::Error::custom(format!("expected at most {MAX_COUNT} durations")));
        }
        for (micros, count) in counts {
            latencies.record_n(Duration::from_micros(micros), count);
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_duration_is_min_mean_max_and_percentile() {
        const HOUR: u64 = 3_600_000_000;
        for micros in [3, 120_237_000, 999_999, 24 * HOUR, 48 * HOUR, 31 * 24 * HOUR] {
            let mut latencies = Latencies::default();
            latencies.record(Duration::from_micros(micros));
            let max = latencies.max();
            assert!(max >= Some(Duration::from_micros(micros)), "{latencies:?}");
            assert_eq!((latencies.min(), latencies.mean()), (max, max), "{latencies:?}");
            assert_eq!(latencies.percentile(50.0), max);
        }
    }

    #[test]
    fn no_distribution_is_too_odd_to_be_read() {
        crate::changes::try_changes(b"[[1000, 3], [2000000, 1], [2678400000000, 2]]", |text| {
            let Ok(mut read) = serde_json::from_slice::<Latencies>(text) else { return };
            read.add(&read.clone());
            (_, _, _) = (read.mean(), read.percentile(99.9), read.counts_by_tenth_of_decade());
            _ = serde_json::to_string(&read).unwrap();
        });
    }

    #[test]
    fn too_many_durations_are_an_error() {
        let most = u64::MAX;
        for text in [format!("[[1, {most}]]"), format!("[[1, 1], [2, {most}]]")] {
            assert!(serde_json::from_str::<Latencies>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_empty_distribution_has_no_percentile() {
        assert_eq!(Latencies::default().percentile(50.0), None);
        assert_eq!(Latencies::default().max(), None);
    }

    #[test]
    fn a_distribution_survives_a_round_trip_through_a_file() {
        let mut latencies = Latencies::default();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let text = serde_json::to_string(&latencies).unwrap();
        let read: Latencies = serde_json::from_str(&text).unwrap();
        assert_eq!(read.count(), 1000);
        assert_eq!(read.percentile(95.0), latencies.percentile(95.0));
        let p50 = read.percentile(50.0).unwrap().as_secs_f64();
        assert!((p50 - 0.5).abs() < 0.001, "{p50}");
    }

    #[test]
    fn every_duration_is_in_the_tenth_of_its_decade() {
        let mut latencies = Latencies::default();
        for millis in [1, 1, 10, 15, 99, 8_000] {
            latencies.record(Duration::from_millis(millis));
        }
        // 1 ms is 10^(30/10) microseconds, so bucket 30; 8 s are in bucket 69.
        let expected = [(30, 2), (40, 1), (41, 1), (49, 1), (69, 1)];
        assert_eq!(latencies.counts_by_tenth_of_decade(), expected);
        assert_eq!(Latencies::default().counts_by_tenth_of_decade(), []);
    }

    #[test]
    fn no_percentile_exceeds_the_maximum() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_micros(12_345_678));
        let max = latencies.max().unwrap();
        assert!(latencies.percentile(99.0).unwrap() <= max);
    }
}
