//! Full text report: all tables and findings.

use std::io::{self, Write};

use super::{
    INDENT, attribution, checked_thresholds, findings, infrastructure, memory, one_line, overhead,
    phases, server_view,
};
use crate::analysis::Report;
use crate::render::format::status;
use crate::render::tables::{self, latency};

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    latencies(report, out)?;
    checked_thresholds(report, out)?;
    errors(report, out)?;
    infrastructure::render(report, out)?;
    memory::render(report.memory.as_ref(), report.profiler, &report.budgets, out)?;
    attribution::causes(report.attribution.as_ref(), out)?;
    attribution::tables(report.attribution.as_ref(), out)?;
    phases::render(report, out)?;
    memory::windows(report.memory.as_ref(), out)?;
    memory::growth_rates(report.memory.as_ref(), &report.budgets, out)?;
    server_view::render(report, out)?;
    overhead::render("SERVER SIZE", tables::server_size::of_run(report), out)?;
    overhead::render("OVERHEAD", tables::overhead::of_run(report), out)?;
    writeln!(out, "\nFINDINGS")?;
    if report.findings.is_empty() {
        writeln!(out, "  none")?;
    }
    findings(report.findings.iter(), out)?;
    writeln!(out)
}

fn latencies(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(iterations) = latency::iterations(report) else { return Ok(()) };
    writeln!(out, "\nLATENCY per iteration, from scheduled start, in seconds")?;
    iterations.text(INDENT, out)?;
    writeln!(out, "\nLATENCY per step, last iteration or largest stage, in seconds")?;
    match latency::steps(report.scenarios.iter()) {
        Some(steps) => steps.text(INDENT, out),
        None => writeln!(out, "  no iteration has more than one step"),
    }
}

fn errors(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let kinds: Vec<_> = report.errors().collect();
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nERRORS by type (first message of each)")?;
    for (id, kind) in kinds {
        let (example, status) = (one_line(&kind.example.to_string()), one_line(&status(kind)));
        writeln!(out, "  {:>5}x {id}: {example} [{status}]", kind.count)?;
    }
    Ok(())
}
