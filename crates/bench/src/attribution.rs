//! CPU time of the profiler with and without the attribution of executors' memory to requests.
//!
//! Both watch the same executors, which run requests, at the same time: what else the machine
//! does, and what executors do, meets both alike. Of windows one after the other, the CPU time
//! differs by more than attribution costs. Whichever starts first takes more, since the other one
//! finds what it has brought into the CPU's caches: each round has one window in either order.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::workload::{Task, Workload};
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use skyload::ids::ProcessIdentity;
use skyload::profiler::ProfilerOptions;
use skyload::render::table::Table;

use crate::flags::AttributionFlags;
use crate::harness::workload;
use crate::overhead::ready;
use crate::plan::WORKER_MIB;
use crate::statistics::{Micros, Ratio, Spread};
use crate::titled::{Titled, write_text};
use crate::watcher::Watcher;

/// Number of executors, and their requests: five a second start in all of them.
const EXECUTORS: u32 = 50;
const EVERY: Duration = Duration::from_secs(10);
const LASTING: Duration = Duration::from_millis(900);

/// CPU time per sample in one round, or in one of its windows.
#[derive(Clone, Copy)]
struct Round {
    with: Micros,
    without: Micros,
}

impl Round {
    fn mean(self, other: Self) -> Self {
        let mean = |a: Micros, b: Micros| Micros(f64::midpoint(a.0, b.0));
        Self { with: mean(self.with, other.with), without: mean(self.without, other.without) }
    }
}

pub(crate) fn run(flags: &AttributionFlags) -> Result<()> {
    let signals = Signals::listen()?;
    let window = Duration::from_secs(if flags.quick { 2 } else { 10 });
    let rounds = flags.rounds.unwrap_or(if flags.quick { 1 } else { 9 });
    let progress = Progress::new();
    let mut workload = workload()?;
    for _ in 0..EXECUTORS {
        let mib = usize::try_from(WORKER_MIB)?;
        workload.start_worker(Task::Requests { mib, every: EVERY, lasting: LASTING })?;
    }
    for _ in 0..EXECUTORS {
        ready(&signals, &workload)?;
    }
    // Until all of them run requests.
    signals.wait(if flags.quick { window } else { EVERY })?;
    let mut measured = Vec::new();
    for round in 0..rounds {
        let step = progress.step(format!("Round {}/{rounds}: attribution", round + 1));
        let first = measure(flags, &workload, &signals, true, window)?;
        measured.push(first.mean(measure(flags, &workload, &signals, false, window)?));
        step.done("measured");
    }
    workload.finish()?;
    let table = table(&measured).context("no round was measured")?;
    print::text("the results", |out| write_text(&setting(rounds, window), &[table], &[], out))
}

/// Measures in one window, and starts the profiler with attribution first or second.
fn measure(
    flags: &AttributionFlags,
    workload: &Workload,
    signals: &Signals,
    is_first: bool,
    window: Duration,
) -> Result<Round> {
    let first = watch(flags, workload, is_first)?;
    let second = watch(flags, workload, !is_first)?;
    signals.wait(window)?;
    let (first, second) = (cpu_of(first)?, cpu_of(second)?);
    let (with, without) = if is_first { (first, second) } else { (second, first) };
    Ok(Round { with, without })
}

fn watch(flags: &AttributionFlags, workload: &Workload, attribution: bool) -> Result<Watcher> {
    let root =
        ProcessIdentity::of(workload.pid()).context("the root of the workload has exited")?;
    // The watcher sets the paths of the files.
    let options = ProfilerOptions {
        attribution,
        ..ProfilerOptions::new(root, PathBuf::new(), PathBuf::new())
    };
    Watcher::profiler(options, &flags.xtask)
}

fn cpu_of(watcher: Watcher) -> Result<Micros> {
    watcher.finish()?.micros_per_sample().context("the profiler took no sample")
}

fn setting(rounds: u32, window: Duration) -> String {
    format!(
        "{EXECUTORS} executors, each with a request of {} ms every {} s; {rounds} rounds of twice \
         {} s, both at the same time",
        LASTING.as_millis(),
        EVERY.as_secs(),
        window.as_secs()
    )
}

fn table(rounds: &[Round]) -> Option<Titled> {
    let cpu = |of: fn(&Round) -> Micros| Spread::of(&rounds.iter().map(of).collect::<Vec<_>>());
    let ratios: Vec<Ratio> =
        rounds.iter().map(|round| Ratio(round.with.0 / round.without.0)).collect();
    let (with, without, ratio) =
        (cpu(|round| round.with)?, cpu(|round| round.without)?, Spread::of(&ratios)?);
    let micros =
        |of: Spread<Micros>| format!("{:.0} us ({:.0} to {:.0})", of.median.0, of.min.0, of.max.0);
    let mut table = Table::new(&["with", "without", "ratio in one round"], 0);
    table.row([
        micros(with),
        micros(without),
        format!("{:.3} ({:.3} to {:.3})", ratio.median.0, ratio.min.0, ratio.max.0),
    ]);
    let title = "CPU time per sample with and without attribution, median (range)".to_owned();
    Some(Titled { title, table })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_single_rounds() {
        let round = |with, without| Round { with: Micros(with), without: Micros(without) };
        let rounds = [round(220.0, 200.0), round(100.0, 100.0), round(480.0, 400.0)];
        let mut text = Vec::new();
        let table = table(&rounds).expect("three rounds");
        write_text("setting", &[table], &[], &mut text).expect("writing to memory cannot fail");
        let text = String::from_utf8(text).expect("output is UTF-8");
        assert!(text.contains("220 us (100 to 480)"), "{text}");
        assert!(text.contains("1.100 (1.000 to 1.200)"), "{text}");
    }
}
