//! The server's own view of the run: figures of its Prometheus metrics, beside those of the clients
//! and of the profiler.
//!
//! A histogram is the difference of its counts before and after the load. Memory is a gauge that
//! each snapshot has once.

mod durations;
mod processes;
mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use durations::ServerDurations;
pub use processes::ServerProcess;
pub(super) use processes::memory_by_class;
pub use window::MetricsWindow;
pub(super) use window::{MissingParts, time_of};

use super::Evidence;
use super::memory::ClassMemory;
use super::scenarios::Stats;
use crate::metric::{ScenarioMetric, ServerFigure};
use crate::record::outcome::Latencies;
use crate::record::server_metrics::{
    FailedScrape, Histogram, MetricsLine, MetricsSnapshot, Quantile,
};
use crate::scenario::{http_steps, run_steps};
use crate::units;
use window::Snapshots;

/// The server's own view of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerView {
    /// Time that the histograms are about; `None` without a snapshot.
    pub window: Option<MetricsWindow>,
    /// Number of snapshots over the whole run.
    pub snapshots: usize,
    /// Number of failed scrapes.
    pub failed_scrapes: usize,
    /// Reason of the last failed scrape; `None` if none failed.
    pub last_failure: Option<String>,
    /// Lag of the event loops of all web workers; `None` if the server does not export it.
    pub lag: Option<EventLoopLag>,
    /// Time that requests spent in a queue, by queue: `short`, `long`.
    pub queue_wait: BTreeMap<String, ServerDurations>,
    /// Queued requests by name, such as `sky.status`.
    pub requests: BTreeMap<String, RequestView>,
    /// HTTP requests that scenarios send, by path.
    pub http: BTreeMap<String, HttpView>,
    /// Largest resident memory by process, largest first. The server reads memory once a second,
    /// and each snapshot has the last reading: about two a minute.
    pub processes: Vec<ServerProcess>,
    /// Largest resident memory by process class, of the same readings.
    pub classes: Vec<ClassMemory>,
    /// Names of metrics without a single figure: unknown to this release, or never observed.
    pub absent: Vec<String>,
}

/// Lag of the event loops of all web workers: delay of a timer that fires every 100 ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EventLoopLag {
    /// Distribution over all timers of the window.
    pub durations: ServerDurations,
    /// Largest lag that a snapshot had, in seconds: a lower bound, since each has the largest of at
    /// most 30 s. `None` if the server does not export it.
    #[serde(with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub max: Option<Duration>,
}

/// Queued requests of one name, as server and clients saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestView {
    /// Time from creation to run, by the server's metrics.
    pub pending: Option<ServerDurations>,
    /// Run time in an executor, by the server's metrics.
    pub run: Option<ServerDurations>,
    /// Time from creation to end as the clients of API scenarios read it; `None` if none did.
    pub client: Option<Stats>,
}

/// HTTP requests of one path, as server and clients saw them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpView {
    /// Time to the response, by the server's metrics.
    pub server: ServerDurations,
    /// Time to the response as the clients of API scenarios measured it, retries included; `None`
    /// if none did.
    pub client: Option<Stats>,
}

impl ServerView {
    /// Quantile of a figure; `None` if the server does not export the figure, or observed nothing.
    pub fn quantile(&self, figure: &ServerFigure, statistic: ScenarioMetric) -> Option<Quantile> {
        let percentile = statistic.percentile()?;
        let mut all = Histogram::default();
        match figure {
            ServerFigure::Lag => all.add(&self.lag.as_ref()?.durations.histogram),
            ServerFigure::QueueWait(Some(queue)) => {
                all.add(&self.queue_wait.get(queue.name())?.histogram);
            }
            ServerFigure::QueueWait(None) => {
                self.queue_wait.values().for_each(|queue| all.add(&queue.histogram));
            }
        }
        all.quantile(percentile / 100.0)
    }

    /// Whether the figures cover the whole load.
    pub fn is_complete(&self) -> bool {
        self.window.is_some_and(|window| window.is_complete)
    }
}

/// Server's view of a run; `None` if the plan does not read the server's metrics.
pub(super) fn assemble(evidence: &Evidence) -> Option<ServerView> {
    evidence.plan.server_metrics.as_ref()?;
    let snapshots: Vec<&MetricsSnapshot> = snapshots(evidence).collect();
    let failures = || evidence.server_metrics.iter().filter_map(of_failure);
    let window = Snapshots::of(evidence, &snapshots);
    let clients = client_steps(evidence);
    let lag = window.increase_of_one(|one| one.lag.as_ref());
    let queue_wait = window.increase(|one| &one.queue_wait);
    let http = window.increase(|one| &one.http);
    let requests = requests(&window, &clients);
    let processes = processes::assemble(&snapshots, evidence.processes.as_ref());
    let absent = [
        ("sky_apiserver_event_loop_lag_seconds", lag.is_none()),
        ("sky_apiserver_queue_wait_seconds", queue_wait.is_empty()),
        (
            "sky_apiserver_request_pending_seconds",
            snapshots.iter().all(|one| one.pending.is_empty()),
        ),
        (
            "sky_apiserver_code_duration_seconds",
            snapshots.iter().all(|one| one.executed.is_empty()),
        ),
        ("sky_apiserver_request_duration_seconds", http.is_empty()),
        ("sky_apiserver_process_peak_rss", processes.is_empty()),
    ];
    let absent = absent.into_iter().filter(|(_, is_absent)| *is_absent && !snapshots.is_empty());
    Some(ServerView {
        window: window.span(),
        snapshots: snapshots.len(),
        failed_scrapes: failures().count(),
        last_failure: failures().next_back().map(|failed| failed.reason.clone()),
        lag: lag.map(|durations| EventLoopLag {
            durations,
            max: snapshots.iter().filter_map(|one| one.lag_max).max(),
        }),
        queue_wait,
        requests,
        http: http
            .into_iter()
            .map(|(path, server)| {
                let client = clients.of(http_steps(&path));
                (path, HttpView { server, client })
            })
            .collect(),
        processes,
        classes: processes::classes(&snapshots),
        absent: absent.map(|(metric, _)| metric.to_owned()).collect(),
    })
}

/// Parts of the load that the server's metrics do not cover.
pub(super) fn missing_parts(evidence: &Evidence) -> MissingParts {
    MissingParts::of(evidence, snapshots(evidence))
}

/// Snapshots of the server's metrics, in their order.
pub(super) fn snapshots(evidence: &Evidence) -> impl Iterator<Item = &MetricsSnapshot> + Clone {
    evidence.server_metrics.iter().filter_map(of_snapshot)
}

fn of_snapshot(line: &MetricsLine) -> Option<&MetricsSnapshot> {
    match line {
        MetricsLine::Snapshot(snapshot) => Some(snapshot),
        MetricsLine::Header { .. } | MetricsLine::Failed(_) => None,
    }
}

fn of_failure(line: &MetricsLine) -> Option<&FailedScrape> {
    match line {
        MetricsLine::Failed(failed) => Some(failed),
        MetricsLine::Header { .. } | MetricsLine::Snapshot(_) => None,
    }
}

fn requests(window: &Snapshots<'_>, clients: &ClientSteps) -> BTreeMap<String, RequestView> {
    let mut views: BTreeMap<String, RequestView> = BTreeMap::new();
    let view =
        |name: &str| RequestView { pending: None, run: None, client: clients.of(run_steps(name)) };
    for (name, pending) in window.increase(|one| &one.pending) {
        views.entry(name.clone()).or_insert_with(|| view(&name)).pending = Some(pending);
    }
    for (name, run) in window.increase(|one| &one.executed) {
        views.entry(name.clone()).or_insert_with(|| view(&name)).run = Some(run);
    }
    views
}

/// Latencies of the steps of all scenarios.
struct ClientSteps(BTreeMap<String, Latencies>);

fn client_steps(evidence: &Evidence) -> ClientSteps {
    let mut steps: BTreeMap<String, Latencies> = BTreeMap::new();
    let segments = evidence.outcomes.values().flat_map(|outcome| &outcome.segments);
    for (step, latencies) in segments.flat_map(|segment| &segment.steps) {
        steps.entry(step.clone()).or_default().add(latencies);
    }
    ClientSteps(steps)
}

impl ClientSteps {
    /// Statistics of several steps together; `None` if no client took any.
    fn of(&self, names: impl IntoIterator<Item = String>) -> Option<Stats> {
        let mut all = Latencies::default();
        for latencies in names.into_iter().filter_map(|name| self.0.get(&name)) {
            all.add(latencies);
        }
        Stats::of(&all)
    }
}
