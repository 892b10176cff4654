//! Server at phase ends, its growth, and its totals in the text report.

use std::io::{self, Write};

use super::INDENT;
use crate::analysis::{MemoryReport, Report};
use crate::render::tables::phases;

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (Some(memory), Some(whole)) = (&report.memory, phases::whole(report)) else {
        return Ok(());
    };
    ends(memory, out)?;
    writeln!(out, "\nSERVER TOTALS")?;
    whole.text(INDENT, out)
}

/// Writes the server's processes and memory at phase ends, and its growth.
pub(super) fn ends(memory: &MemoryReport, out: &mut impl Write) -> io::Result<()> {
    if let Some(ends) = phases::ends(memory) {
        writeln!(out, "\nSERVER AT PHASE END, in MiB")?;
        ends.text(INDENT, out)?;
    }
    let Some(growth) = &memory.growth else { return Ok(()) };
    writeln!(out, "\nGROWTH by class, from baseline to last phase, in MiB")?;
    phases::growth(growth).text(INDENT, out)
}
