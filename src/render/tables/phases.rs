//! Tables of the server at the end of each phase, its growth, and its totals.

use super::budgets::{self, HEADINGS};
use super::{Cell, Table, in_mib};
use crate::analysis::{ClassGrowth, Growth, MemoryReport, Report};
use crate::metric::{Metric, Place, ServerMetric};

/// Processes, threads and memory (in MiB) of the server at phase ends; `None` without snapshots.
pub(in crate::render) fn ends(memory: &MemoryReport) -> Option<Table> {
    let mut table = Table::new(&["phase", "processes", "threads", "zombies", "PSS", "USS"], 1);
    for snapshot in &memory.snapshots {
        let read = |cell: Cell| match snapshot.processes {
            // The sums of no process are 0, which would look like a measurement.
            0 => Cell::Unknown,
            _ => cell.bounded(snapshot.unread > 0),
        };
        table.rows.push(vec![
            Cell::plain(snapshot.phase.name()),
            read(Cell::plain(snapshot.processes)),
            read(Cell::plain(snapshot.threads)),
            Cell::count(snapshot.zombies),
            read(Cell::size(Some(snapshot.pss))),
            read(Cell::size(Some(snapshot.uss))),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Changes by class from the end of the baseline to the end of the last phase, in MiB.
pub(in crate::render) fn growth(growth: &Growth) -> Table {
    let mut table = Table::new(&["class", "processes", "threads", "PSS", "USS"], 1);
    let changed = growth.classes.iter().filter(|class| class.before != class.after);
    for ClassGrowth { class, before, after } in changed {
        let counts = |one: u32, other: u32| Cell::Change(one.to_string(), other.to_string());
        let sizes = |one, other| Cell::Change(in_mib(one), in_mib(other));
        table.rows.push(vec![
            Cell::plain(class),
            counts(before.count, after.count),
            counts(before.threads, after.threads),
            sizes(before.pss, after.pss),
            sizes(before.uss, after.uss),
        ]);
    }
    if table.rows.is_empty() {
        table.notes.push("no class changed".to_owned());
    }
    let unread = [(growth.unread_before, "before"), (growth.unread_after, "after")];
    for (count, when) in unread.into_iter().filter(|(count, _)| *count > 0) {
        table.notes.push(format!("without {count} process(es) that could not be read {when}"));
    }
    table
}

/// Totals of the whole server, without those in the table of peaks; `None` without a profile.
/// Metrics that are not shown by default have a row if they have a budget.
pub(in crate::render) fn whole(report: &Report) -> Option<Table> {
    totals(report, |place, has_budget| match place {
        Place::Totals => true,
        Place::KeyFigure | Place::Nowhere => has_budget,
        Place::Column | Place::Peaks | Place::GrowthRates => false,
    })
}

/// Totals of the whole server that have a budget; `None` if there are none.
pub(in crate::render) fn with_budget(report: &Report) -> Option<Table> {
    let table = totals(report, |place, has_budget| {
        has_budget && !matches!(place, Place::Column | Place::Peaks | Place::GrowthRates)
    });
    table.filter(|table| !table.is_empty())
}

fn totals(report: &Report, is_shown: impl Fn(Place, bool) -> bool) -> Option<Table> {
    report.memory.as_ref()?;
    let headings = ["metric", "measured"].into_iter().chain(HEADINGS);
    let mut table = Table::new(&headings.collect::<Vec<_>>(), 1);
    for statistic in ServerMetric::ALL {
        let (row, metric) = (statistic.row(), Metric::Server(*statistic));
        let has_budget = report.budgets.iter().any(|check| check.metric == metric);
        if is_shown(row.place, has_budget) {
            let figure = Cell::measured(report.of_server(*statistic));
            let cells = [Cell::plain(row.heading), figure].into_iter();
            table.rows.push(cells.chain(budgets::columns(&report.budgets, metric)).collect());
        }
    }
    Some(table)
}
