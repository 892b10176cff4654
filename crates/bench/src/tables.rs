//! Tables of the results, with notes.

use std::io::{self, Write};
use std::time::Duration;

use skyload::record::outcome::Latencies;
use skyload::render::table::Table;
use skyload::units::in_minutes;
use skyload::units::{ByteSize, as_gib, as_mib};

use crate::effect::{Effect, Window};
use crate::plan::{SPIKE_DURATION, SPIKE_MIB};
use crate::result::BenchResults;
use crate::statistics::{EXACT, Recall, Spread};
use crate::titled::{Titled, write_markdown, write_text};
use crate::watcher::Account;

/// Writes all tables and notes for a terminal.
pub(crate) fn text(results: &BenchResults, out: &mut impl Write) -> io::Result<()> {
    write_text(&setting(results), &tables(results), &notes(results), out)
}

/// Writes all tables and notes as Markdown, for docs/peaks.md.
pub(crate) fn markdown(results: &BenchResults, out: &mut impl Write) -> io::Result<()> {
    write_markdown(&setting(results), &tables(results), &notes(results), out)
}

fn setting(results: &BenchResults) -> String {
    let (setting, plan) = (&results.setting, &results.plan);
    format!(
        "Measured on {}: skyload {}, {}, sysinfo {}; {} CPUs, {:.0} GiB, Linux {}, {} \
         other processes, load average {:.1} (15 min); rounds: {}.",
        setting.date,
        setting.skyload,
        setting.psutil,
        setting.sysinfo,
        setting.cpus,
        as_gib(setting.memory),
        setting.kernel,
        setting.other_processes,
        results.load_average.0,
        plan.rounds
    )
}

fn tables(results: &BenchResults) -> Vec<Titled> {
    let mut tables = vec![overheads(results), spikes(results), brief(results)];
    tables.extend(results.effect.as_ref().map(effect));
    tables
}

fn overheads(results: &BenchResults) -> Titled {
    let headings = [
        "profiler",
        "workers",
        "CPU per sample, us (min to max)",
        "ratio to skyload",
        "of a core",
        "samples/s",
        "target",
        "peak MiB",
    ];
    let title = format!("Overhead of profilers, each window {}", in_minutes(results.plan.window));
    let mut table = Table::new(&headings, 1);
    for overhead in &results.overheads {
        let candidate = &results.candidates[overhead.candidate];
        let cpu = overhead.cpu_micros_per_sample;
        table.row([
            candidate.to_string(),
            overhead.workers.to_string(),
            format!("{:.0} ({:.0} to {:.0})", cpu.median.0, cpu.min.0, cpu.max.0),
            format!("{:.1}", overhead.ratio_to_ours.median.0),
            format!("{:.2} %", cpu.median.percent_of_a_core(candidate.interval)),
            format!("{:.1}", overhead.achieved_hertz.median.0),
            format!("{:.0}", 1.0 / candidate.interval.as_secs_f64()),
            format!("{:.1}", as_mib(overhead.memory)),
        ]);
    }
    Titled { title, table }
}

fn spikes(results: &BenchResults) -> Titled {
    let title =
        format!("Spikes of {SPIKE_MIB} MiB, held for at least {} ms", SPIKE_DURATION.as_millis());
    let headings =
        ["profiler", "within 0.5 MiB", "within 5 MiB", "median shortfall", "max shortfall"];
    let mut table = Table::new(&headings, 1);
    for accuracy in &results.accuracies {
        let recall = &accuracy.spikes;
        table.row([
            results.candidates[accuracy.candidate].to_string(),
            of_all(recall.within_half_mib, recall),
            of_all(recall.within_5_mib, recall),
            mib(recall.shortfall_median),
            mib(recall.shortfall_max),
        ]);
    }
    Titled { title, table }
}

fn brief(results: &BenchResults) -> Titled {
    let headings =
        ["profiler", "seen", "within 0.5 MiB", "within 5 MiB", "p90 shortfall", "max shortfall"];
    let title = "Processes of 40 to 120 MiB that run for 100 to 300 ms".to_owned();
    let mut table = Table::new(&headings, 1);
    for accuracy in &results.accuracies {
        let recall = &accuracy.brief;
        table.row([
            results.candidates[accuracy.candidate].to_string(),
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
    let title =
        format!("Latency of a server (SkyPilot {}) without and with the profiler", effect.sky);
    let headings =
        ["request", "without", "with", "with/without", "variation between windows", "difference"];
    let mut table = Table::new(&headings, 1);
    let requests = [("GET /api/health", true), ("POST /status and its result", false)];
    for (request, is_health) in requests {
        for percent in [50.0, 99.0] {
            let percentiles = |profiled: bool| -> Vec<Duration> {
                let windows = effect.windows.iter().filter(|window| window.profiled == profiled);
                let latencies =
                    |window: &'a Window| if is_health { &window.health } else { &window.status };
                windows
                    .filter_map(|window| Latencies::percentile(latencies(window), percent))
                    .collect()
            };
            let mut row = vec![format!("{request}, p{percent}")];
            row.extend(comparison(&percentiles(false), &percentiles(true)));
            table.row(row);
        }
    }
    Titled { title, table }
}

/// Cells of a row: both medians, their ratio, the variation between windows of one kind, and
/// the difference, which is significant only beyond that variation. At least two windows of
/// each kind are needed.
fn comparison(without: &[Duration], with: &[Duration]) -> [String; 5] {
    let spread = |times: &[Duration]| (times.len() > 1).then(|| Spread::of(times)).flatten();
    let (Some(a), Some(b)) = (spread(without), spread(with)) else {
        return ["-", "-", "-", "-", "not measured"].map(str::to_owned);
    };
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let change = ratio(b.median, a.median);
    let variation = ratio(a.max, a.min).max(ratio(b.max, b.min));
    let difference = match change {
        change if change > variation => "slower",
        change if change < 1.0 / variation => "faster",
        _ => "not significant",
    };
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    [
        millis(a.median),
        millis(b.median),
        format!("{change:.2}"),
        format!("up to {variation:.2} times"),
        difference.to_owned(),
    ]
}

/// Notes that are needed to read the tables correctly.
fn notes(results: &BenchResults) -> Vec<String> {
    let mut notes: Vec<String> = results.unavailable.clone();
    notes.push(
        "The psutil loop samples like upstream's script, and sleeps for its interval after each \
         sample. The shortfall of a process that was not seen is its whole peak."
            .to_owned(),
    );
    let disagrees = |account: &Account| !account.agrees();
    if results.overheads.iter().any(|overhead| overhead.accounts.iter().any(disagrees)) {
        notes.push(
            "Warning: CPU times read from /proc differ from those that the profilers report \
             (`accounts` in profiler.json)."
                .to_owned(),
        );
    }
    for accuracy in &results.accuracies {
        let excess = accuracy.spikes.excess_max.max(accuracy.brief.excess_max);
        if excess > EXACT {
            let candidate = &results.candidates[accuracy.candidate];
            notes.push(format!(
                "{candidate}: a reported peak exceeds the actual one by {}.",
                mib(excess)
            ));
        }
    }
    if let Some(effect) = &results.effect {
        let succeeded: u64 = effect.windows.iter().map(|window| window.status.count()).sum();
        let failed: u64 = effect.windows.iter().map(|window| window.failed).sum();
        // The effect is measured with skyload's profiler at its best level.
        let candidate = &results.candidates[0];
        let cpu = effect.cpu_micros_per_sample.median;
        notes.push(format!(
            "With the server, the profiler used {:.0} us of CPU per sample, {:.2} % of a core. \
             Users completed {succeeded} iterations in {} windows; {failed} iterations failed.",
            cpu.0,
            cpu.percent_of_a_core(candidate.interval),
            effect.windows.len()
        ));
    }
    notes
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
