//! The peaks of the server's processes.

use super::budgets::{self, HEADINGS};
use super::{Cell, Table};
use crate::analysis::{LimitCheck, MemoryReport};
use crate::class::ProcessClass;
use crate::metric::{ClassMetric, Metric, ServerMetric};

/// By class and in sum, with the budgets for them, in MiB.
pub(in crate::render) fn classes(memory: &MemoryReport, checks: &[LimitCheck]) -> Table {
    let figures = ClassMetric::ALL.iter().map(|statistic| statistic.row().heading);
    let mut headings: Vec<&str> = std::iter::once("class").chain(figures).collect();
    // Where nothing is limited, nothing has to be kept.
    if !checks.is_empty() {
        headings.extend(HEADINGS);
    }
    let mut table = Table::new(&headings, 1);
    let mut add = |figures: Vec<Cell>, metric| {
        let budget = budgets::columns(checks, metric);
        let row = figures.into_iter().chain(budget).take(table.headings.len());
        table.rows.push(row.collect());
    };
    for class in memory.classes.iter().map(|memory| memory.class) {
        let figures = ClassMetric::ALL.iter().map(|statistic| memory.of_class(class, *statistic));
        let figures = std::iter::once(Cell::plain(class)).chain(figures.map(Cell::measured));
        add(figures.collect(), Metric::max_peak(class));
    }
    let in_snapshots = memory.snapshots.iter().map(|snapshot| snapshot.processes).max();
    for (metric, processes, peak) in [
        (ServerMetric::TreeRss, memory.most_processes, memory.tree_rss()),
        (ServerMetric::TreePss, in_snapshots.unwrap_or(0), memory.tree_pss()),
    ] {
        let figures = ClassMetric::ALL.iter().map(|column| match column {
            ClassMetric::Concurrent => Cell::plain(processes),
            ClassMetric::MaxSum => Cell::measured(peak),
            _ => Cell::blank(),
        });
        let name = Cell::plain(metric.row().heading);
        add(std::iter::once(name).chain(figures).collect(), metric.into());
    }
    table.notes.extend(memory.kinds_in_words());
    table
}

/// Of each phase and of each group's load, in MiB; `None` where the plan wanted none.
pub(in crate::render) fn windows(memory: &MemoryReport) -> Option<Table> {
    let windows = &memory.windows;
    let names: Vec<String> = windows.iter().map(|peaks| peaks.window.to_string()).collect();
    let mut headings = vec!["class"];
    headings.extend(names.iter().map(String::as_str));
    let mut table = Table::new(&headings, 1);
    for class in ProcessClass::ALL {
        let peaks = || windows.iter().map(|peaks| peaks.classes.get(&class).copied());
        if peaks().any(|peak| peak.is_some()) {
            let row = std::iter::once(Cell::plain(class)).chain(peaks().map(Cell::size));
            table.rows.push(row.collect());
        }
    }
    let kept = windows.iter().filter(|peaks| peaks.not_reset > 0).map(|peaks| {
        format!(
            "{}: the marks of {} process(es) could not be lowered, and may be of an earlier time",
            peaks.window, peaks.not_reset
        )
    });
    table.notes.extend(kept);
    (!windows.is_empty()).then_some(table)
}
