//! How long users waited.

use super::{Cell, Table};
use crate::analysis::{Report, ScenarioReport, SegmentReport, Stats};
use crate::metric::{ScenarioMetric, Unit};
use crate::render::words::seconds;

/// The headings of [`in_seconds`].
pub(in crate::render) fn headings() -> impl Iterator<Item = &'static str> {
    latencies().map(|statistic| statistic.row().heading)
}

/// What is measured of a distribution of latencies.
fn latencies() -> impl Iterator<Item = ScenarioMetric> {
    let all = ScenarioMetric::ALL.iter().copied();
    all.filter(|statistic| statistic.row().unit == Unit::Duration)
}

/// The iterations of every segment, in seconds; `None` where none ran.
pub(in crate::render) fn iterations(report: &Report) -> Option<Table> {
    if report.scenarios.iter().all(|scenario| scenario.segments.is_empty()) {
        return None;
    }
    let per_second = ScenarioMetric::Throughput.row().heading;
    let columns = ["scenario", "start", "iterations", "refused", "errors", per_second];
    let headings: Vec<&str> = columns.into_iter().chain(headings()).collect();
    let mut table = Table::new(&headings, 2);
    for scenario in &report.scenarios {
        table.rows.extend(scenario.segments.iter().map(|segment| iterations_of(scenario, segment)));
        if scenario.segments.is_empty() {
            let mut row = vec![Cell::plain(scenario.id), Cell::plain("none")];
            row.resize_with(headings.len(), Cell::blank);
            table.rows.push(row);
        }
    }
    Some(table)
}

fn iterations_of(scenario: &ScenarioReport, segment: &SegmentReport) -> Vec<Cell> {
    let completed = segment.completed();
    let iterations = match completed == segment.scheduled {
        true => completed.to_string(),
        false => format!("{completed}/{}", segment.scheduled),
    };
    let counts = [
        Cell::plain(scenario.id),
        Cell::plain(scenario.start_name(segment)),
        Cell::Plain(iterations),
        match segment.unjudged {
            0 => Cell::plain(segment.expected_errors),
            unjudged => Cell::Plain(format!("{} + {unjudged}?", segment.expected_errors)),
        },
        match segment.client_failed {
            0 => Cell::plain(segment.failed),
            by_client => Cell::Plain(format!("{} + {by_client} client", segment.failed)),
        },
    ];
    let rate = std::iter::once(ScenarioMetric::Throughput);
    let figures = rate.chain(latencies()).map(|statistic| segment.measured(statistic));
    counts.into_iter().chain(figures.map(Cell::measured)).collect()
}

/// The figures of a distribution.
pub(in crate::render) fn in_seconds(stats: &Stats) -> [String; 7] {
    let Stats { count: _, min, avg, p50, p90, p95, p99, max } = *stats;
    [min, avg, p50, p90, p95, p99, max].map(seconds)
}
