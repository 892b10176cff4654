//! Points of scenarios: counts and latencies of the windows in which they ran.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{Source, Unit, Value};
use crate::clock::Timestamp;
use crate::record::outcome::{Activity, ActivityWindow, ScenarioOutcome, WindowLatency};

/// Maximum number of windows between two with activity that are filled: a file may have any time.
const MAX_IDLE: u64 = 100_000;

/// Points of a scenario: of every window from the first one with activity to the last.
pub(super) fn of_outcome(
    outcome: &ScenarioOutcome,
) -> impl Iterator<Item = (Timestamp, Value<'_>)> {
    let has_arrivals = outcome.segments.iter().any(|segment| segment.dropped.is_some());
    let subject = outcome.scenario.to_string();
    outcome.activity.iter().flat_map(windows).flat_map(move |(window, in_flight)| {
        let point = |metric, unit, value| {
            (window.at, (Source::Scenario, Cow::Owned(subject.clone()), metric, unit, value))
        };
        let count = |metric, count| point(metric, Unit::Count, as_number(count));
        let counts = [
            count("started", window.started),
            count("ended", window.ended),
            count("failed", window.failed),
            count("in-flight", in_flight),
        ];
        let dropped = has_arrivals.then(|| count("dropped", window.dropped));
        let latencies = window.latency.map(|WindowLatency { p50, p95, max }| {
            let latency =
                |metric, value: Duration| point(metric, Unit::Seconds, value.as_secs_f64());
            [latency("latency-p50", p50), latency("latency-p95", p95), latency("latency-max", max)]
        });
        counts.into_iter().chain(dropped).chain(latencies.into_iter().flatten())
    })
}

/// Windows in order of time, those without activity included, each with the number of active
/// iterations at its end.
pub(in crate::analysis) fn windows(
    activity: &Activity,
) -> impl Iterator<Item = (ActivityWindow, u64)> {
    let length = u64::try_from(activity.window.as_micros()).unwrap_or(u64::MAX).max(1);
    let by_start: BTreeMap<u64, &ActivityWindow> =
        activity.windows.iter().map(|window| (window.at.as_micros(), window)).collect();
    let mut in_flight = 0_u64;
    let mut next = None;
    by_start.into_iter().flat_map(move |(start, window)| {
        let idle_from = next.unwrap_or(start);
        next = start.checked_add(length);
        let idle = start.saturating_sub(idle_from) / length;
        let before = in_flight;
        in_flight = in_flight.saturating_add(window.started).saturating_sub(window.ended);
        let idle = (0..idle.min(MAX_IDLE)).map(move |number| {
            let at =
                Timestamp::from_micros(idle_from.saturating_add(number.saturating_mul(length)));
            (idle_window(at), before)
        });
        idle.chain([(window.clone(), in_flight)])
    })
}

const fn idle_window(at: Timestamp) -> ActivityWindow {
    ActivityWindow { at, started: 0, ended: 0, failed: 0, dropped: 0, latency: None }
}

#[expect(clippy::cast_precision_loss, reason = "counts of iterations are far below 2^52")]
fn as_number(count: u64) -> f64 {
    count as f64
}
