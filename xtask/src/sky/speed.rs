//! Measuring how fast this machine is, and what SkyPilot counts of it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::environment::{Environment, For};
use host::process::command::{self, Ran};
use host::progress::Progress;
use host::signals::Signals;
use skyload::env;
use skyload::limits::Cpus;
use skyload::plan::Speed;
use skyload::record::environment::CountedMachine;
use skyload::units::{gib, total};
use skyload::usage::Usage;

use super::{SkyInstallation, Whose};

/// An import that takes longer is not waited for: nobody can say how long the plan takes.
const WITHIN: Duration = Duration::from_secs(180);

/// Imports that run at once, at the most: one on each CPU shows what other processes take,
/// and so many show it on a machine of many CPUs.
const MAX_CONCURRENCY: usize = 4;

/// Imports SkyPilot, then says how many CPUs and how much memory it sizes its workers by.
const SCRIPT: &str = "import sky
try:
    from sky.utils import common_utils
    print(common_utils.get_cpu_count(), common_utils.get_mem_size_gb())
except Exception:
    pass
";

/// What was measured of a machine before a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) speed: Speed,
    /// `None` for releases that do not say.
    pub(crate) counted: Option<CountedMachine>,
}

/// Times imports, one on each CPU. `None` for a program that isn't Python, or where they
/// fail: what is wrong with it will be said when it is started. One that does not end says
/// how slow the machine is at least.
pub(crate) fn measure(
    sky: &SkyInstallation,
    whose: Whose,
    signals: &Signals,
    progress: Progress,
) -> Result<Option<Measured>> {
    let Some(python) = &sky.python else { return Ok(None) };
    let home = tempfile::tempdir().context("making a temporary home")?;
    let cpus = Cpus::here();
    let concurrency = cpus.whole().min(MAX_CONCURRENCY);
    let step = progress.step("Timing an import of sky");
    let (before, busy, start) = (Usage::of_children().cpu, busy(cpus), Instant::now());
    let answers = thread::scope(|scope| -> Result<Vec<Import>> {
        let import = || import(python, home.path(), whose, signals);
        let imports: Vec<_> = (0..concurrency).map(|_| scope.spawn(import)).collect();
        imports
            .into_iter()
            .map(|import| import.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })?;
    let elapsed = start.elapsed();
    signals.check()?;
    let own = Usage::of_children().cpu.saturating_sub(before);
    if answers.contains(&Import::Failed) {
        step.done("it failed, so nothing is known of this machine's speed");
        return Ok(None);
    }
    let speed = Speed {
        cpus,
        import: own / u32::try_from(concurrency).unwrap_or(u32::MAX),
        elapsed,
        concurrency,
        others: busy.and_then(|before| others(before, cpus, own, elapsed)),
    };
    let (import, free) = (speed.import.as_secs_f64(), speed.effective_cpus());
    step.done(format!("{import:.1} CPU-s; {free:.1} of {cpus} CPUs are free"));
    let counted = answers.iter().find_map(|answer| match answer {
        Import::Done(printed) => parse(printed),
        Import::Failed | Import::TimedOut => None,
    });
    Ok(Some(Measured { speed, counted }))
}

/// What became of one import.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Import {
    /// It ended, and printed this.
    Done(String),
    /// It was given up.
    TimedOut,
    Failed,
}

fn import(python: &Path, home: &Path, whose: Whose, signals: &Signals) -> Result<Import> {
    let mut command = Command::new(python);
    match whose {
        Whose::Ours => Environment::of(For::SkyPilot).apply(&mut command),
        Whose::Users => {}
    }
    command.args(["-c", SCRIPT]).env("HOME", home).env(env::NO_USAGE, "1").current_dir(home);
    let ran = command::run(&mut command, WITHIN, || signals.interrupted())
        .with_context(|| format!("running `{}`", python.display()))?;
    Ok(match ran {
        Ran::Ended(status, output) if status.success() => {
            Import::Done(String::from_utf8_lossy(&output).into_owned())
        }
        Ran::TimedOut(_) => Import::TimedOut,
        Ran::Ended(..) | Ran::Interrupted => Import::Failed,
    })
}

/// CPUs that processes other than ours have used since `before`.
fn others(before: Duration, cpus: Cpus, own: Duration, elapsed: Duration) -> Option<f64> {
    let used = busy(cpus)?.saturating_sub(before).saturating_sub(own);
    let taken = used.as_secs_f64() / elapsed.as_secs_f64();
    taken.is_finite().then_some(taken)
}

/// CPU time that all processes of this machine have used since it was started; `None` where
/// that is of more CPUs than ours.
fn busy(cpus: Cpus) -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    (cpus.allowed == cpus_of(&text)).then(|| busy_of(&text))?
}

fn cpus_of(stat: &str) -> usize {
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(is_cpu).count()
}

/// The first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait, irq, softirq,
/// steal, in clock ticks.
fn busy_of(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let busy = total([0, 1, 2, 5, 6, 7].iter().filter_map(|index| ticks.get(*index)).copied());
    #[expect(clippy::cast_precision_loss, reason = "ticks since the start of a machine")]
    let seconds = busy as f64 / rustix::param::clock_ticks_per_second() as f64;
    Duration::try_from_secs_f64(seconds).ok()
}

/// `2 23.5`: CPUs, and memory in units of 1024^3 bytes.
fn parse(answer: &str) -> Option<CountedMachine> {
    let counted = |line: &str| {
        let (cpus, memory) = line.split_once(' ')?;
        let memory: f64 = memory.parse().ok().filter(|memory: &f64| memory.is_finite())?;
        Some(CountedMachine { cpus: cpus.parse().ok()?, memory: gib(memory) })
    };
    answer.lines().rev().find_map(counted)
}

#[cfg(test)]
mod tests {
    use skyload::units::ByteSize;

    use super::*;

    #[test]
    fn what_skypilot_counts_is_found_among_its_warnings() {
        let counted = CountedMachine { cpus: 2, memory: ByteSize::gib(24) };
        assert_eq!(parse("a warning\n2 24.0\nand one more\n"), Some(counted));
        assert_eq!(parse("a warning\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_waits_is_not_busy() {
        let stat = "cpu  100 10 50 9000 400 5 5 30 7 0\ncpu0 50 5\ncpu1 50 5\nintr 1 2\n";
        let ticks = rustix::param::clock_ticks_per_second();
        #[expect(clippy::cast_precision_loss, reason = "it is 100")]
        let expected = Duration::from_secs_f64(200.0 / ticks as f64);
        assert_eq!(busy_of(stat), Some(expected));
        assert_eq!(cpus_of(stat), 2);
        assert_eq!(busy_of("cpu  1 x\n"), None);
    }
}
