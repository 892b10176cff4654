//! Peaks of the server's processes, and their budgets, in the text report.

use std::io::{self, Write};

use super::INDENT;
use crate::analysis::{LimitCheck, MemoryReport, ProfilerReport};
use crate::metric::{ClassMetric, Metric};
use crate::render::table::Signs;
use crate::render::tables::{budgets, growth_rates, memory};

/// Writes the peaks of a run's or a profile's server, with their budgets.
pub(super) fn render(
    memory: Option<&MemoryReport>,
    profiler: Option<ProfilerReport>,
    checks: &[LimitCheck],
    out: &mut impl Write,
) -> io::Result<()> {
    let (Some(memory), Some(profiler)) = (memory, profiler) else { return Ok(()) };
    let how = profiler.describe();
    writeln!(out, "\nMEMORY by process class, in MiB ({how})")?;
    memory::classes(memory, checks).text(INDENT, out)?;
    budgets_of_absent_classes(memory, checks, out)
}

/// Writes budgets of classes without any process, which have no row in the table.
pub(super) fn budgets_of_absent_classes(
    memory: &MemoryReport,
    checks: &[LimitCheck],
    out: &mut impl Write,
) -> io::Result<()> {
    for check in checks {
        if let Metric::Class(class, ClassMetric::MaxPeak) = check.metric
            && memory.class(class).is_none()
        {
            let [limit, _, state] =
                budgets::columns(checks, check.metric).map(|cell| cell.written(&Signs::TEXT));
            writeln!(out, "  {class}: budget {limit}, {state}")?;
        }
    }
    Ok(())
}

/// Writes the growth per hour, if the load was long enough or growth has a budget.
pub(super) fn growth_rates(
    memory: Option<&MemoryReport>,
    checks: &[LimitCheck],
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(rates) = memory.and_then(|memory| memory.growth_rates.as_ref()) else {
        return Ok(());
    };
    let Some(table) = growth_rates::rates(rates, checks) else { return Ok(()) };
    writeln!(out, "\n{}", growth_rates::heading(rates).replacen("Growth", "GROWTH", 1))?;
    table.text(INDENT, out)
}

/// Writes the peaks of each phase and scenario group, if they were recorded.
pub(super) fn windows(memory: Option<&MemoryReport>, out: &mut impl Write) -> io::Result<()> {
    let Some(windows) = memory.and_then(memory::windows) else { return Ok(()) };
    writeln!(out, "\nPEAKS per phase, largest process, in MiB (reset at phase start)")?;
    windows.text(INDENT, out)
}
