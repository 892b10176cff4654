//! The peaks of the server's processes, and the budgets for them.

use std::io::{self, Write};

use super::budgets::{amount, bounded};
use super::{budgets, print, table};
use crate::budget::{Amount, BudgetSubject};
use crate::report::{BudgetCheck, Exactness, MemoryReport, ProfilerReport};
use crate::units::ByteSize;

/// The memory of a run's server or of a profile's, with the budgets for it.
pub(super) fn render(
    memory: Option<&MemoryReport>,
    profiler: Option<ProfilerReport>,
    checks: &[BudgetCheck],
    out: &mut impl Write,
) -> io::Result<()> {
    let (Some(memory), Some(profiler)) = (memory, profiler) else { return Ok(()) };
    let how = profiler.describe();
    writeln!(out, "\nMEMORY of the server's processes by class, in MiB ({how})")?;
    let mut headings = vec!["class", "processes", "at once", "largest", "mean peak", "peak sum"];
    // Where nothing is limited, nothing has to be kept.
    if !checks.is_empty() {
        headings.extend(budgets::HEADINGS);
    }
    let mut rows = table(&headings, 1);
    let size = |size: Option<ByteSize>| amount(size.map(Amount::Size));
    for class in &memory.classes {
        let mut row = vec![
            class.class.to_string(),
            class.processes.to_string(),
            class.most_at_once.to_string(),
            bounded(class.peak.map(Amount::Size), class.exactness != Exactness::Exact),
            size(class.mean_peak),
            size(class.rss_sum_peak),
        ];
        row.extend(budgets::columns(checks, BudgetSubject::Class(class.class)));
        rows.add_row(row);
    }
    let snapshots = || memory.snapshots.iter();
    let sums = [
        ("tree (RSS sum)", BudgetSubject::TreeRss, memory.tree_rss_peak, memory.most_processes, 0),
        (
            "tree (PSS, at phase ends)",
            BudgetSubject::TreePss,
            memory.tree_pss_peak(),
            snapshots().map(|snapshot| snapshot.processes).max().unwrap_or(0),
            snapshots().map(|snapshot| snapshot.unread).sum(),
        ),
    ];
    for (name, subject, peak, processes, unread) in sums {
        let mut row = vec![
            name.to_owned(),
            String::new(),
            processes.to_string(),
            String::new(),
            String::new(),
            bounded(peak.map(Amount::Size), unread > 0),
        ];
        row.extend(budgets::columns(checks, subject));
        rows.add_row(row);
    }
    print(out, &rows)?;
    budgets::of_absent_classes(memory, checks, out)
}
