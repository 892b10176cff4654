//! How long users waited.

use super::{Cell, Table};
use crate::analysis::{Report, ScenarioReport, Stats, WaveReport};
use crate::render::words::seconds;

/// The headings of [`in_seconds`].
pub(in crate::render) const FIGURES: [&str; 7] = ["min", "avg", "p50", "p90", "p95", "p99", "max"];

/// The turns of every wave, in seconds; `None` where none was taken.
pub(in crate::render) fn turns(report: &Report) -> Option<Table> {
    if report.scenarios.iter().all(|scenario| scenario.waves.is_empty()) {
        return None;
    }
    let headings = ["scenario", "wave", "turns", "refused", "errors", "per s"];
    let headings: Vec<&str> = headings.into_iter().chain(FIGURES).collect();
    let mut table = Table::new(&headings, 2);
    for scenario in &report.scenarios {
        table.rows.extend(scenario.waves.iter().map(|wave| turns_of(scenario, wave)));
        if scenario.waves.is_empty() {
            let mut row = vec![Cell::plain(scenario.id), Cell::plain("none")];
            row.resize_with(headings.len(), Cell::blank);
            table.rows.push(row);
        }
    }
    Some(table)
}

fn turns_of(scenario: &ScenarioReport, wave: &WaveReport) -> Vec<Cell> {
    let completed = wave.completed();
    let turns = match completed == wave.scheduled {
        true => completed.to_string(),
        false => format!("{completed}/{}", wave.scheduled),
    };
    let rate = wave.throughput.map(|rate| Cell::Plain(format!("{rate:.1}")));
    let counts = [
        Cell::plain(scenario.id),
        Cell::plain(scenario.wave_name(wave)),
        Cell::Plain(turns),
        match wave.unjudged {
            0 => Cell::plain(wave.refused),
            unjudged => Cell::Plain(format!("{} + {unjudged}?", wave.refused)),
        },
        match wave.client_failed {
            0 => Cell::plain(wave.failed),
            by_client => Cell::Plain(format!("{} + {by_client} client", wave.failed)),
        },
        rate.unwrap_or(Cell::Unknown),
    ];
    counts.into_iter().chain(figures(wave.turns.as_ref())).collect()
}

fn figures(stats: Option<&Stats>) -> [Cell; 7] {
    stats.map_or([const { Cell::Unknown }; 7], |stats| in_seconds(stats).map(Cell::Plain))
}

/// The figures of a distribution.
pub(in crate::render) fn in_seconds(stats: &Stats) -> [String; 7] {
    let Stats { count: _, min, avg, p50, p90, p95, p99, max } = *stats;
    [min, avg, p50, p90, p95, p99, max].map(seconds)
}
