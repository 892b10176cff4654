//! Measuring how fast this machine is, and what SkyPilot counts of it.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use skyload::environment::CountedMachine;
use skyload::limits::Cpus;
use skyload::plan::Speed;
use skyload::units::gib;
use skyload::usage::Usage;

use crate::child::{self, Ran};
use crate::environment::{Environment, For};
use crate::signals::Signals;
use crate::sky::SkyInstallation;

/// An import that takes longer is not waited for: nobody can say how long the plan takes.
const WITHIN: Duration = Duration::from_secs(180);

/// Imports that run at once, at the most: one on each CPU shows what other processes take,
/// and so many show it on a machine of many CPUs.
const MOST_AT_ONCE: usize = 4;

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
pub(super) struct Measured {
    pub(super) speed: Speed,
    /// `None` for releases that do not say.
    pub(super) counted: Option<CountedMachine>,
}

/// Times imports, one on each CPU. `None` for a program that isn't Python, or where they
/// fail: what is wrong with it will be said when it is started.
pub(super) fn measure(sky: &SkyInstallation, signals: &Signals) -> Result<Option<Measured>> {
    let Some(python) = &sky.python else { return Ok(None) };
    let home = tempfile::tempdir().context("making a temporary home")?;
    let cpus = Cpus::here();
    let at_once = cpus.whole().min(MOST_AT_ONCE);
    let (before, start) = (Usage::of_children().cpu, Instant::now());
    let answers = thread::scope(|scope| -> Result<Vec<Option<String>>> {
        let imports: Vec<_> =
            (0..at_once).map(|_| scope.spawn(|| import(python, home.path(), signals))).collect();
        imports
            .into_iter()
            .map(|import| import.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })?;
    let elapsed = start.elapsed();
    signals.check()?;
    let Some(answers) = answers.into_iter().collect::<Option<Vec<String>>>() else {
        return Ok(None);
    };
    let cpu = Usage::of_children().cpu.saturating_sub(before);
    let import = cpu / u32::try_from(at_once).unwrap_or(u32::MAX);
    Ok(Some(Measured {
        speed: Speed { cpus, import, elapsed },
        counted: answers.first().and_then(|answer| parse(answer)),
    }))
}

/// What one import printed; `None` where it failed.
fn import(python: &Path, home: &Path, signals: &Signals) -> Result<Option<String>> {
    let mut command = Command::new(python);
    Environment::of(For::SkyPilot).apply(&mut command);
    command
        .args(["-c", SCRIPT])
        .env("HOME", home)
        .env("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
        .current_dir(home);
    let ran = child::run(&mut command, WITHIN, || signals.interrupted())
        .with_context(|| format!("running `{}`", python.display()))?;
    Ok(match ran {
        Ran::Ended(status, output) if status.success() => {
            Some(String::from_utf8_lossy(&output).into_owned())
        }
        Ran::Ended(..) | Ran::TimedOut(_) | Ran::Interrupted => None,
    })
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
}
