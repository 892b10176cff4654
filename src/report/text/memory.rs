//! The peaks of the server's processes, and the budgets for them.

use std::io::{self, Write};

use super::budgets::{amount, bounded};
use super::{budgets, print, table};
use crate::budget::{Amount, BudgetSubject};
use crate::report::{Exactness, Report};
use crate::sample::ProfilerLevel;
use crate::units::ByteSize;

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(memory) = &report.memory else { return Ok(()) };
    let how = how(report);
    writeln!(out, "\nMEMORY of the server's processes by class, in MiB ({how})")?;
    let headings = ["class", "processes", "at once", "largest", "mean peak", "peak sum"];
    let headings = headings.into_iter().chain(budgets::HEADINGS);
    let mut rows = table(&headings.collect::<Vec<_>>(), 1);
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
        row.extend(budgets::columns(report, BudgetSubject::Class(class.class)));
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
        row.extend(budgets::columns(report, subject));
        rows.add_row(row);
    }
    print(out, &rows)?;
    budgets::of_absent_classes(report, out)
}

/// How peaks were read, and what that leaves in the dark.
fn how(report: &Report) -> String {
    let Some(profiler) = report.profiler else { return "nobody knows how".to_owned() };
    let level = match profiler.level {
        ProfilerLevel::ExitRecords => "peaks are the kernel's marks, exits included",
        ProfilerLevel::HighWaterMark => "peaks are the kernel's marks, read at each tick",
        ProfilerLevel::HighWaterMarkOfAnother => {
            "peaks are the kernel's marks, read at each tick; another user's processes, so no PSS"
        }
        ProfilerLevel::SampledRss => "sampled: short peaks are missed",
    };
    match profiler.kernel_events {
        true => level.to_owned(),
        false => format!("{level}; what lived between two ticks is not known of"),
    }
}
