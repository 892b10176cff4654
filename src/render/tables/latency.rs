//! How long users waited.

use super::{Cell, Table};
use crate::analysis::{Report, ScenarioReport, SegmentReport, Stats};
use crate::render::words::seconds;

/// The headings of [`in_seconds`].
pub(in crate::render) const FIGURES: [&str; 7] = ["min", "avg", "p50", "p90", "p95", "p99", "max"];

/// The turns of every segment, in seconds; `None` where none was taken.
pub(in crate::render) fn turns(report: &Report) -> Option<Table> {
    if report.scenarios.iter().all(|scenario| scenario.segments.is_empty()) {
        return None;
    }
    let headings = ["scenario", "wave", "turns", "refused", "errors", "per s"];
    let headings: Vec<&str> = headings.into_iter().chain(FIGURES).collect();
    let mut table = Table::new(&headings, 2);
    for scenario in &report.scenarios {
        table.rows.extend(scenario.segments.iter().map(|segment| turns_of(scenario, segment)));
        if scenario.segments.is_empty() {
            let mut row = vec![Cell::plain(scenario.id), Cell::plain("none")];
            row.resize_with(headings.len(), Cell::blank);
            table.rows.push(row);
        }
    }
    Some(table)
}

fn turns_of(scenario: &ScenarioReport, segment: &SegmentReport) -> Vec<Cell> {
    let completed = segment.completed();
    let turns = match completed == segment.scheduled {
        true => completed.to_string(),
        false => format!("{completed}/{}", segment.scheduled),
    };
    let rate = segment.throughput.map(|rate| Cell::Plain(format!("{rate:.1}")));
    let counts = [
        Cell::plain(scenario.id),
        Cell::plain(scenario.start_name(segment)),
        Cell::Plain(turns),
        match segment.unjudged {
            0 => Cell::plain(segment.expected_errors),
            unjudged => Cell::Plain(format!("{} + {unjudged}?", segment.expected_errors)),
        },
        match segment.client_failed {
            0 => Cell::plain(segment.failed),
            by_client => Cell::Plain(format!("{} + {by_client} client", segment.failed)),
        },
        rate.unwrap_or(Cell::Unknown),
    ];
    counts.into_iter().chain(figures(segment.iteration_duration.as_ref())).collect()
}

fn figures(stats: Option<&Stats>) -> [Cell; 7] {
    stats.map_or([const { Cell::Unknown }; 7], |stats| in_seconds(stats).map(Cell::Plain))
}

/// The figures of a distribution.
pub(in crate::render) fn in_seconds(stats: &Stats) -> [String; 7] {
    let Stats { count: _, min, avg, p50, p90, p95, p99, max } = *stats;
    [min, avg, p50, p90, p95, p99, max].map(seconds)
}
