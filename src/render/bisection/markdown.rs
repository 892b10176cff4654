//! Markdown of a bisection, for an issue or the summary of a job.

use std::io::{self, Write};

use super::{heading, rows, suspects, suspects_heading};
use crate::comparison::{Bisection, Outcome};
use crate::render::markdown::inline;

/// Writes the bisection.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(bisection: &Bisection, out: &mut impl Write) -> io::Result<()> {
    let outcome = bisection.outcome;
    let sign = match outcome {
        Outcome::Found { .. } => "✅",
        _ => "⚠️",
    };
    writeln!(out, "{sign} **{}**: {}\n", outcome.name(), inline(&bisection.reason()))?;
    writeln!(out, "Bisection of {}.", inline(&heading(bisection)))?;
    let steps = rows::steps(bisection);
    if !steps.is_empty() {
        writeln!(out)?;
        steps.with_texts(inline).markdown(out)?;
    }
    let sections = [
        (suspects_heading(bisection), suspects(bisection)),
        ("Notes".to_owned(), bisection.notes()),
    ];
    for (heading, lines) in sections.iter().filter(|(_, lines)| !lines.is_empty()) {
        writeln!(out, "\n{heading}:\n")?;
        lines.iter().try_for_each(|line| writeln!(out, "- {}", inline(line)))?;
    }
    Ok(())
}
