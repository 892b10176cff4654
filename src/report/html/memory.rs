//! Tables of the server's memory.

use super::table::Table;
use crate::budget::{Amount, BudgetSubject};
use crate::class::ProcessClass;
use crate::report::{Exactness, Report};
use crate::units::{ByteSize, as_mib};

/// The classes' figures; `None` without a profile.
pub(super) fn table(report: &Report) -> Option<Table> {
    let memory = report.memory.as_ref()?;
    let how = report.profiler.map_or_else(String::new, |profiler| profiler.describe());
    let mut table = Table::new(
        format!("Memory of the server's processes by class, in MiB ({how})"),
        &[
            "class",
            "processes",
            "at once",
            "largest",
            "mean peak",
            "peak sum",
            "budget",
            "left",
            "",
        ],
        1,
    );
    let size = |size: Option<ByteSize>| {
        size.map_or_else(|| "–".to_owned(), |size| format!("{:.1}", as_mib(size)))
    };
    for class in &memory.classes {
        let is_bound = class.exactness != Exactness::Exact && class.peak.is_some();
        let mark = if is_bound { "≥ " } else { "" };
        let figures = [
            class.class.to_string(),
            class.processes.to_string(),
            class.most_at_once.to_string(),
            format!("{mark}{}", size(class.peak)),
            size(class.mean_peak),
            size(class.rss_sum_peak),
        ];
        table.row(
            figures.into_iter().chain(budget_cells(report, BudgetSubject::Class(class.class))),
        );
    }
    let pss = memory.snapshots.iter().max_by_key(|snapshot| snapshot.pss);
    let sums = [
        (
            "all, RSS sum",
            BudgetSubject::TreeRss,
            memory.most_processes.to_string(),
            memory.tree_rss_peak,
        ),
        (
            "all, PSS at a phase's end",
            BudgetSubject::TreePss,
            pss.map_or_else(|| "–".to_owned(), |snapshot| snapshot.processes.to_string()),
            pss.map(|snapshot| snapshot.pss),
        ),
    ];
    for (name, subject, count, peak) in sums {
        let none = String::new;
        let figures = [name.to_owned(), none(), count, none(), none(), size(peak)];
        table.row(figures.into_iter().chain(budget_cells(report, subject)));
    }
    Some(table)
}

fn budget_cells(report: &Report, subject: BudgetSubject) -> [String; 3] {
    let check = report.budgets.iter().find(|check| check.subject == subject);
    let Some(check) = check else { return [const { String::new() }; 3] };
    [
        match check.limit {
            Some(Amount::Size(limit)) => format!("{:.1}", as_mib(limit)),
            Some(Amount::Count(limit)) => limit.to_string(),
            None => "–".to_owned(),
        },
        check.headroom().map_or_else(|| "–".to_owned(), |left| format!("{left:.0}%")),
        check.state.name().to_owned(),
    ]
}

/// Peaks of each phase and family; `None` where the plan wanted none.
pub(super) fn windows(report: &Report) -> Option<Table> {
    let windows = &report.memory.as_ref()?.windows;
    if windows.is_empty() {
        return None;
    }
    let names: Vec<String> = windows.iter().map(|peaks| peaks.window.to_string()).collect();
    let mut headings = vec!["class"];
    headings.extend(names.iter().map(String::as_str));
    let mut table = Table::new(
        "Peak of the largest process by phase, in MiB (the kernel's marks were lowered when each \
         began)",
        &headings,
        1,
    );
    for class in ProcessClass::ALL {
        let peaks: Vec<_> = windows.iter().map(|peaks| peaks.classes.get(&class)).collect();
        if peaks.iter().all(Option::is_none) {
            continue;
        }
        let cells = peaks.into_iter().map(|peak| {
            peak.map_or_else(|| "–".to_owned(), |peak| format!("{:.1}", as_mib(*peak)))
        });
        table.row(std::iter::once(class.to_string()).chain(cells));
    }
    for peaks in windows.iter().filter(|peaks| peaks.not_reset > 0) {
        table.caption.push_str(&format!(
            "; {}: {} process(es) kept the mark of an earlier time",
            peaks.window, peaks.not_reset
        ));
    }
    Some(table)
}
