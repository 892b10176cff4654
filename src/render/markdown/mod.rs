//! Markdown report for a pull request and the page of a workflow run: verdict, budgets, scenarios
//! and findings. The rest is in collapsed sections.

mod escape;

use std::io::{self, Write};

pub(super) use self::escape::inline;
use self::escape::preformatted;
use super::format::seconds;
use super::table::{Cell, Table};
use super::tables::server_view::{self, Section};
use super::tables::{attribution, budgets, growth_rates, latency, server_size, thresholds};
use super::text::{self, Detail};
use crate::analysis::{
    Finding, Report, ScenarioReport, SegmentReport, Severity, Start, Stats, Verdict,
};
use crate::metric::ScenarioMetric;
use crate::plan::ServerTarget;
use crate::record::environment::CatalogFacts;
use crate::units::in_minutes;

/// Maximum length of the included text report, in characters. GitHub accepts 65,536 in a comment.
const MAX_TEXT: usize = 30_000;

/// Maximum length of a finding, in characters.
const MAX_FINDING: usize = 1_000;

/// Maximum number of findings, and of notes.
const MAX_FINDINGS: usize = 20;

/// Writes the report.
pub fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    verdict(report, out)?;
    budgets(report, out)?;
    growth_rates(report, out)?;
    scenarios(report, out)?;
    thresholds(report, out)?;
    findings(report, out)?;
    server_size(report, out)?;
    server_view(report, out)?;
    versions(report, out)?;
    whole_text(report, out)
}

fn verdict(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let verdict = report.verdict;
    let sign = match verdict {
        Verdict::Pass => "✅",
        Verdict::OverBudget | Verdict::ScenarioFailed => "❌",
        Verdict::Inconclusive => "⚠️",
    };
    let against = || report.findings.iter().filter(|found| found.severity != Severity::Note);
    let reason = match against().next() {
        None => "all budgets met, no failed iterations, measurements valid".to_owned(),
        Some(first) => message(first),
    };
    let more = match against().count().saturating_sub(1) {
        0 => String::new(),
        1 => " (and one more finding)".to_owned(),
        more => format!(" (and {more} more findings)"),
    };
    writeln!(out, "{sign} **{}**: {reason}{more}\n", verdict.name())?;
    let took = report.duration.map(|took| format!(", {}", in_minutes(took))).unwrap_or_default();
    writeln!(
        out,
        "SkyPilot {} on {}, plan {}, run {}{took}.",
        inline(&skypilot(report)),
        server(report),
        inline(&report.plan.name),
        inline(report.run.as_str()),
    )
}

/// SkyPilot under test: its exact version if known, otherwise the request for it.
fn skypilot(report: &Report) -> String {
    match &report.environment {
        Some(environment) => environment.sky.in_words(),
        None => report.plan.sky.to_string(),
    }
}

fn server(report: &Report) -> &'static str {
    match &report.plan.server {
        ServerTarget::Isolated { deploy: false } => "an isolated server",
        ServerTarget::Isolated { deploy: true } => "an isolated server in deploy mode",
        ServerTarget::System => "a local server",
        ServerTarget::Remote(_) => "a remote server",
    }
}

fn budgets(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(table) = budgets::all(report) else { return Ok(()) };
    writeln!(out, "\n#### Budgets\n")?;
    table.markdown(out)?;
    let causes: Vec<String> = report.attribution.iter().flat_map(attribution::causes).collect();
    if !causes.is_empty() {
        writeln!(out)?;
    }
    causes.iter().try_for_each(|cause| writeln!(out, "- {}", inline(cause)))
}

fn growth_rates(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let rates = report.memory.as_ref().and_then(|memory| memory.growth_rates.as_ref());
    let Some(rates) = rates else { return Ok(()) };
    let Some(table) = growth_rates::rates(rates, &report.budgets) else { return Ok(()) };
    writeln!(out, "\n#### {}\n", growth_rates::heading(rates))?;
    table.markdown(out)
}

fn scenarios(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.scenarios.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n#### Scenarios\n")?;
    let mut table = Table::new(
        &["scenario", "iterations", "failed", "p50", "p95", "p99", "p99.9", "status"],
        1,
    );
    for scenario in &report.scenarios {
        let percentiles =
            [ScenarioMetric::P50, ScenarioMetric::P95, ScenarioMetric::P99, ScenarioMetric::P999];
        let [p50, p95, p99, p999] =
            percentiles.map(|statistic| first_and_last(scenario, statistic));
        let (iterations, errors) =
            (scenario.completed().to_string(), scenario.failed().to_string());
        table.row([
            scenario.id.to_string(),
            iterations,
            errors,
            p50,
            p95,
            p99,
            p999,
            scenario.state.name().to_owned(),
        ]);
    }
    table.markdown(out)?;
    let has_two = |one: &&ScenarioReport| one.segments.len() > 1 && !one.is_timed();
    let firsts = || report.scenarios.iter().filter(has_two).map(|one| &one.segments[0]);
    let segments = match firsts().any(|first| first.start == Start::Cold) {
        true => ": first iteration (cold) / last (warm)",
        false if firsts().next().is_some() => ": first / last iteration",
        false => "",
    };
    writeln!(out, "\nLatency per iteration, in seconds{segments}.")?;
    match latency::missing_p999(report) {
        Some(note) => writeln!(out, "{note}."),
        None => Ok(()),
    }
}

fn thresholds(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(mut table) = thresholds::all(report) else { return Ok(()) };
    for cell in table.rows.iter_mut().flatten() {
        // A step's name may be from another build.
        if let Cell::Plain(text) = cell {
            *text = inline(text);
        }
    }
    writeln!(out, "\n#### Thresholds\n")?;
    table.markdown(out)
}

/// Latency of the first iteration, and of the last if there are several; that of all iterations
/// but a warm-up's for a load that lasts for a time.
fn first_and_last(scenario: &ScenarioReport, statistic: ScenarioMetric) -> String {
    let text = |stats: Option<Stats>| {
        let latency = stats.and_then(|stats| stats.shown(statistic));
        latency.map_or_else(none, seconds)
    };
    let of = |segment: &SegmentReport| text(segment.iteration_duration);
    if scenario.is_timed() {
        return text(scenario.iteration_duration);
    }
    match scenario.segments.as_slice() {
        [] => none(),
        [only] => of(only),
        [first, .., last] => format!("{} / {}", of(first), of(last)),
    }
}

fn findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let of = |is_note: bool| {
        let findings = report.findings.iter();
        findings.filter(|found| (found.severity == Severity::Note) == is_note).collect::<Vec<_>>()
    };
    let (against, notes) = (of(false), of(true));
    if !against.is_empty() {
        writeln!(out, "\n#### Findings\n")?;
        list(&against, out)?;
    }
    if !notes.is_empty() {
        begin_details(out, &format!("Notes ({})", notes.len()))?;
        list(&notes, out)?;
        end_details(out)?;
    }
    Ok(())
}

/// Writes the stated size of the server, if it has one.
fn server_size(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let rows = server_size::of_run(report);
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n#### Server size\n")?;
    rows.iter().try_for_each(|(name, text)| writeln!(out, "- {name}: {}", inline(text)))
}

/// Writes the server's own view as a collapsed section, if its metrics were read.
fn server_view(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(view) = &report.server_view else { return Ok(()) };
    begin_details(out, "Server's own view")?;
    writeln!(out, "{}", inline(&server_view::source(view)))?;
    for Section { subject, unit, table } in server_view::sections(report) {
        writeln!(out, "\n{subject}, {unit}\n")?;
        table.with_texts(inline).markdown(out)?;
    }
    end_details(out)
}

fn list(findings: &[&Finding], out: &mut impl Write) -> io::Result<()> {
    for finding in findings.iter().take(MAX_FINDINGS) {
        match finding.severity {
            Severity::Note => writeln!(out, "- {}", message(finding))?,
            severity => writeln!(out, "- **{}**: {}", severity.name(), message(finding))?,
        }
    }
    match findings.len().saturating_sub(MAX_FINDINGS) {
        0 => Ok(()),
        more => writeln!(out, "- and {more} more"),
    }
}

fn message(finding: &Finding) -> String {
    // Shortened before it is escaped, so that no escape is cut in two.
    inline(&shortened(&finding.message, MAX_FINDING))
}

fn versions(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(environment) = &report.environment else { return Ok(()) };
    let (sky, machine) = (&environment.sky, &environment.machine);
    begin_details(out, "Versions and host")?;
    let rows = [
        ("SkyPilot", skypilot(report)),
        ("constants", sky.constants_source.clone()),
        (
            "server",
            format!(
                "{} (API version {})",
                environment.server.version, environment.server.api_version
            ),
        ),
        ("launched on", environment.infrastructure.join(", ")),
        ("catalog", environment.catalog.as_ref().map(CatalogFacts::in_words).unwrap_or_default()),
        ("skyload", environment.skyload.clone()),
        ("machine", format!("{} CPUs, {}, {}", machine.cpus, machine.memory_total, machine.system)),
        ("limits", machine.limits.in_words().join("; ")),
        ("peaks", report.profiler.map_or_else(none, |profiler| profiler.peaks())),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "- {name}: {}", inline(value))?;
    }
    end_details(out)
}

/// Writes the full text report as a collapsed section, for everything without a table above.
fn whole_text(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    text::render(report, Detail::Full, None, &mut text)?;
    let text = shortened(&String::from_utf8_lossy(&text), MAX_TEXT);
    begin_details(out, "Full report")?;
    writeln!(out, "<pre>{}</pre>", preformatted(&text))?;
    end_details(out)
}

fn begin_details(out: &mut impl Write, summary: &str) -> io::Result<()> {
    writeln!(out, "\n<details><summary>{summary}</summary>\n")
}

fn end_details(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n</details>")
}

fn none() -> String {
    "-".to_owned()
}

/// Text cut to `max` characters, with a note where the rest is.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} .. (continued in report.json)", &text[..end]),
    }
}
