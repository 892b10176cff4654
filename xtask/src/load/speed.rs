//! Measuring how fast this machine is, and what SkyPilot counts of it.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use skyload::environment::CountedMachine;
use skyload::limits::Cpus;
use skyload::plan::Speed;
use skyload::units::gib;
use skyload::usage::Usage;

use crate::signals::Signals;
use crate::sky::SkyInstallation;

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
    let (before, start) = (Usage::of_children().cpu, Instant::now());
    let mut imports = Imports::default();
    for _ in 0..cpus.whole().min(MOST_AT_ONCE) {
        let import = Command::new(python)
            .args(["-c", SCRIPT])
            .env("HOME", home.path())
            .env("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting `{}`", python.display()))?;
        imports.0.push(import);
    }
    let Some(answers) = imports.finish(signals)? else { return Ok(None) };
    let elapsed = start.elapsed();
    let cpu = Usage::of_children().cpu.saturating_sub(before);
    let import = cpu / u32::try_from(answers.len()).unwrap_or(1).max(1);
    Ok(Some(Measured {
        speed: Speed { cpus, import, elapsed },
        counted: answers.first().and_then(|answer| parse(answer)),
    }))
}

/// Imports under way; killed where they are not waited for.
#[derive(Default)]
struct Imports(Vec<Child>);

impl Imports {
    /// Waits for all of them, and returns what they printed; `None` if one failed.
    fn finish(&mut self, signals: &Signals) -> Result<Option<Vec<String>>> {
        let mut answers = Vec::new();
        for import in &mut self.0 {
            let status = loop {
                signals.check()?;
                match import.try_wait().context("waiting for an import of SkyPilot")? {
                    Some(status) => break status,
                    None => std::thread::sleep(Duration::from_millis(10)),
                }
            };
            if !status.success() {
                return Ok(None);
            }
            let mut answer = String::new();
            if let Some(mut output) = import.stdout.take() {
                output.read_to_string(&mut answer).context("reading what SkyPilot counts")?;
            }
            answers.push(answer);
        }
        Ok(Some(answers))
    }
}

impl Drop for Imports {
    fn drop(&mut self) {
        for import in &mut self.0 {
            // Ended already, mostly.
            _ = import.kill();
            _ = import.wait();
        }
    }
}

/// `2 23.5`: CPUs, and memory in units of 1024^3 bytes.
fn parse(answer: &str) -> Option<CountedMachine> {
    let (cpus, memory) = answer.lines().last()?.split_once(' ')?;
    let memory: f64 = memory.parse().ok().filter(|memory: &f64| memory.is_finite())?;
    Some(CountedMachine { cpus: cpus.parse().ok()?, memory: gib(memory) })
}

#[cfg(test)]
mod tests {
    use skyload::units::ByteSize;

    use super::*;

    #[test]
    fn what_skypilot_counts_is_the_last_line_that_it_prints() {
        let counted = CountedMachine { cpus: 2, memory: ByteSize::gib(24) };
        assert_eq!(parse("a warning\n2 24.0\n"), Some(counted));
        assert_eq!(parse("a warning\n"), None);
        assert_eq!(parse(""), None);
    }
}
