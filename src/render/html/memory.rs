//! Tables of the server's memory and processes, and of budgets for them.

use super::table::Table;
use crate::analysis::Report;
use crate::render::tables::{budgets, memory, phases};

/// Every budget; `None` where there is none.
pub(super) fn budgets(report: &Report) -> Option<Table> {
    Some(Table::showing("Budgets", budgets::all(report)?))
}

/// The peaks by class; `None` without a profile.
pub(super) fn classes(report: &Report) -> Option<Table> {
    let memory = report.memory.as_ref()?;
    let how = report.profiler.map_or_else(String::new, |profiler| profiler.describe());
    let caption = format!("Memory by process class, in MiB ({how})");
    Some(Table::showing(caption, memory::classes(memory, &report.budgets)))
}

/// Peaks of each phase and group, the server at the end of each phase, and what it
/// holds at last beyond what it held before.
pub(super) fn by_phase(report: &Report) -> Vec<Table> {
    let Some(memory) = &report.memory else { return Vec::new() };
    let tables = [
        (
            "Peak of the largest process by phase, in MiB (the kernel's marks were lowered when each \
             began)",
            memory::windows(memory),
        ),
        ("Server at phase end, in MiB", phases::ends(memory)),
        (
            "Growth by class, from baseline to last phase, in MiB",
            memory.growth.as_ref().map(phases::growth),
        ),
    ];
    let there = tables.into_iter().filter_map(|(caption, table)| Some((caption, table?)));
    there.map(|(caption, table)| Table::showing(caption, table)).collect()
}

/// What is told of all processes together; `None` without a profile.
pub(super) fn whole(report: &Report) -> Option<Table> {
    Some(Table::showing("Server totals", phases::whole(report)?))
}
