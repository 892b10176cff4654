//! Text of a reference for a terminal: its runs, their amounts and their conditions.

use std::io::{self, Write};

use super::table::Table;
use super::text::{INDENT, one_line};
use crate::comparison::{Part, Reference};
use crate::metric::{Amount, ComparedMetric};
use crate::shell;
use crate::units::counted;

/// Writes the reference.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn render(reference: &Reference, out: &mut impl Write) -> io::Result<()> {
    let Reference { sky, packages, arguments, runs, .. } = reference;
    writeln!(out, "REFERENCE of SkyPilot {}, {}", one_line(sky), counted(runs.len(), "run"))?;
    let words = arguments.iter().map(|argument| shell::word(argument));
    let command = ["cargo xtask load".into()].into_iter().chain(words).collect::<Vec<_>>();
    writeln!(out, "{INDENT}made by: {}", one_line(&command.join(" ")))?;
    if let Some(packages) = packages {
        writeln!(out, "{INDENT}with {}", one_line(&packages.in_words()))?;
    }
    let ids: Vec<String> = runs.iter().map(|run| run.run.to_string()).collect();
    writeln!(out, "{INDENT}runs: {}", one_line(&ids.join(", ")))?;

    writeln!(out, "\nMETRICS over all runs")?;
    metrics(reference).text(INDENT, out)?;

    writeln!(out, "\nCONDITIONS that must be equal to compare")?;
    conditions(reference).with_texts(one_line).text(INDENT, out)
}

/// Table of the metrics that any run measured.
fn metrics(reference: &Reference) -> Table {
    let mut table = Table::new(&["metric", "runs", "lowest", "median", "highest"], 1);
    for metric in ComparedMetric::all() {
        let mut amounts = reference.amounts(metric);
        amounts.sort_by(|one, other| one.number().total_cmp(&other.number()));
        let (Some(lowest), Some(highest)) = (amounts.first(), amounts.last()) else { continue };
        // Of an even number, the lower one of both in the middle.
        let median = amounts[(amounts.len() - 1) / 2];
        let shown = [*lowest, median, *highest].map(|amount: Amount| amount.to_string());
        let [lowest, median, highest] = shown;
        table.row([metric.to_string(), amounts.len().to_string(), lowest, median, highest]);
    }
    table
}

/// Table of the conditions, by the metrics that need them.
fn conditions(reference: &Reference) -> Table {
    let mut table = Table::new(&["for", "condition", "value"], 3);
    for part in Part::ALL {
        for (what, value) in reference.fingerprint.part(part) {
            let value = value.as_deref().unwrap_or("unknown");
            table.row([part.needed_by(), what, value].map(str::to_owned));
        }
    }
    table
}
