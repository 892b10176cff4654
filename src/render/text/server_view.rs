//! The server's own view in the text report.

use std::io::{self, Write};

use super::{INDENT, one_line};
use crate::analysis::Report;
use crate::render::tables::server_view::{self, Section};

/// Writes all tables of the server's own view, if its metrics were read.
pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(view) = &report.server_view else { return Ok(()) };
    writeln!(out, "\nSERVER'S OWN VIEW: {}", one_line(&server_view::source(view)))?;
    for Section { subject, unit, table } in server_view::sections(report) {
        writeln!(out, "\n{}, {unit}", subject.to_uppercase())?;
        table.text(INDENT, out)?;
    }
    Ok(())
}

/// Writes the lag of the event loop in one line, if it was read.
pub(super) fn lag(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match report.server_view.as_ref().and_then(server_view::lag) {
        Some(lag) => writeln!(out, "  server's event loop lag: {lag}"),
        None => Ok(()),
    }
}

/// Writes the gauges that decide budgets of a server without a profile.
pub(super) fn gauges(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(view) = &report.server_view else { return Ok(()) };
    if report.memory.is_none() && !view.classes.is_empty() {
        writeln!(
            out,
            "\nMEMORY by process class, in MiB (sampled by the server itself, lower bounds)"
        )?;
        server_view::classes(report, view).text(INDENT, out)?;
    }
    Ok(())
}
