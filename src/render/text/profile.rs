//! Text report of a profile without a run.

use std::io::{self, Write};

use super::{attribution, memory, overhead, phases, summary};
use crate::analysis::ProfileReport;
use crate::render::tables;

/// Writes the summary, memory, overhead and notes of a profile.
pub fn render(report: &ProfileReport, out: &mut impl Write) -> io::Result<()> {
    summary::render(report.summary.as_ref(), out)?;
    memory::render(report.memory.as_ref(), report.profiler, &[], out)?;
    attribution::causes(report.attribution.as_ref(), out)?;
    attribution::tables(report.attribution.as_ref(), out)?;
    if let Some(memory) = &report.memory {
        phases::ends(memory, out)?;
    }
    memory::growth_rates(report.memory.as_ref(), &[], out)?;
    overhead::render("OVERHEAD", tables::overhead::of_profiler(report.profiler), out)?;
    if !report.notes.is_empty() {
        writeln!(out, "\nNOTES")?;
    }
    for note in &report.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}
