//! The report as text for a terminal: the original tool's block first, in its
//! words and order, then what the original did not have.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::{BudgetState, Report, ScenarioReport, Severity, Stats, Temperature, WaveReport};
use crate::class::ProcessClass;
use crate::plan::BudgetSubject;
use crate::sample::{Phase, ProfilerLevel};
use crate::units::ByteSize;
use crate::units::{as_gib, as_mib};

/// Writes the whole report.
pub fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    monitoring_summary(report, out)?;
    latencies(report, out)?;
    failures(report, out)?;
    classes(report, out)?;
    cost(report, out)?;
    findings(report, out)?;
    let verdict = report.judgement.verdict;
    writeln!(out, "\nVERDICT: {} (exit code {})", verdict.name(), verdict.exit_code())
}

fn monitoring_summary(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(summary) = &report.summary else { return Ok(()) };
    let rule = "=".repeat(50);
    let seconds = summary.duration.as_secs_f64();
    let share = |size: ByteSize| as_gib(size) / as_gib(summary.memory_total) * 100.0;
    let delta = as_gib(summary.peak_memory) - as_gib(summary.baseline_memory);
    writeln!(out, "{rule}\nMONITORING SUMMARY\n{rule}")?;
    writeln!(out, "Duration: {seconds:.1} seconds ({:.2} hours)", seconds / 3600.0)?;
    writeln!(out, "\nBASELINE USAGE:")?;
    writeln!(out, "Baseline CPU: {:.1}%", summary.baseline_cpu)?;
    writeln!(
        out,
        "Baseline Memory: {:.2}GB ({:.1}%)",
        as_gib(summary.baseline_memory),
        share(summary.baseline_memory)
    )?;
    writeln!(out, "\nPEAK USAGE:")?;
    writeln!(out, "Peak CPU: {:.1}%", summary.peak_cpu)?;
    writeln!(
        out,
        "Peak Memory: {:.2}GB ({:.1}%)",
        as_gib(summary.peak_memory),
        share(summary.peak_memory)
    )?;
    writeln!(out, "Memory Delta: {delta:.1}GB")?;
    let lines = [
        ("Peak Non-blocking Executor Memory", summary.short_peak),
        ("Peak Non-blocking Executor Memory Average", summary.short_average_peak),
        ("Peak Blocking Executor Memory", summary.long_peak),
        ("Peak Blocking Executor Memory Average", summary.long_average_peak),
    ];
    for (name, size) in lines {
        match size {
            Some(size) => writeln!(out, "{name}: {:.2}GB", as_gib(size))?,
            None => writeln!(out, "{name}: - (none ran)")?,
        }
    }
    writeln!(out, "\nAVERAGE USAGE:")?;
    writeln!(out, "Average CPU: {:.1}%", summary.average_cpu)?;
    writeln!(out, "Average Memory: {:.1}%", share(summary.average_memory))?;
    writeln!(out, "{rule}")
}

fn table(headings: &[&str], words: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= words {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn print(out: &mut impl Write, table: &Table) -> io::Result<()> {
    for line in table.to_string().lines() {
        writeln!(out, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn latencies(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.scenarios.iter().all(|scenario| scenario.waves.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\nLATENCY of a user's turn, from its scheduled start, in seconds")?;
    let mut rows = table(
        &[
            "scenario", "wave", "turns", "refused", "errors", "per s", "min", "avg", "p50", "p90",
            "p95", "p99", "max",
        ],
        2,
    );
    for scenario in &report.scenarios {
        for wave in &scenario.waves {
            rows.add_row(latency_row(scenario, wave));
        }
        if scenario.waves.is_empty() {
            rows.add_row([scenario.id.to_string(), "none".to_owned()]);
        }
    }
    print(out, &rows)?;
    steps(report, out)
}

fn latency_row(scenario: &ScenarioReport, wave: &WaveReport) -> Vec<String> {
    let completed = wave.succeeded + wave.refused + wave.failed;
    let turns = if completed == wave.scheduled {
        completed.to_string()
    } else {
        format!("{completed}/{}", wave.scheduled)
    };
    let wave_name = match (scenario.waves.len(), wave.temperature) {
        (1, _) => "all",
        (_, Temperature::Cold) => "cold",
        (_, Temperature::Warm) => "warm",
        (_, Temperature::Unknown) => "-",
    };
    let mut row = vec![
        scenario.id.to_string(),
        wave_name.to_owned(),
        turns,
        wave.refused.to_string(),
        wave.failed.to_string(),
        wave.throughput.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
    ];
    row.extend(figures(wave.turns.as_ref()));
    row
}

fn figures(stats: Option<&Stats>) -> Vec<String> {
    match stats {
        None => vec!["-".to_owned(); 7],
        Some(s) => [s.min, s.avg, s.p50, s.p90, s.p95, s.p99, s.max].map(seconds).to_vec(),
    }
}

/// Three digits that count: `0.004`, `1.25`, `31.8`.
fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let digits = match seconds {
        s if s < 1.0 => 3,
        s if s < 10.0 => 2,
        _ => 1,
    };
    format!("{seconds:.digits$}")
}

fn steps(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nSTEPS of a turn in the last wave, in seconds")?;
    let mut rows =
        table(&["scenario", "step", "count", "min", "avg", "p50", "p90", "p95", "p99", "max"], 2);
    for scenario in &report.scenarios {
        let Some(wave) = scenario.waves.last() else { continue };
        // A turn of one step has been shown already.
        if wave.steps.len() < 2 {
            continue;
        }
        for (step, stats) in &wave.steps {
            let mut row = vec![scenario.id.to_string(), step.clone(), stats.count.to_string()];
            row.extend(figures(Some(stats)));
            rows.add_row(row);
        }
    }
    if rows.row_count() == 0 {
        return writeln!(out, "  every turn had but one");
    }
    print(out, &rows)
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
        let what = match &kind.right_because {
            None => "ERROR".to_owned(),
            Some(reason) => format!("refused, rightly: {reason}"),
        };
        writeln!(out, "  {:>5}x {id}: {} [{what}]", kind.count, kind.example)?;
    }
    Ok(())
}

fn classes(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let Some(memory) = &report.memory else { return Ok(()) };
    let how = match report.profiler.map(|profiler| profiler.level) {
        Some(ProfilerLevel::SampledRss) => "sampled: short peaks are missed",
        Some(ProfilerLevel::HighWaterMark) | None => "peaks are the kernel's marks",
    };
    writeln!(out, "\nMEMORY of the server's processes by class, in MiB ({how})")?;
    let mut rows = table(
        &[
            "class",
            "processes",
            "at once",
            "largest",
            "mean peak",
            "peak sum",
            "budget",
            "headroom",
            "",
        ],
        1,
    );
    let size = |size: Option<ByteSize>| {
        size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
    };
    for class in &memory.classes {
        let mark = if class.unread_exits > 0 && class.peak.is_some() { ">=" } else { "" };
        let mut row = vec![
            class.class.to_string(),
            class.processes.to_string(),
            class.most_at_once.to_string(),
            format!("{mark}{}", size(class.peak)),
            size(class.mean_peak),
            size(class.rss_sum_peak),
        ];
        row.extend(budget_columns(report, BudgetSubject::Class(class.class)));
        rows.add_row(row);
    }
    let sums = [
        ("tree (RSS sum)", BudgetSubject::TreeRss, memory.tree_rss_peak, memory.most_processes),
        (
            "tree (PSS, at phase ends)",
            BudgetSubject::TreePss,
            memory.snapshots.iter().map(|snapshot| snapshot.pss).max(),
            memory.snapshots.iter().map(|snapshot| snapshot.processes).max().unwrap_or(0),
        ),
    ];
    for (name, subject, peak, processes) in sums {
        let mut row = vec![
            name.to_owned(),
            String::new(),
            processes.to_string(),
            String::new(),
            String::new(),
            size(peak),
        ];
        row.extend(budget_columns(report, subject));
        rows.add_row(row);
    }
    print(out, &rows)?;
    absent_budgets(report, out)?;
    let end_of = |phase: Phase| memory.snapshots.iter().find(|snapshot| snapshot.phase == phase);
    if let (Some(before), Some(after)) = (end_of(Phase::Baseline), end_of(Phase::Drain)) {
        writeln!(
            out,
            "  After the drain the server held {:.2} GiB (PSS) in {} processes and {} threads; before \
             the load {:.2} GiB in {} and {}.",
            as_gib(after.pss),
            after.processes,
            after.threads,
            as_gib(before.pss),
            before.processes,
            before.threads
        )?;
    }
    Ok(())
}

fn budget_columns(report: &Report, subject: BudgetSubject) -> [String; 3] {
    let check = report.budgets.iter().find(|check| check.subject == subject);
    let Some(check) = check else { return [const { String::new() }; 3] };
    let limit = check.limit.map_or_else(|| "-".to_owned(), |limit| format!("{:.1}", as_mib(limit)));
    let headroom =
        check.headroom().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%"));
    let state = match check.state {
        BudgetState::Within => "ok",
        BudgetState::Over => "OVER",
        BudgetState::NotExercised => "not tried",
        BudgetState::NoConstant => "no constant",
        BudgetState::NotMeasured => "not measured",
    };
    [limit, headroom, state.to_owned()]
}

/// Budgets for classes of which there was no process have no row of their own.
fn absent_budgets(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let has_row = |class: ProcessClass| {
        report.memory.as_ref().is_some_and(|memory| memory.class(class).is_some())
    };
    for check in &report.budgets {
        if let BudgetSubject::Class(class) = check.subject
            && !has_row(class)
        {
            let [limit, _, state] = budget_columns(report, check.subject);
            writeln!(out, "  {class}: budget {limit}, {state}")?;
        }
    }
    Ok(())
}

fn cost(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nCOST of measuring")?;
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let clients: Duration = costs().map(|cost| cost.own_cpu).sum();
    let peak = costs().map(|cost| cost.own_peak).max().unwrap_or_default();
    writeln!(
        out,
        "  clients: {:.1} CPU-s in skyload's processes (largest {:.1} MiB)",
        clients.as_secs_f64(),
        as_mib(peak)
    )?;
    if let Some(largest) = costs().filter_map(|cost| cost.largest_child).max() {
        let cpu: Duration = costs().map(|cost| cost.children_cpu).sum();
        writeln!(
            out,
            "  sky processes: {:.1} CPU-s (largest {:.1} MiB); the client's, not the server's",
            cpu.as_secs_f64(),
            as_mib(largest)
        )?;
    }
    if let Some(cost) = report.profiler.and_then(|profiler| profiler.cost) {
        writeln!(
            out,
            "  profiler: {:.1} CPU-s, {:.1} MiB, {:.1} of {:.1} ticks per second, longest gap {:.2} s",
            cost.cpu.as_secs_f64(),
            as_mib(cost.peak),
            cost.rate_hz,
            1.0 / report.plan.profiler_interval.as_secs_f64(),
            cost.longest_gap.as_secs_f64()
        )?;
    }
    Ok(())
}

fn findings(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nFINDINGS")?;
    if report.judgement.findings.is_empty() {
        writeln!(out, "  none")?;
    }
    for finding in &report.judgement.findings {
        let word = match finding.severity {
            Severity::ScenarioFailed => "FAILED",
            Severity::OverBudget => "OVER BUDGET",
            Severity::Inconclusive => "INCONCLUSIVE",
            Severity::Note => "note",
        };
        writeln!(out, "  {word}: {}", finding.message)?;
    }
    Ok(())
}
