//! Tables of the server's own view: its figures beside those of the clients and of the profiler.

use std::time::Duration;

use super::budgets::{self, HEADINGS};
use super::{Cell, Table};
use crate::analysis::{Report, RequestView, ServerDurations, ServerView, Stats};
use crate::metric::{Amount, Metric, ScenarioMetric};
use crate::record::server_metrics::Quantile;
use crate::units::counted;

/// Maximum number of processes in a table.
const MAX_PROCESSES: usize = 10;

/// Table with its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::render) struct Section {
    /// Subject of the table.
    pub(in crate::render) subject: &'static str,
    /// Source and unit of the figures.
    pub(in crate::render) unit: &'static str,
    /// Table.
    pub(in crate::render) table: Table,
}

/// Tables of the server's own view that have rows, in the order of reports.
pub(in crate::render) fn sections(report: &Report) -> Vec<Section> {
    let Some(view) = &report.server_view else { return Vec::new() };
    let all = [
        Section {
            subject: "Event loop and queues",
            unit: "by the server's metrics, in seconds",
            table: waits(view),
        },
        Section {
            subject: "Queued requests",
            unit: "server (pending, run) and clients (creation to end), in seconds",
            table: requests(view),
        },
        Section {
            subject: "HTTP requests",
            unit: "server and clients, to the response, in seconds",
            table: http(view),
        },
        Section {
            subject: "Gauges by process class",
            unit: "largest RSS by the server, peak by the profiler, in MiB",
            table: classes(report, view),
        },
        Section {
            subject: "Gauges by process",
            unit: "largest RSS by the server, peak by the profiler, in MiB",
            table: processes(view),
        },
    ];
    all.into_iter().filter(|section| !section.table.is_empty()).collect()
}

/// Line on the source of the figures: snapshots, window, metrics without a figure.
pub(in crate::render) fn source(view: &ServerView) -> String {
    let mut text = format!(
        "{}, {}",
        counted(view.snapshots, "snapshot"),
        counted(view.failed_scrapes, "failed scrape")
    );
    if let Some(window) = view.window {
        match window.began {
            Some(began) => {
                let length = window.ended.since(began).as_secs_f64();
                text += &format!("; window of {length:.1} s around the load");
            }
            None => text += "; window from the server's start",
        }
    }
    if !view.absent.is_empty() {
        text += &format!("; no figures of {}", view.absent.join(", "));
    }
    text
}

/// Lag of the event loop in one line; `None` if the server does not export it.
pub(in crate::render) fn lag(view: &ServerView) -> Option<String> {
    let lag = view.lag.as_ref()?;
    let figures = [ScenarioMetric::P50, ScenarioMetric::P99].map(|statistic| {
        let quantile = lag.durations.shown(statistic)?;
        let sign = if quantile.is_lower_bound() { ">=" } else { "" };
        Some(format!("{} {sign}{}", statistic.row().name, in_seconds(quantile.duration())))
    });
    let max = lag.max.map(|max| format!("max >={}", in_seconds(max)));
    let figures: Vec<String> = figures.into_iter().chain([max]).flatten().collect();
    (!figures.is_empty()).then(|| figures.join(", "))
}

fn waits(view: &ServerView) -> Table {
    let mut table =
        Table::new(&["wait", "count", "p50", "p95", "p99", "largest seen", "upper bound"], 1);
    let mut add = |name: String, waits: &ServerDurations, seen: Option<Duration>| {
        let [p50, p95, p99] = quantiles(waits);
        let seen = duration(seen).bounded(seen.is_some());
        let most = duration(waits.at_most());
        table.rows.push(vec![
            Cell::Plain(name),
            Cell::plain(waits.count()),
            p50,
            p95,
            p99,
            seen,
            most,
        ]);
    };
    if let Some(lag) = &view.lag {
        add("event loop lag".to_owned(), &lag.durations, lag.max);
    }
    for (queue, waits) in &view.queue_wait {
        add(format!("{} queue", one_line(queue)), waits, None);
    }
    table
}

fn requests(view: &ServerView) -> Table {
    let headings = [
        "request",
        "runs",
        "pending p50",
        "pending p95",
        "run p50",
        "run p95",
        "clients",
        "clients p50",
        "clients p95",
    ];
    let mut table = Table::new(&headings, 1);
    // Without those that have not ended, as the server's daemons.
    let has_ended = |request: &RequestView| request.run.is_some() || request.client.is_some();
    for (name, request) in view.requests.iter().filter(|(_, request)| has_ended(request)) {
        let runs = request.run.as_ref().map(ServerDurations::count);
        let [pending, run] = [&request.pending, &request.run].map(|durations| {
            let quantiles = durations.as_ref().map(quantiles);
            quantiles.map_or([Cell::Unknown, Cell::Unknown], |[p50, p95, _]| [p50, p95])
        });
        let first = [Cell::Plain(one_line(name)), runs.map_or(Cell::Unknown, Cell::plain)];
        let cells = first.into_iter().chain(pending).chain(run).chain(of_client(request.client));
        table.rows.push(cells.collect());
    }
    table
}

fn http(view: &ServerView) -> Table {
    let headings =
        ["path", "server", "server p50", "server p95", "clients", "clients p50", "clients p95"];
    let mut table = Table::new(&headings, 1);
    for (path, http) in &view.http {
        let [p50, p95, _] = quantiles(&http.server);
        let of_server = [Cell::Plain(one_line(path)), Cell::plain(http.server.count()), p50, p95];
        table.rows.push(of_server.into_iter().chain(of_client(http.client)).collect());
    }
    table
}

/// Largest gauge by class. Budgets are those of a server without a profile, which these gauges
/// decide.
pub(in crate::render) fn classes(report: &Report, view: &ServerView) -> Table {
    let mut headings = vec!["class", "count", "concurrent", "server", "profiler"];
    let is_judged = report.memory.is_none() && !report.budgets.is_empty();
    headings.extend(HEADINGS.iter().filter(|_| is_judged));
    let mut table = Table::new(&headings, 1);
    for found in &view.classes {
        let profiled = report.memory.as_ref().and_then(|memory| memory.class(found.class));
        let cells = [
            Cell::plain(found.class),
            Cell::plain(found.processes),
            Cell::plain(found.concurrent),
            Cell::size(found.peak).bounded(found.peak.is_some()),
            Cell::size(profiled.and_then(|found| found.peak)),
        ];
        let budget = budgets::columns(&report.budgets, Metric::max_peak(found.class));
        table.rows.push(cells.into_iter().chain(budget).take(table.headings.len()).collect());
    }
    table
}

fn processes(view: &ServerView) -> Table {
    let mut table = Table::new(&["pid", "class", "readings", "server", "profiler"], 2);
    for process in view.processes.iter().take(MAX_PROCESSES) {
        table.rows.push(vec![
            Cell::plain(process.pid),
            Cell::plain(process.class),
            Cell::plain(process.readings),
            Cell::size(Some(process.largest)).bounded(true),
            Cell::size(process.profiled),
        ]);
    }
    match view.processes.len().saturating_sub(MAX_PROCESSES) {
        0 => {}
        more => table.notes.push(format!("{more} smaller processes are in report.json")),
    }
    table
}

/// Number of durations that clients measured, with two percentiles.
fn of_client(client: Option<Stats>) -> [Cell; 3] {
    let shown = |statistic| duration(client.and_then(|stats| stats.shown(statistic)));
    let count = client.map_or(Cell::Unknown, |stats| Cell::plain(stats.count));
    [count, shown(ScenarioMetric::P50), shown(ScenarioMetric::P95)]
}

fn quantiles(durations: &ServerDurations) -> [Cell; 3] {
    [ScenarioMetric::P50, ScenarioMetric::P95, ScenarioMetric::P99].map(|statistic| {
        let quantile = durations.shown(statistic);
        duration(quantile.map(Quantile::duration))
            .bounded(quantile.is_some_and(Quantile::is_lower_bound))
    })
}

fn duration(duration: Option<Duration>) -> Cell {
    Cell::amount(duration.map(Amount::Duration))
}

fn in_seconds(duration: Duration) -> String {
    Amount::Duration(duration).to_string()
}

/// Name from the server, without characters that end a line.
fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
