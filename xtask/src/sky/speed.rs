//! Speed of this machine, and its CPUs and memory as SkyPilot counts them.

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

use super::{SkyEnvironment, SkyInstallation};

/// Time limit of an import.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Maximum number of concurrent imports. One on each CPU shows how much other processes use;
/// on a machine with many CPUs four are enough.
const MAX_CONCURRENCY: usize = 4;

/// Script that imports SkyPilot, then prints the CPUs and GiB of memory by which SkyPilot sizes
/// its workers.
const SCRIPT: &str = "import sky
try:
    from sky.utils import common_utils
    print(common_utils.get_cpu_count(), common_utils.get_mem_size_gb())
except Exception:
    pass
";

/// Measurements of a machine before a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) speed: Speed,
    /// CPUs and memory as SkyPilot counts them; `None` for releases without these functions.
    pub(crate) counted: Option<CountedMachine>,
}

/// Times imports of SkyPilot, one on each CPU. `None` for a program that is not a Python script,
/// or if an import fails: the server's start will report the cause. An import that times out
/// still gives a lower bound of the time.
pub(crate) fn measure(
    sky: &SkyInstallation,
    environment: SkyEnvironment,
    signals: &Signals,
    progress: Progress,
) -> Result<Option<Measured>> {
    let Some(python) = &sky.python else { return Ok(None) };
    let home = tempfile::tempdir().context("making a temporary home")?;
    let cpus = Cpus::here();
    let concurrency = cpus.whole().min(MAX_CONCURRENCY);
    let step = progress.step("Timing an import of sky");
    let (before, busy, start) = (Usage::of_children().cpu, busy(cpus), Instant::now());
    let imports = thread::scope(|scope| -> Result<Vec<Import>> {
        let import = || import(python, home.path(), environment, signals);
        let threads: Vec<_> = (0..concurrency).map(|_| scope.spawn(import)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })?;
    let elapsed = start.elapsed();
    signals.check()?;
    let own = Usage::of_children().cpu.saturating_sub(before);
    if imports.contains(&Import::Failed) {
        step.done("failed; machine speed unknown");
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
    let counted = imports.iter().find_map(|import| match import {
        Import::Done(output) => parse(output),
        Import::Failed | Import::TimedOut => None,
    });
    Ok(Some(Measured { speed, counted }))
}

/// Result of one import.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Import {
    /// Output of a completed import.
    Done(String),
    TimedOut,
    Failed,
}

fn import(
    python: &Path,
    home: &Path,
    environment: SkyEnvironment,
    signals: &Signals,
) -> Result<Import> {
    let mut command = Command::new(python);
    match environment {
        SkyEnvironment::Filtered => Environment::of(For::SkyPilot).apply(&mut command),
        SkyEnvironment::Shell => {}
    }
    command.args(["-c", SCRIPT]).env("HOME", home).env(env::NO_USAGE, "1").current_dir(home);
    let ran = command::run(&mut command, TIMEOUT, || signals.interrupted())
        .with_context(|| format!("running `{}`", python.display()))?;
    Ok(match ran {
        Ran::Ended(status, output) if status.success() => {
            Import::Done(String::from_utf8_lossy(&output).into_owned())
        }
        Ran::TimedOut(_) => Import::TimedOut,
        // After an interruption, the caller ends with `Signals::check`.
        Ran::Ended(..) | Ran::Interrupted => Import::Failed,
    })
}

/// Number of CPUs that other processes used on average since `before`; `own` is the CPU time of
/// the imports.
fn others(before: Duration, cpus: Cpus, own: Duration, elapsed: Duration) -> Option<f64> {
    let used = busy(cpus)?.saturating_sub(before).saturating_sub(own);
    let average = used.as_secs_f64() / elapsed.as_secs_f64();
    average.is_finite().then_some(average)
}

/// CPU time of all processes of this machine since boot. `None` if the kernel counts more CPUs
/// than this process may use: their share cannot be told apart.
fn busy(cpus: Cpus) -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    (cpus.allowed == cpus_of(&text)).then(|| busy_of(&text))?
}

/// Number of CPUs in `/proc/stat`.
fn cpus_of(stat: &str) -> usize {
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    stat.lines().filter(is_cpu).count()
}

/// CPU time in the first line of `/proc/stat` (`proc(5)`): user, nice, system, idle, iowait, irq,
/// softirq, steal, in clock ticks. Idle and iowait do not count.
fn busy_of(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    // The figures of guests, which follow, are parts of user and nice.
    let busy = total([0, 1, 2, 5, 6, 7].iter().filter_map(|index| ticks.get(*index)).copied());
    #[expect(clippy::cast_precision_loss, reason = "ticks since the start of a machine")]
    let seconds = busy as f64 / rustix::param::clock_ticks_per_second() as f64;
    Duration::try_from_secs_f64(seconds).ok()
}

/// CPUs and GiB of memory in a line such as `2 23.5`, the last one of the script's output:
/// SkyPilot may print warnings.
fn parse(output: &str) -> Option<CountedMachine> {
    let counted = |line: &str| {
        let (cpus, memory) = line.split_once(' ')?;
        let memory: f64 = memory.parse().ok().filter(|memory: &f64| memory.is_finite())?;
        Some(CountedMachine { cpus: cpus.parse().ok()?, memory: gib(memory) })
    };
    output.lines().rev().find_map(counted)
}

#[cfg(test)]
mod tests {
    use skyload::units::ByteSize;

    use super::*;

    #[test]
    fn counted_cpus_and_memory_are_found_among_warnings() {
        let counted = CountedMachine { cpus: 2, memory: ByteSize::gib(24) };
        assert_eq!(parse("a warning\n2 24.0\nand one more\n"), Some(counted));
        assert_eq!(parse("a warning\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn idle_and_iowait_are_not_busy() {
        let stat = "cpu  100 10 50 9000 400 5 5 30 7 0\ncpu0 50 5\ncpu1 50 5\nintr 1 2\n";
        let ticks = rustix::param::clock_ticks_per_second();
        #[expect(clippy::cast_precision_loss, reason = "100 on Linux")]
        let expected = Duration::from_secs_f64(200.0 / ticks as f64);
        assert_eq!(busy_of(stat), Some(expected));
        assert_eq!(cpus_of(stat), 2);
        assert_eq!(busy_of("cpu  1 x\n"), None);
    }
}
