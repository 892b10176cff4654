//! Compact text report: one row per scenario and per class with a budget, findings, and a few
//! notes.

use std::io::{self, Write};

use super::{INDENT, attribution, checked_thresholds, findings, memory, one_line, server_view};
use crate::analysis::{LimitCheck, Report, ScenarioReport, ScenarioState, Severity};
use crate::metric::{Metric, Place, ScenarioMetric, ServerMetric};
use crate::record::profile::Phase;
use crate::render::format::seconds;
use crate::render::table::Signs;
use crate::render::tables::{self, latency, phases};
use crate::scenario::{FIRST_LINE, GAP, ScenarioKind, step_and_infra};
use crate::units::{counted, total};

/// Maximum number of error types that are listed.
const MAX_ERRORS: usize = 5;

/// Maximum number of notes that are listed.
const MAX_NOTES: usize = 3;

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    latencies(report, out)?;
    checked_thresholds(report, out)?;
    errors(report, out)?;
    server_view::gauges(report, out)?;
    peaks(report, out)?;
    memory::windows(report.memory.as_ref(), out)?;
    memory::growth_rates(report.memory.as_ref(), &report.budgets, out)?;
    if let Some(line) = tables::server_size::line(report) {
        writeln!(out, "\nSERVER SIZE: {line}")?;
    }
    findings_and_notes(report, out)?;
    resources(report, out)
}

fn latencies(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if let Some(table) = latency::by_scenario(report) {
        writeln!(out, "\nLATENCY per iteration, from scheduled start, in seconds")?;
        table.text(INDENT, out)?;
    }
    let of_kind = |kind| report.scenarios.iter().filter(move |one| one.id.kind() == kind);
    for held in of_kind(ScenarioKind::Hold) {
        writeln!(out, "  {}: {}", held.id, connections_of(held))?;
    }
    for probe in of_kind(ScenarioKind::Probe) {
        writeln!(out, "  health probe at {}/s: {}", report.plan.probe_rate, requests_of(probe))?;
    }
    server_view::lag(report, out)?;
    let failed = report.scenarios.iter().filter(|one| one.state == ScenarioState::Failed);
    match latency::steps(failed) {
        Some(steps) => {
            writeln!(
                out,
                "\nLATENCY per step of failed scenarios, last iteration or largest stage, in seconds"
            )?;
            steps.text(INDENT, out)
        }
        None => Ok(()),
    }
}

/// Requests of the health probe and their latencies.
fn requests_of(probe: &ScenarioReport) -> String {
    if probe.segments.is_empty() {
        return probe.state.name().to_owned();
    }
    let requests = match probe.completed() {
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    };
    let mut text = format!("{requests}, {} failed", probe.failed());
    let figures = [ScenarioMetric::P50, ScenarioMetric::P95, ScenarioMetric::Max];
    for statistic in figures {
        let latency = probe.iteration_duration.and_then(|stats| stats.shown(statistic));
        if let Some(latency) = latency {
            text += &format!(", {} {}", statistic.row().name, seconds(latency));
        }
    }
    text
}

/// Connections of a scenario that holds them, and the longest of their steps.
fn connections_of(held: &ScenarioReport) -> String {
    let Some(segment) = held.segments.last() else { return held.state.name().to_owned() };
    let mut text = format!(
        "{}, {} failed, {}",
        counted(held.completed(), "connection"),
        held.failed(),
        counted(held.retries(), "reconnect")
    );
    for step in [FIRST_LINE, GAP] {
        // On several infras, the worst of them.
        let steps = segment.steps.iter().filter(|(name, _)| step_and_infra(name).0 == step);
        if let Some(longest) = steps.map(|(_, stats)| stats.max).max() {
            text += &format!(", {step} max {}", seconds(longest));
        }
    }
    text
}

/// Lists error types if there are several. (A single one is quoted by a finding.)
fn errors(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let kinds: Vec<_> = report.errors().filter(|(_, kind)| kind.is_error()).collect();
    if kinds.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\nERRORS by type (first message of each)")?;
    for (id, kind) in kinds.iter().take(MAX_ERRORS) {
        let example = one_line(&kind.example.to_string());
        writeln!(out, "  {:>5}x {id}: {}", kind.count, shortened(&example))?;
    }
    match kinds.len().saturating_sub(MAX_ERRORS) {
        0 => Ok(()),
        more => writeln!(out, "  {more} more types (-v)"),
    }
}

/// Text that fits the width of the report.
fn shortened(text: &str) -> String {
    const LENGTH: usize = 60;
    match text.char_indices().nth(LENGTH) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}..", &text[..end]),
    }
}

fn peaks(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (Some(memory), Some(profiler)) = (&report.memory, report.profiler) else { return Ok(()) };
    let (how, classes) = (profiler.describe(), memory.classes.len());
    let more = match classes {
        0 => String::new(),
        classes => format!("; all {classes} classes with -v"),
    };
    writeln!(out, "\nMEMORY by process class, in MiB ({how}{more})")?;
    tables::memory::with_budget(memory, &report.budgets).text(INDENT, out)?;
    let possible = report.budgets.iter().filter(|check| report.plan.can_have(check.metric));
    let possible: Vec<LimitCheck> = possible.cloned().collect();
    memory::budgets_of_absent_classes(memory, &possible, out)?;
    if let Some(budgeted) = phases::with_budget(report) {
        budgeted.text(INDENT, out)?;
    }
    let totals = ServerMetric::ALL.iter().filter(|statistic| {
        let has_row =
            report.budgets.iter().any(|check| check.metric == Metric::Server(**statistic));
        statistic.row().place == Place::Totals && !has_row
    });
    let totals = totals.filter_map(|statistic| {
        let measured = report.of_server(*statistic);
        let at_least = if measured.is_lower_bound() { Signs::TEXT.at_least } else { "" };
        Some(format!("{} {at_least}{}", statistic.row().name, measured.amount()?))
    });
    let totals: Vec<String> = totals.collect();
    if !totals.is_empty() {
        writeln!(out, "  totals: {}", totals.join(", "))?;
    }
    attribution::causes(report.attribution.as_ref(), out)
}

fn findings_and_notes(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let of = |is_note: bool| {
        report.findings.iter().filter(move |found| (found.severity == Severity::Note) == is_note)
    };
    if report.findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFINDINGS")?;
    findings(of(false), out)?;
    findings(of(true).take(MAX_NOTES), out)?;
    match of(true).count().saturating_sub(MAX_NOTES) {
        0 => Ok(()),
        1 => writeln!(out, "  1 more note (-v)"),
        more => writeln!(out, "  {more} more notes (-v)"),
    }
}

/// Writes the infra and the times of setup and teardown in one line.
fn resources(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    let Some(environment) = &report.environment else { return Ok(()) };
    if environment.infrastructure.is_empty() {
        return Ok(());
    }
    let mut facts = vec![environment.infrastructure.join(", ")];
    match environment.modifications.len() {
        0 => {}
        1 => facts.push("1 modification (-v)".to_owned()),
        count => facts.push(format!("{count} modifications (-v)")),
    }
    let mut text = format!("Infra: {}", facts.join(", "));
    let took = |wanted| {
        let spans = report.phases.iter().filter(move |span| span.phase == wanted);
        total(spans.map(|span| span.ended.since(span.began)))
    };
    let (up, down) = (took(Phase::SetUp), took(Phase::TearDown));
    if !up.is_zero() || !down.is_zero() {
        text += &format!("; setup {} s, teardown {} s", seconds(up), seconds(down));
    }
    writeln!(out, "{text}")
}
