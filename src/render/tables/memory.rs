//! Tables of the peaks of the server's processes.

use super::budgets::{self, HEADINGS};
use super::{Cell, Table};
use crate::analysis::{LimitCheck, Measured, MemoryReport};
use crate::class::ProcessClass;
use crate::metric::{ClassMetric, Metric, Place, ServerMetric};

/// Peaks by class and sums over the process tree, with their budgets, in MiB.
pub(in crate::render) fn classes(memory: &MemoryReport, checks: &[LimitCheck]) -> Table {
    let figures = columns().map(|statistic| statistic.row().heading);
    let mut headings: Vec<&str> = std::iter::once("class").chain(figures).collect();
    // A profile without a run has no budgets.
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
        let figures = columns().map(|statistic| memory.of_class(class, statistic));
        let figures = std::iter::once(Cell::plain(class)).chain(figures.map(Cell::measured));
        add(figures.collect(), Metric::max_peak(class));
    }
    for (metric, processes, peak) in trees(memory) {
        let figures = columns().map(|column| match column {
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

/// Statistics with a column of their own.
fn columns() -> impl Iterator<Item = ClassMetric> {
    ClassMetric::ALL.iter().copied().filter(|statistic| statistic.row().place == Place::Column)
}

/// Classes with a budget, and the sums over the process tree, in MiB: all classes where no class
/// has a budget.
pub(in crate::render) fn with_budget(memory: &MemoryReport, checks: &[LimitCheck]) -> Table {
    let mut headings = vec!["class", "count", "concurrent", "max peak"];
    headings.extend(HEADINGS.iter().filter(|_| !checks.is_empty()));
    let mut table = Table::new(&headings, 1);
    let has_budget = |class| checks.iter().any(|check| check.metric == Metric::max_peak(class));
    let any_has = memory.classes.iter().any(|memory| has_budget(memory.class));
    let classes = memory.classes.iter().map(|memory| memory.class);
    let mut add = |cells: [Cell; 4], metric| {
        let row = cells.into_iter().chain(budgets::columns(checks, metric));
        table.rows.push(row.take(table.headings.len()).collect());
    };
    for class in classes.filter(|class| has_budget(*class) || !any_has) {
        let of = |statistic| Cell::measured(memory.of_class(class, statistic));
        let figures = [ClassMetric::Count, ClassMetric::Concurrent, ClassMetric::MaxPeak].map(of);
        let [count, concurrent, peak] = figures;
        add([Cell::plain(class), count, concurrent, peak], Metric::max_peak(class));
    }
    for (metric, processes, peak) in trees(memory) {
        let name = Cell::plain(metric.row().heading);
        let cells = [name, Cell::blank(), Cell::plain(processes), Cell::measured(peak)];
        add(cells, metric.into());
    }
    table
}

/// Sums over the process tree, each with the largest number of processes in it.
fn trees(memory: &MemoryReport) -> [(ServerMetric, u32, Measured); 2] {
    let in_snapshots = memory.snapshots.iter().map(|snapshot| snapshot.processes).max();
    [
        (ServerMetric::TreeRss, memory.most_processes, memory.tree_rss()),
        (ServerMetric::TreePss, in_snapshots.unwrap_or(0), memory.tree_pss()),
    ]
}

/// Peaks of each phase and of each scenario group's load, in MiB; `None` without
/// `--phase-peaks`.
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
    let not_reset = windows.iter().filter(|peaks| peaks.not_reset > 0).map(|peaks| {
        format!(
            "{}: peaks of {} process(es) could not be reset and may be older than the phase",
            peaks.window, peaks.not_reset
        )
    });
    table.notes.extend(not_reset);
    (!windows.is_empty()).then_some(table)
}
