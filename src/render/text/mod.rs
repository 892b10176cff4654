//! Text report for a terminal: upstream's summary first, in its labels and order, then what
//! upstream does not have, and last the verdict and the next command.
//!
//! [`Detail::Compact`] fits a screen or two; [`Detail::Full`] has every table.

mod attribution;
mod compact;
mod full;
mod infrastructure;
mod memory;
mod overhead;
mod phases;
mod profile;
mod server_view;
mod summary;

use std::io::{self, Write};
use std::path::Path;

pub use profile::render as render_profile;

use super::tables::thresholds;
use super::{NextStep, next_step};
use crate::analysis::{Finding, Report};

/// Indentation of lines below a heading.
pub(super) const INDENT: &str = "  ";

/// Amount of detail of the text report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Row per scenario and per class with a budget; at most 75 lines for the default plan.
    Compact,
    /// Complete report: all tables and findings.
    Full,
}

/// Paths that the text of a report or a comparison names before the verdict.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    /// Directory of the results.
    pub results: &'a Path,
    /// HTML page.
    pub page: &'a Path,
}

/// Writes the report.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(
    report: &Report,
    detail: Detail,
    paths: Option<Paths<'_>>,
    out: &mut impl Write,
) -> io::Result<()> {
    summary::render(report.summary.as_ref(), out)?;
    match detail {
        Detail::Compact => compact::render(report, out)?,
        Detail::Full => full::render(report, out)?,
    }
    // Of a release, the command tells which one.
    if let Some(sky) = report.environment.as_ref().map(|environment| &environment.sky)
        && sky.source.is_some()
    {
        writeln!(out, "SkyPilot: {}", one_line(&sky.in_words()))?;
    }
    if let Some(Paths { results, page }) = paths {
        writeln!(out, "Results: {}", results.display())?;
        writeln!(out, "HTML report: {}", page.display())?;
    }
    verdict(report, out)
}

fn verdict(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (verdict, reason) = (report.verdict, one_line(&report.reason()));
    writeln!(out, "VERDICT: {} (exit code {}): {reason}", verdict.name(), verdict.exit_code())?;
    let NextStep { command, purpose } = next_step(report);
    writeln!(out, "NEXT: {command}\n      {purpose}")
}

/// Text with control characters replaced by spaces. A server's message must stay in its line: a
/// line of its own could look like skyload's, or be a command to GitHub Actions.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes the table of thresholds, if there are any.
fn checked_thresholds(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(table) = thresholds::all(report) else { return Ok(()) };
    writeln!(out, "\nTHRESHOLDS")?;
    table.text(INDENT, out)
}

fn findings<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    out: &mut impl Write,
) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "  {}: {}", finding.severity.name(), one_line(&finding.message))?;
    }
    Ok(())
}
