//! The peaks of the server's processes.

use super::budgets::{self, HEADINGS};
use super::{Cell, Table};
use crate::analysis::{BudgetCheck, MemoryReport};
use crate::budget::BudgetSubject;
use crate::class::ProcessClass;

/// By class and in sum, with the budgets for them, in MiB.
pub(in crate::render) fn classes(memory: &MemoryReport, checks: &[BudgetCheck]) -> Table {
    let mut headings = vec!["class", "processes", "at once", "largest", "mean peak", "peak sum"];
    // Where nothing is limited, nothing has to be kept.
    if !checks.is_empty() {
        headings.extend(HEADINGS);
    }
    let mut table = Table::new(&headings, 1);
    let mut add = |figures: [Cell; 6], subject| {
        let budget = budgets::columns(checks, subject);
        let row = figures.into_iter().chain(budget).take(table.headings.len());
        table.rows.push(row.collect());
    };
    for class in &memory.classes {
        let subject = BudgetSubject::Class(class.class);
        let figures = [
            Cell::plain(class.class),
            Cell::plain(class.processes),
            Cell::plain(class.concurrent),
            Cell::size(class.peak).bounded(memory.is_lower_bound(subject)),
            Cell::size(class.mean_peak),
            Cell::size(class.rss_sum_peak),
        ];
        add(figures, subject);
    }
    let counts = memory.snapshots.iter().map(|snapshot| snapshot.processes);
    let in_snapshots = counts.max().unwrap_or(0);
    let rss = Cell::size(memory.tree_rss_peak);
    let pss =
        Cell::size(memory.tree_pss_peak()).bounded(memory.is_lower_bound(BudgetSubject::TreePss));
    for (name, subject, processes, peak) in [
        ("tree (RSS sum)", BudgetSubject::TreeRss, memory.most_processes, rss),
        ("tree (PSS, at phase ends)", BudgetSubject::TreePss, in_snapshots, pss),
    ] {
        let (name, processes) = (Cell::plain(name), Cell::plain(processes));
        add([name, Cell::blank(), processes, Cell::blank(), Cell::blank(), peak], subject);
    }
    table.notes.extend(memory.kinds_in_words());
    table
}

/// Of each phase and of each family's load, in MiB; `None` where the plan wanted none.
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
