//! Durations that the server counted in the buckets of a histogram.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::ScenarioMetric;
use crate::record::server_metrics::{Histogram, Quantile};

/// Durations that the server counted in the buckets of a histogram. Quantiles are interpolated
/// within a bucket, so they are rough where buckets are wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerDurations {
    /// Median; `None` without observations.
    pub p50: Option<Quantile>,
    /// 95th percentile.
    pub p95: Option<Quantile>,
    /// 99th percentile.
    pub p99: Option<Quantile>,
    /// Counts of the window.
    pub histogram: Histogram,
}

impl ServerDurations {
    /// Durations of a histogram; `None` without observations.
    pub(super) fn of(histogram: Histogram) -> Option<Self> {
        (histogram.count > 0).then(|| Self {
            p50: histogram.quantile(0.5),
            p95: histogram.quantile(0.95),
            p99: histogram.quantile(0.99),
            histogram,
        })
    }

    /// Number of durations.
    pub const fn count(&self) -> u64 {
        self.histogram.count
    }

    /// Percentile as reports show it; `None` also with too few samples for it.
    pub fn shown(&self, statistic: ScenarioMetric) -> Option<Quantile> {
        let quantile = match statistic {
            ScenarioMetric::P50 => self.p50,
            ScenarioMetric::P95 => self.p95,
            ScenarioMetric::P99 => self.p99,
            _ => None,
        };
        quantile.filter(|_| self.count() >= statistic.row().samples)
    }

    /// Upper bound of the longest duration: the bound of the highest bucket that is not empty;
    /// `None` if that bucket has none.
    pub fn at_most(&self) -> Option<Duration> {
        let all = self.count();
        let bucket = self.histogram.buckets.iter().find(|bucket| bucket.count >= all)?;
        Duration::try_from_secs_f64(bucket.le).ok()
    }
}
