//! The memory of the server's processes, and the budgets for it.

use std::io::{self, Write};

use super::{print, table};
use crate::class::ProcessClass;
use crate::plan::BudgetSubject;
use crate::report::{BudgetState, Exactness, Report};
use crate::sample::{Phase, ProfilerLevel};
use crate::units::{ByteSize, as_gib, as_mib};

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(memory) = &report.memory else { return Ok(()) };
    let how = how(report);
    writeln!(out, "\nMEMORY of the server's processes by class, in MiB ({how})")?;
    let mut rows = table(
        &[
            "class",
            "processes",
            "at once",
            "largest",
            "mean peak",
            "peak sum",
            "budget",
            "headroom",
            "",
        ],
        1,
    );
    let size = |size: Option<ByteSize>| {
        size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
    };
    for class in &memory.classes {
        let is_bound = class.exactness != Exactness::Exact && class.peak.is_some();
        let mark = if is_bound { ">=" } else { "" };
        let mut row = vec![
            class.class.to_string(),
            class.processes.to_string(),
            class.most_at_once.to_string(),
            format!("{mark}{}", size(class.peak)),
            size(class.mean_peak),
            size(class.rss_sum_peak),
        ];
        row.extend(budget_columns(report, BudgetSubject::Class(class.class)));
        rows.add_row(row);
    }
    let sums = [
        ("tree (RSS sum)", BudgetSubject::TreeRss, memory.tree_rss_peak, memory.most_processes),
        (
            "tree (PSS, at phase ends)",
            BudgetSubject::TreePss,
            memory.snapshots.iter().map(|snapshot| snapshot.pss).max(),
            memory.snapshots.iter().map(|snapshot| snapshot.processes).max().unwrap_or(0),
        ),
    ];
    for (name, subject, peak, processes) in sums {
        let mut row = vec![
            name.to_owned(),
            String::new(),
            processes.to_string(),
            String::new(),
            String::new(),
            size(peak),
        ];
        row.extend(budget_columns(report, subject));
        rows.add_row(row);
    }
    print(out, &rows)?;
    absent_budgets(report, out)?;
    let end_of = |phase: Phase| memory.snapshots.iter().find(|snapshot| snapshot.phase == phase);
    if let (Some(before), Some(after)) = (end_of(Phase::Baseline), end_of(Phase::Drain)) {
        writeln!(
            out,
            "  After the drain the server held {:.2} GiB (PSS) in {} processes and {} threads; before \
             the load {:.2} GiB in {} and {}.",
            as_gib(after.pss),
            after.processes,
            after.threads,
            as_gib(before.pss),
            before.processes,
            before.threads
        )?;
    }
    Ok(())
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

fn budget_columns(report: &Report, subject: BudgetSubject) -> [String; 3] {
    let check = report.budgets.iter().find(|check| check.subject == subject);
    let Some(check) = check else { return [const { String::new() }; 3] };
    let limit = check.limit.map_or_else(|| "-".to_owned(), |limit| format!("{:.1}", as_mib(limit)));
    let headroom =
        check.headroom().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%"));
    let state = match check.state {
        BudgetState::Within => "ok",
        BudgetState::Over => "OVER",
        BudgetState::NotExercised => "not tried",
        BudgetState::NoConstant => "no constant",
        BudgetState::NotMeasured => "not measured",
    };
    [limit, headroom, state.to_owned()]
}

/// Budgets for classes of which there was no process have no row of their own.
fn absent_budgets(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let has_row = |class: ProcessClass| {
        report.memory.as_ref().is_some_and(|memory| memory.class(class).is_some())
    };
    for check in &report.budgets {
        if let BudgetSubject::Class(class) = check.subject
            && !has_row(class)
        {
            let [limit, _, state] = budget_columns(report, check.subject);
            writeln!(out, "  {class}: budget {limit}, {state}")?;
        }
    }
    Ok(())
}
