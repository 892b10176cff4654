//! The report as text for a terminal: the original tool's block first, in its
//! words and order, then what the original did not have.

mod cost;
mod infrastructure;
mod memory;
mod phases;
mod profile;
mod summary;

use std::io::{self, Write};

pub use profile::render as render_profile;

use super::table::Table;
use super::tables::{self, latency};
use super::words::refusal;
use super::{NextStep, next_step};
use crate::analysis::Report;

/// What stands before each line below a heading.
const INDENT: &str = "  ";

/// Writes the whole report.
pub fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    summary::render(report.summary.as_ref(), out)?;
    latencies(report, out)?;
    failures(report, out)?;
    infrastructure::render(report, out)?;
    memory::render(report.memory.as_ref(), report.profiler, &report.budgets, out)?;
    phases::render(report, out)?;
    memory::windows(report.memory.as_ref(), out)?;
    cost::render(tables::cost::of_run(report), out)?;
    findings(report, out)?;
    let verdict = report.judgement.verdict;
    writeln!(out, "\nVERDICT: {} (exit code {})", verdict.name(), verdict.exit_code())?;
    let NextStep { command, purpose } = next_step(report);
    writeln!(out, "NEXT: {command}\n      {purpose}")
}

fn latencies(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(iterations) = latency::iterations(report) else { return Ok(()) };
    writeln!(out, "\nLATENCY of a user's iteration, from its scheduled start, in seconds")?;
    iterations.text(INDENT, out)?;
    steps(report, out)
}

fn steps(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nSTEPS of an iteration in the last, in seconds")?;
    let headings: Vec<&str> =
        ["scenario", "step", "count"].into_iter().chain(latency::headings()).collect();
    let mut rows = Table::new(&headings, 2);
    for scenario in &report.scenarios {
        let Some(segment) = scenario.segments.last() else { continue };
        // An iteration of one step has been shown already.
        if segment.steps.len() < 2 {
            continue;
        }
        for (step, stats) in &segment.steps {
            let mut row = vec![scenario.id.to_string(), step.clone(), stats.count.to_string()];
            row.extend(latency::in_seconds(stats));
            rows.row(row);
        }
    }
    if rows.is_empty() {
        return writeln!(out, "  every iteration had but one");
    }
    rows.text(INDENT, out)
}

fn failures(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let kinds: Vec<_> = report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.failures.iter().map(|kind| (scenario.id, kind)))
        .collect();
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nERRORS AND REFUSALS by kind (with the first one's words)")?;
    for (id, kind) in kinds {
        let what = refusal(kind).unwrap_or_else(|| "ERROR".to_owned());
        let example = one_line(&kind.example.to_string());
        writeln!(out, "  {:>5}x {id}: {example} [{}]", kind.count, one_line(&what))?;
    }
    Ok(())
}

/// What a server says stays in its line, so that it cannot pass for one of ours, nor for
/// a command to GitHub, which looks for them at the beginnings of lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nFINDINGS")?;
    if report.judgement.findings.is_empty() {
        writeln!(out, "  none")?;
    }
    for finding in &report.judgement.findings {
        writeln!(out, "  {}: {}", finding.severity.name(), one_line(&finding.message))?;
    }
    Ok(())
}
