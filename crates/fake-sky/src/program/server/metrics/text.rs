//! Prometheus' text format, as prometheus_client writes it.

use std::fmt::Write as _;
use std::time::Duration;

use fake_sky::procfs::Process;

use super::histogram::{BOUNDS, Histogram};

pub(super) const LAG: &str = "sky_apiserver_event_loop_lag_seconds";
pub(super) const RSS: &str = "sky_apiserver_process_peak_rss";
const LAG_MAX: &str = "sky_apiserver_event_loop_lag_max_seconds";
const MADE: &str = "sky_apiserver_metrics_collector_last_success_timestamp_seconds";

/// Lines of one series of a histogram. (Writing to a text never fails.)
pub(super) fn histogram(family: &str, labels: &str, histogram: &Histogram) -> String {
    let mut text = format!("# TYPE {family} histogram\n");
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
        let bucket = format!("le=\"{bound:?}\"{comma}{labels}");
        _ = writeln!(text, "{family}_bucket{{{bucket}}} {count}.0");
    }
    let count = histogram.count;
    _ = writeln!(text, "{family}_bucket{{le=\"+Inf\"{comma}{labels}}} {count}.0");
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    _ = writeln!(text, "{family}_count{labels} {count}.0");
    _ = writeln!(text, "{family}_sum{labels} {:?}", histogram.sum);
    text
}

pub(super) fn lag_max(lag: Duration) -> String {
    let pid = std::process::id();
    format!("# TYPE {LAG_MAX} gauge\n{LAG_MAX}{{pid=\"{pid}\"}} {:?}\n", lag.as_secs_f64())
}

/// Line with the memory of the server or an executor; empty for other processes.
pub(super) fn rss(process: &Process) -> String {
    let kind = match process.command_line.strip_prefix("SkyPilot:executor:") {
        Some(executor) => format!("worker:{}", executor.split(':').next().unwrap_or_default()),
        None if process.pid == std::process::id() => "server".to_owned(),
        None => return String::new(),
    };
    let Some(kib) = process.memory_kib("VmRSS") else { return String::new() };
    format!("{RSS}{{pid=\"{}\",type=\"{kind}\"}} {}.0\n", process.pid, kib * 1024)
}

/// Line with the time of the snapshot, in seconds since the Unix epoch.
pub(super) fn made(at: f64) -> String {
    format!("{MADE}{{collector=\"MultiProcessCollector\"}} {at:?}\n")
}
