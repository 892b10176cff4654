//! Markdown of a comparison, for a pull request: one table, and the rest in collapsed sections.

use std::io::{self, Write};

use super::notes::{self, FEW_PACKAGES, basis, warnings};
use super::{attribution, rows};
use crate::comparison::{Comparison, ComparisonVerdict};
use crate::render::markdown::inline;
use crate::render::table::Table;
use crate::render::text::Detail;

/// Writes the comparison.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let verdict = comparison.verdict;
    let sign = match verdict {
        ComparisonVerdict::Better | ComparisonVerdict::Same => "✅",
        ComparisonVerdict::Worse | ComparisonVerdict::ScenarioFailed => "❌",
        ComparisonVerdict::Undecided => "⚠️",
    };
    writeln!(out, "{sign} **{}**: {}\n", verdict.name(), inline(&comparison.reason()))?;
    writeln!(
        out,
        "SkyPilot {} (candidate) against {} (base), {}.\n",
        inline(&comparison.candidate.name()),
        inline(&comparison.base.name()),
        basis(comparison)
    )?;
    let warnings = warnings(comparison);
    warnings.iter().try_for_each(|warning| writeln!(out, "- ⚠️ {}", inline(warning)))?;
    if !warnings.is_empty() {
        writeln!(out)?;
    }
    packages(comparison, out)?;
    rows::metrics(comparison, true).markdown(out)?;
    by_requests(comparison, out)?;
    let errors = rows::errors(comparison).with_texts(inline);
    section("Errors by type, in number of runs", &errors, out)?;
    section("Other metrics, which inform", &rows::metrics(comparison, false), out)?;
    let notes = notes::notes(comparison);
    if !notes.is_empty() {
        writeln!(out, "\n<details><summary>Notes</summary>\n")?;
        notes.iter().try_for_each(|note| writeln!(out, "- {}", inline(note)))?;
        writeln!(out, "\n</details>")?;
    }
    Ok(())
}

/// Writes the packages that differ, if any do: many in a collapsed section.
fn packages(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let Some(title) = notes::packages(comparison) else { return Ok(()) };
    let table = rows::packages(comparison).with_texts(inline);
    if table.rows.len() > FEW_PACKAGES {
        collapsed(&inline(&title), &table, out)?;
    } else {
        writeln!(out, "Packages that differ:\n")?;
        table.markdown(out)?;
    }
    // Otherwise the next table would belong to this one.
    writeln!(out)
}

/// Writes what differs in executors' memory by requests: causes of peaks, and cost per request.
fn by_requests(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let causes = attribution::causes(comparison, Detail::Compact).with_texts(inline);
    if !causes.is_empty() {
        writeln!(out, "\nExecutors' peaks by cause, medians of runs:\n")?;
        causes.markdown(out)?;
    }
    let attribution::Costs { table, more, .. } = attribution::costs(comparison, Detail::Compact);
    let title = match more {
        0 => "Cost per request, where it differs".to_owned(),
        more => format!("Cost per request, where it differs ({more} more in compare.html)"),
    };
    section(&title, &table.with_texts(inline), out)
}

/// Writes a table in a collapsed section, if it has rows.
fn section(title: &str, table: &Table, out: &mut impl Write) -> io::Result<()> {
    if table.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    collapsed(title, table, out)
}

fn collapsed(title: &str, table: &Table, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<details><summary>{title}</summary>\n")?;
    table.markdown(out)?;
    writeln!(out, "\n</details>")
}
