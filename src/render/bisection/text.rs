//! Text of a bisection for a terminal.

use std::io::{self, Write};
use std::path::Path;

use super::{heading, rows, suspects, suspects_heading};
use crate::comparison::Bisection;
use crate::render::text::{INDENT, one_line};

/// Writes the bisection: steps, notes, the first bad version, and the verdict.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(
    bisection: &Bisection,
    results: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "BISECTION of {}", heading(bisection))?;
    let steps = rows::steps(bisection);
    if !steps.is_empty() {
        writeln!(out, "\nSTEPS (candidate against the good version, the base)")?;
        steps.with_texts(one_line).text(INDENT, out)?;
    }
    let sections = [
        ("NOTES".to_owned(), bisection.notes()),
        (suspects_heading(bisection).to_uppercase(), suspects(bisection)),
    ];
    for (heading, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        writeln!(out, "\n{heading}")?;
        lines.iter().try_for_each(|line| writeln!(out, "{INDENT}{}", one_line(line)))?;
    }
    writeln!(out)?;
    if let Some(results) = results {
        writeln!(out, "Results: {}", results.display())?;
    }
    let (outcome, reason) = (bisection.outcome, one_line(&bisection.reason()));
    writeln!(out, "VERDICT: {} (exit code {}): {reason}", outcome.name(), outcome.exit_code())
}
