//! Log of the server's own metrics: `server-metrics.jsonl`, written beside the load.
//!
//! A line has one snapshot of the metrics that reports use, with the counters as they were. The
//! analysis takes differences, so that a log can be judged again by other rules.

mod histogram;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use histogram::{Bucket, Histogram, Quantile};

use super::{JsonLines, Lines, Log, RecordError, RunDir, Version, read_log};
use crate::clock::Timestamp;
use crate::units;
use crate::units::ByteSize;

/// Line of `server-metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MetricsLine {
    /// First line of the file.
    Header {
        /// Format of the file.
        version: Version<1>,
    },
    /// Snapshot of the server's metrics.
    Snapshot(MetricsSnapshot),
    /// Scrape without a usable response.
    Failed(FailedScrape),
}

impl Log for MetricsLine {
    const KIND: &'static str = "log of server metrics";
    const VERSION: u32 = 1;
}

/// Snapshot of the server's metrics. A metric without a sample is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct MetricsSnapshot {
    /// Time of the response, by the local clock.
    pub at: Timestamp,
    /// Time at which the server made the snapshot, by its own clock; `None` if the release makes
    /// one for each scrape.
    pub made: Option<Timestamp>,
    /// Lag of the event loops of all web workers (`sky_apiserver_event_loop_lag_seconds`).
    pub lag: Option<Histogram>,
    /// Largest lag of one event loop in its current window of 30 s
    /// (`sky_apiserver_event_loop_lag_max_seconds`).
    #[serde(with = "units::seconds::option")]
    pub lag_max: Option<Duration>,
    /// Time that requests spent in a queue, by queue (`sky_apiserver_queue_wait_seconds`).
    pub queue_wait: BTreeMap<String, Histogram>,
    /// Time from the creation of requests to their run, the start of an executor included, by name
    /// (`sky_apiserver_request_pending_seconds`).
    pub pending: BTreeMap<String, Histogram>,
    /// Run time of requests in executors, by name (`sky_apiserver_code_duration_seconds` with
    /// `group="request_execution"`).
    pub executed: BTreeMap<String, Histogram>,
    /// Duration of HTTP requests that scenarios send, by path
    /// (`sky_apiserver_request_duration_seconds`).
    pub http: BTreeMap<String, Histogram>,
    /// Memory of processes (`sky_apiserver_process_peak_rss`).
    pub rss: Vec<ProcessGauge>,
}

/// Gauge of one process's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessGauge {
    /// Pid on the server's machine, or in its container.
    pub pid: u32,
    /// Type by SkyPilot's name: `server`, `worker:short`, `worker:long`.
    pub role: String,
    /// Resident memory.
    pub rss: ByteSize,
}

/// Scrape without a usable response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailedScrape {
    /// Time of the failure.
    pub at: Timestamp,
    /// Reason, without credentials.
    pub reason: String,
}

/// Writer of a run's log of server metrics.
#[derive(Debug)]
pub struct MetricsLog(JsonLines<MetricsLine>);

impl MetricsLog {
    /// Creates the log of a run.
    pub fn begin(run: &RunDir) -> Result<Self, RecordError> {
        let mut log = Self(JsonLines::append_to(&run.server_metrics())?);
        log.write(&MetricsLine::Header { version: Version })?;
        Ok(log)
    }

    /// Appends a line and flushes the log, so that the line survives a crash of skyload.
    pub fn write(&mut self, line: &MetricsLine) -> Result<(), RecordError> {
        self.0.push(line)?;
        self.0.flush()
    }
}

impl RunDir {
    /// Reads the log of server metrics; a run without one has no lines.
    pub fn read_server_metrics(&self) -> Result<Lines<MetricsLine>, RecordError> {
        read_log(&self.server_metrics())
    }
}
