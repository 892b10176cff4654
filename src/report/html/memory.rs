//! Tables of the server's memory.

use super::table::Table;
use crate::report::Report;
use crate::report::tables::memory;

/// The peaks by class; `None` without a profile.
pub(super) fn classes(report: &Report) -> Option<Table> {
    let memory = report.memory.as_ref()?;
    let how = report.profiler.map_or_else(String::new, |profiler| profiler.describe());
    let caption = format!("Memory of the server's processes by class, in MiB ({how})");
    Some(Table::showing(caption, memory::classes(memory, &report.budgets)))
}

/// Peaks of each phase and family; `None` where the plan wanted none.
pub(super) fn windows(report: &Report) -> Option<Table> {
    let caption = "Peak of the largest process by phase, in MiB (the kernel's marks were lowered \
                   when each began)";
    Some(Table::showing(caption, memory::windows(report.memory.as_ref()?)?))
}
