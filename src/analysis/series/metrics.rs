//! Points of the server's own metrics: gauges of each snapshot, and what histograms counted since
//! the one before.

use std::borrow::Cow;

use super::{Source, Unit, Value};
use crate::analysis::Evidence;
use crate::analysis::server_view::{memory_by_class, snapshots, time_of};
use crate::clock::Timestamp;
use crate::record::server_metrics::{Histogram, MetricsSnapshot};
use crate::units::as_mib;

/// Names of the metrics of one histogram.
struct Names {
    count: &'static str,
    p50: &'static str,
    p95: &'static str,
}

const LAG: Names = Names { count: "lag-count", p50: "lag-p50", p95: "lag-p95" };
const QUEUE_WAIT: Names =
    Names { count: "queue-wait-count", p50: "queue-wait-p50", p95: "queue-wait-p95" };
const PENDING: Names = Names { count: "pending-count", p50: "pending-p50", p95: "pending-p95" };
const RUN: Names = Names { count: "run-count", p50: "run-p50", p95: "run-p95" };
const HTTP: Names = Names { count: "http-count", p50: "http-p50", p95: "http-p95" };

/// Subject of the event loops of all web workers.
const EVENT_LOOP: &str = "event-loop";

/// Points of all snapshots.
pub(super) fn of_snapshots(evidence: &Evidence) -> impl Iterator<Item = (Timestamp, Value<'_>)> {
    let mut before: Option<&MetricsSnapshot> = None;
    snapshots(evidence).flat_map(move |snapshot| {
        let at = time_of(evidence, snapshot);
        let values = of_snapshot(snapshot, before.replace(snapshot));
        values.into_iter().map(move |value| (at, value))
    })
}

fn of_snapshot<'a>(
    snapshot: &'a MetricsSnapshot,
    before: Option<&'a MetricsSnapshot>,
) -> Vec<Value<'a>> {
    let value = |subject: Cow<'a, str>, metric, unit, value| {
        (Source::ServerMetrics, subject, metric, unit, value)
    };
    let mut values = Vec::new();
    for (class, memory) in memory_by_class(snapshot) {
        let name = Cow::Borrowed(class.name());
        values.push(value(name.clone(), "rss-sum", Unit::Mib, as_mib(memory.sum)));
        values.push(value(name.clone(), "rss-max", Unit::Mib, as_mib(memory.largest)));
        values.push(value(name, "processes", Unit::Count, f64::from(memory.processes)));
    }
    let lag_max = snapshot.lag_max.map(|lag| lag.as_secs_f64());
    values.extend(lag_max.map(|lag| value(EVENT_LOOP.into(), "lag-max", Unit::Seconds, lag)));
    // The counters of the first snapshot are those of an unknown time.
    let Some(before) = before else { return values };
    let lag = [(EVENT_LOOP, snapshot.lag.as_ref(), before.lag.as_ref())];
    let lag = lag.into_iter().filter_map(|(name, now, before)| Some((name, now?, before)));
    values.extend(lag.flat_map(|one| of_increase(one, &LAG)));
    for (now, before, names) in [
        (&snapshot.queue_wait, &before.queue_wait, &QUEUE_WAIT),
        (&snapshot.pending, &before.pending, &PENDING),
        (&snapshot.executed, &before.executed, &RUN),
        (&snapshot.http, &before.http, &HTTP),
    ] {
        let histograms = now.iter().map(|(name, now)| (name.as_str(), now, before.get(name)));
        values.extend(histograms.flat_map(|one| of_increase(one, names)));
    }
    values
}

/// Number of observations of a histogram since its state before, and their quantiles if there are
/// any. A quantile above the last bound is that bound.
#[expect(clippy::cast_precision_loss, reason = "counts of observations are far below 2^52")]
fn of_increase<'a>(
    (subject, now, before): (&'a str, &Histogram, Option<&Histogram>),
    names: &Names,
) -> Vec<Value<'a>> {
    let increase = before.map_or_else(|| now.clone(), |before| now.since(before));
    let quantile = |metric, q| {
        let quantile = increase.quantile(q)?.duration().as_secs_f64();
        Some((Source::ServerMetrics, subject.into(), metric, Unit::Seconds, quantile))
    };
    let count = increase.count as f64;
    let count = (Source::ServerMetrics, subject.into(), names.count, Unit::Count, count);
    let quantiles = [quantile(names.p50, 0.5), quantile(names.p95, 0.95)];
    [count].into_iter().chain(quantiles.into_iter().flatten()).collect()
}
