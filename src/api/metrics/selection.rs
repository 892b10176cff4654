//! Selection of the metrics that reports use.

use std::collections::BTreeMap;
use std::time::Duration;

use super::text::Sample;
use crate::clock::Timestamp;
use crate::record::server_metrics::{Bucket, Histogram, MetricsSnapshot, ProcessGauge};
use crate::scenario;
use crate::units::ByteSize;

const MADE: &str = "sky_apiserver_metrics_collector_last_success_timestamp_seconds";
/// Collector whose snapshot has the metrics of all processes.
const COLLECTOR: &str = "MultiProcessCollector";
const LAG_MAX: &str = "sky_apiserver_event_loop_lag_max_seconds";
const PEAK_RSS: &str = "sky_apiserver_process_peak_rss";

/// Selection of metrics, from the samples that were added.
#[derive(Debug, Default)]
pub(super) struct Selection {
    made: Option<f64>,
    lag: Series,
    lag_max: Option<Duration>,
    queue_wait: BTreeMap<String, Series>,
    pending: BTreeMap<String, Series>,
    executed: BTreeMap<String, Series>,
    http: BTreeMap<String, Series>,
    rss: Vec<ProcessGauge>,
}

/// Histogram in the making. Series with the same bounds are summed, as those of several statuses.
#[derive(Debug, Default)]
struct Series {
    buckets: Vec<Bucket>,
    count: u64,
}

impl Selection {
    /// Adds a sample, if it belongs to one of the selection.
    pub(super) fn add(&mut self, sample: &Sample<'_>) {
        match sample.name {
            MADE if sample.label("collector") == Some(COLLECTOR) => self.made = Some(sample.value),
            LAG_MAX => {
                let lag = Duration::try_from_secs_f64(sample.value).ok();
                self.lag_max = self.lag_max.max(lag);
            }
            PEAK_RSS => self.rss.extend(gauge(sample)),
            name => {
                let part = name.strip_suffix("_bucket").map(|name| (name, true));
                let part = part.or_else(|| Some((name.strip_suffix("_count")?, false)));
                if let Some((metric, is_bucket)) = part
                    && let Some(series) = self.series(metric, sample)
                {
                    series.add(sample, is_bucket);
                }
            }
        }
    }

    /// Histogram that a sample of a metric belongs to; `None` if reports do not use it.
    fn series(&mut self, metric: &str, sample: &Sample<'_>) -> Option<&mut Series> {
        let (map, key) = match metric {
            "sky_apiserver_event_loop_lag_seconds" => return Some(&mut self.lag),
            "sky_apiserver_queue_wait_seconds" => {
                (&mut self.queue_wait, sample.label("schedule_type"))
            }
            "sky_apiserver_request_pending_seconds" => (&mut self.pending, sample.label("name")),
            "sky_apiserver_code_duration_seconds" => {
                let is_request = sample.label("group") == Some("request_execution");
                (&mut self.executed, sample.label("name").filter(|_| is_request))
            }
            "sky_apiserver_request_duration_seconds" => {
                // Any client chooses paths, so the log has only those that scenarios send.
                let path = sample.label("path").filter(|path| scenario::is_requested(path));
                (&mut self.http, path)
            }
            _ => return None,
        };
        Some(map.entry(key?.to_owned()).or_default())
    }

    /// Time at which the server made its snapshot, in seconds since the Unix epoch; `None` if
    /// this release makes one for each scrape.
    pub(super) const fn made(&self) -> Option<f64> {
        self.made
    }

    /// Snapshot of a response at the time `at`.
    pub(super) fn into_snapshot(self, at: Timestamp) -> MetricsSnapshot {
        let all = |map: BTreeMap<String, Series>| {
            map.into_iter().map(|(key, series)| (key, series.into_histogram())).collect()
        };
        let made = self.made.and_then(|made| Duration::try_from_secs_f64(made).ok());
        let lag = self.lag.into_histogram();
        MetricsSnapshot {
            at,
            made: made.map(|made| Timestamp::default().plus(made)),
            lag: Some(lag).filter(|lag| *lag != Histogram::default()),
            lag_max: self.lag_max,
            queue_wait: all(self.queue_wait),
            pending: all(self.pending),
            executed: all(self.executed),
            http: all(self.http),
            rss: self.rss,
        }
    }
}

impl Series {
    fn add(&mut self, sample: &Sample<'_>, is_bucket: bool) {
        let observations = whole(sample.value);
        if !is_bucket {
            self.count = self.count.saturating_add(observations);
            return;
        }
        // The last bucket, `+Inf`, repeats the count of the histogram.
        let bound = sample.label("le").and_then(|le| le.parse::<f64>().ok());
        let Some(le) = bound.filter(|le| le.is_finite()) else { return };
        match self.buckets.iter_mut().find(|bucket| bucket.le.total_cmp(&le).is_eq()) {
            Some(bucket) => bucket.count = bucket.count.saturating_add(observations),
            None => self.buckets.push(Bucket { le, count: observations }),
        }
    }

    fn into_histogram(mut self) -> Histogram {
        self.buckets.sort_by(|one, two| one.le.total_cmp(&two.le));
        Histogram { buckets: self.buckets, count: self.count }
    }
}

fn gauge(sample: &Sample<'_>) -> Option<ProcessGauge> {
    Some(ProcessGauge {
        pid: sample.label("pid")?.parse().ok()?,
        role: sample.label("type")?.to_owned(),
        rss: ByteSize(whole(sample.value)),
    })
}

/// Value of a counter or of bytes; 0 for a number that is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion from a float saturates"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}
