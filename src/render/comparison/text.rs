//! Text of a comparison for a terminal.

use std::io::{self, Write};

use super::notes::{self, FEW_PACKAGES, basis, warnings};
use super::{attribution, rows};
use crate::comparison::Comparison;
use crate::render::text::{Detail, INDENT, Paths, one_line};

/// Writes the comparison: packages that differ, deciding metrics, in full detail also those that
/// inform, executors' memory by requests, errors, notes and the verdict.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(
    comparison: &Comparison,
    detail: Detail,
    paths: Option<Paths<'_>>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "COMPARISON of SkyPilot {} (candidate) with {} (base), {}",
        comparison.candidate.name(),
        comparison.base.name(),
        basis(comparison)
    )?;
    packages(comparison, detail, out)?;
    writeln!(out, "\nDECIDING METRICS (means of runs; 95% over all of them)")?;
    rows::metrics(comparison, true).text(INDENT, out)?;
    let informing = rows::metrics(comparison, false);
    match (detail, informing.rows.len()) {
        (_, 0) => {}
        (Detail::Full, _) => {
            writeln!(out, "\nOTHER METRICS (inform, without effect on the verdict)")?;
            informing.text(INDENT, out)?;
        }
        (Detail::Compact, more) => writeln!(out, "  {more} more metrics inform (-v)")?,
    }
    by_requests(comparison, detail, out)?;
    let errors = rows::errors(comparison).with_texts(one_line);
    if !errors.is_empty() {
        writeln!(out, "\nERRORS by type, in number of runs")?;
        errors.text(INDENT, out)?;
    }
    for (heading, lines) in
        [("WARNINGS", warnings(comparison)), ("NOTES", notes::notes(comparison))]
    {
        if !lines.is_empty() {
            writeln!(out, "\n{heading}")?;
        }
        lines.iter().try_for_each(|line| writeln!(out, "{INDENT}{}", one_line(line)))?;
    }
    writeln!(out)?;
    if let Some(Paths { results, page }) = paths {
        writeln!(out, "Results: {}", results.display())?;
        writeln!(out, "HTML page: {}", page.display())?;
    }
    let (verdict, reason) = (comparison.verdict, one_line(&comparison.reason()));
    writeln!(out, "VERDICT: {} (exit code {}): {reason}", verdict.name(), verdict.exit_code())
}

/// Writes the packages that differ, if any do: of many only the first, unless in full detail.
fn packages(comparison: &Comparison, detail: Detail, out: &mut impl Write) -> io::Result<()> {
    let table = rows::packages(comparison);
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nPACKAGES that differ")?;
    let is_long = table.rows.len() > FEW_PACKAGES && detail == Detail::Compact;
    match notes::packages(comparison).filter(|_| is_long) {
        Some(first) => writeln!(out, "{INDENT}{} (-v)", one_line(&first)),
        None => table.with_texts(one_line).text(INDENT, out),
    }
}

/// Writes the causes of executors' peaks, and the cost per request: what differs, or in full
/// detail all.
fn by_requests(comparison: &Comparison, detail: Detail, out: &mut impl Write) -> io::Result<()> {
    let causes = attribution::causes(comparison, detail).with_texts(one_line);
    if !causes.is_empty() {
        writeln!(out, "\nPEAKS of executors by cause (medians of runs)")?;
        causes.text(INDENT, out)?;
    }
    let attribution::Costs { table, more, equal } = attribution::costs(comparison, detail);
    if !table.is_empty() {
        writeln!(out, "\nCOST PER REQUEST (medians of runs)")?;
        table.with_texts(one_line).text(INDENT, out)?;
    }
    match (more, equal) {
        (0, 0) => Ok(()),
        (0, equal) => writeln!(out, "  {equal} more costs per request, which do not differ (-v)"),
        (more, _) => writeln!(out, "  {more} more costs per request that differ (-v)"),
    }
}
