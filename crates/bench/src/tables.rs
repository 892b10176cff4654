//! The findings as tables, and what must be said beside them.

use std::io::{self, Write};
use std::time::Duration;

use skyload::record::outcome::Latencies;
use skyload::render::table::Table;
use skyload::units::in_minutes;
use skyload::units::{ByteSize, as_gib, as_mib};

use crate::effect::{Effect, Window};
use crate::plan::{SPIKE_LASTS, SPIKE_MIB};
use crate::result::Findings;
use crate::statistics::{Recall, Spread};

/// What stands before each line below a title.
const INDENT: &str = "  ";

/// A table with what it shows.
struct Titled {
    title: String,
    table: Table,
}

/// Writes everything for a terminal.
pub(crate) fn text(findings: &Findings, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", setting(findings))?;
    for Titled { title, table } in tables(findings) {
        writeln!(out, "\n{title}")?;
        table.text(INDENT, out)?;
    }
    let notes = notes(findings);
    if !notes.is_empty() {
        writeln!(out)?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "{INDENT}{note}"))
}

/// Writes everything for docs/peaks.md.
pub(crate) fn markdown(findings: &Findings, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", setting(findings))?;
    for Titled { title, table } in tables(findings) {
        writeln!(out, "\n{title}:\n")?;
        table.markdown(out)?;
    }
    notes(findings).iter().try_for_each(|note| writeln!(out, "\n{note}"))
}

fn setting(findings: &Findings) -> String {
    let (setting, plan) = (&findings.setting, &findings.plan);
    format!(
        "Measured on {}: skyload {}, {}, sysinfo {}; {} CPUs, {:.0} GiB, Linux {}, {} \
         other processes, a load of {:.1}; {} round(s).",
        setting.date,
        setting.skyload,
        setting.psutil,
        setting.sysinfo,
        setting.cpus,
        as_gib(setting.memory),
        setting.kernel,
        setting.other_processes,
        findings.load_average.0,
        plan.rounds
    )
}

fn tables(findings: &Findings) -> Vec<Titled> {
    let mut tables = vec![costs(findings), spikes(findings), brief(findings)];
    tables.extend(findings.effect.as_ref().map(effect));
    tables
}

fn costs(findings: &Findings) -> Titled {
    let headings = [
        "CPU per tick",
        "workers",
        "us (lowest to highest)",
        "times ours",
        "of a core",
        "ticks/s",
        "asked for",
        "own MiB",
    ];
    let title = format!("Cost, each window {}", in_minutes(findings.plan.window));
    let mut table = Table::new(&headings, 1);
    for cost in &findings.costs {
        let who = &findings.candidates[cost.candidate];
        let cpu = cost.cpu_micros_per_tick;
        table.row([
            who.to_string(),
            cost.workers.to_string(),
            format!("{:.0} ({:.0} to {:.0})", cpu.median.0, cpu.min.0, cpu.max.0),
            format!("{:.1}", cost.ratio_to_ours.median.0),
            format!("{:.2} %", cpu.median.percent_of_a_core(who.interval)),
            format!("{:.1}", cost.achieved_hertz.median.0),
            format!("{:.0}", 1.0 / who.interval.as_secs_f64()),
            format!("{:.1}", as_mib(cost.memory)),
        ]);
    }
    Titled { title, table }
}

fn spikes(findings: &Findings) -> Titled {
    let title =
        format!("Spikes of {SPIKE_MIB} MiB, held for at least {} ms", SPIKE_LASTS.as_millis());
    let headings =
        ["peak of the process", "within 0.5 MiB", "within 5 MiB", "median short", "most short"];
    let mut table = Table::new(&headings, 1);
    for accuracy in &findings.accuracies {
        let recall = &accuracy.spikes;
        table.row([
            findings.candidates[accuracy.candidate].to_string(),
            of_all(recall.within_half_mib, recall),
            of_all(recall.within_5_mib, recall),
            mib(recall.shortfall_median),
            mib(recall.shortfall_max),
        ]);
    }
    Titled { title, table }
}

fn brief(findings: &Findings) -> Titled {
    let headings = [
        "peak of the process",
        "seen",
        "within 0.5 MiB",
        "within 5 MiB",
        "p90 short",
        "most short",
    ];
    let title = "Processes of 40 to 120 MiB that live for 100 to 300 ms".to_owned();
    let mut table = Table::new(&headings, 1);
    for accuracy in &findings.accuracies {
        let recall = &accuracy.brief;
        table.row([
            findings.candidates[accuracy.candidate].to_string(),
            of_all(recall.seen, recall),
            of_all(recall.within_half_mib, recall),
            of_all(recall.within_5_mib, recall),
            mib(recall.shortfall_p90),
            mib(recall.shortfall_max),
        ]);
    }
    Titled { title, table }
}

fn of_all(count: usize, recall: &Recall) -> String {
    format!("{count}/{}", recall.processes)
}

fn mib(size: ByteSize) -> String {
    format!("{:.1} MiB", as_mib(size))
}

fn effect<'a>(effect: &'a Effect) -> Titled {
    let title = format!("A server (SkyPilot {}) without and with the profiler", effect.sky);
    let headings =
        ["latency", "without", "with", "with/without", "windows of one kind differ", "difference"];
    let mut table = Table::new(&headings, 1);
    let requests = [("GET /api/health", true), ("POST /status and its result", false)];
    for (request, is_health) in requests {
        for percent in [50.0, 99.0] {
            let of = |profiled: bool| -> Vec<Duration> {
                let windows = effect.windows.iter().filter(|one| one.profiled == profiled);
                let latencies = |one: &'a Window| if is_health { &one.health } else { &one.status };
                windows.filter_map(|one| Latencies::percentile(latencies(one), percent)).collect()
            };
            let mut row = vec![format!("{request}, p{percent}")];
            row.extend(comparison(&of(false), &of(true)));
            table.row(row);
        }
    }
    Titled { title, table }
}

/// Both kinds by their medians, their ratio, and by how much windows of one kind
/// differ: less than that is no difference. One window of a kind tells nothing of it.
fn comparison(without: &[Duration], with: &[Duration]) -> [String; 5] {
    let spread = |times: &[Duration]| (times.len() > 1).then(|| Spread::of(times)).flatten();
    let (Some(a), Some(b)) = (spread(without), spread(with)) else {
        return ["-", "-", "-", "-", "not measured"].map(str::to_owned);
    };
    let ratio = |more: Duration, less: Duration| more.as_secs_f64() / less.as_secs_f64();
    let (change, apart) = (ratio(b.median, a.median), ratio(a.max, a.min).max(ratio(b.max, b.min)));
    let word = match change {
        change if change > apart => "slower",
        change if change < 1.0 / apart => "faster",
        _ => "none to be seen",
    };
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    [
        millis(a.median),
        millis(b.median),
        format!("{change:.2}"),
        format!("up to {apart:.2} times"),
        word.to_owned(),
    ]
}

/// What would mislead if it were not said.
fn notes(findings: &Findings) -> Vec<String> {
    let mut notes: Vec<String> = findings.not_granted.clone();
    notes.push(
        "The psutil loop does what the original tool did, and sleeps for its interval after each \
         tick. A process that was not seen falls short by all it had."
            .to_owned(),
    );
    if findings.costs.iter().any(|cost| cost.accounts.iter().any(|account| !account.agrees())) {
        notes.push(
            "Warning: CPU times read from outside differ from what processes say of themselves \
             (`accounts` in profiler.json)."
                .to_owned(),
        );
    }
    for accuracy in &findings.accuracies {
        let excess = accuracy.spikes.excess_max.max(accuracy.brief.excess_max);
        if excess > ByteSize(512 << 10) {
            let who = &findings.candidates[accuracy.candidate];
            notes.push(format!("{who} says up to {} more than there was.", mib(excess)));
        }
    }
    if let Some(effect) = &findings.effect {
        let asked: u64 = effect.windows.iter().map(|one| one.status.count()).sum();
        let failed: u64 = effect.windows.iter().map(|one| one.failed).sum();
        let who = &findings.candidates[0];
        let cpu = effect.cpu_micros_per_tick.median;
        notes.push(format!(
            "Beside the server the profiler took {:.0} us of CPU per tick, {:.2} % of a core. The \
             server was asked {asked} times in {} windows; {failed} iterations failed.",
            cpu.0,
            cpu.percent_of_a_core(who.interval),
            effect.windows.len()
        ));
    }
    notes
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
