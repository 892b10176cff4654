//! CPU time and peak memory of a whole process, measured by a small wrapper process.
//!
//! The kernel reports the peak of a process's largest child only, and the sum of the CPU time of
//! all of them. The wrapper therefore runs one child, and reports what getrusage(2) says of it.
//!
//! Until a child executes its program, the kernel counts the memory of its parent as the child's.
//! The peak of a child that is smaller than the wrapper is therefore its high-water mark (VmHWM)
//! as last read while it ran.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use fake_sky::procfs::Process;
use fake_sky::title::THIS_PROGRAM;
use host::print;
use host::process::child::OwnedChild;
use host::process::command::output;
use serde::{Deserialize, Serialize};
use skyload::poll;
use skyload::units::{self, ByteSize};
use skyload::usage::Usage;

use crate::flags::MeasureFlags;

/// Interval at which the high-water mark of the process is read.
const READING_INTERVAL: Duration = Duration::from_millis(10);

/// Use of resources by a process from its start to its exit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProcessCost {
    /// CPU time, user and system, in seconds.
    #[serde(with = "units::seconds")]
    pub(crate) cpu: Duration,
    /// Peak RSS.
    pub(crate) peak: ByteSize,
}

/// Process that has exited successfully.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Measured {
    pub(crate) cost: ProcessCost,
    /// Standard output.
    pub(crate) output: String,
}

/// Command that runs `program` under the wrapper. Arguments and variables that are added to it are
/// those of the program.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg("measure").arg(program);
    command
}

/// Runs a command that [`command`] began, until it exits or this process is interrupted.
pub(crate) fn run(mut command: Command) -> Result<Measured> {
    let output = output(&mut command)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("the process failed ({}):\n{}", output.status, stderr.trim_end());
    }
    serde_json::from_slice(&output.stdout).context("reading the measurement of a process")
}

/// Runs the wrapper: its child until the exit, then prints the measurement.
pub(crate) fn run_wrapper(flags: &MeasureFlags) -> Result<()> {
    let [program, arguments @ ..] = flags.command.as_slice() else {
        bail!("expected a program to measure");
    };
    let measured = measure(Command::new(program).args(arguments))
        .with_context(|| format!("running `{}`", program.display()))?;
    let measured =
        serde_json::to_string(&measured).context("writing the measurement of a process")?;
    print::text("the measurement of a process", |out| writeln!(out, "{measured}"))
}

/// Runs the first and only child of this process, with the standard error of this process.
fn measure(command: &mut Command) -> Result<Measured> {
    let mut child = OwnedChild::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))
        .context("starting the process")?;
    let mut output = child.take_output().context("the output of the process is not piped")?;
    // In a thread, so that a full pipe never blocks the child.
    let output = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let process = Process::look_up(child.pid());
    let mut high_water_mark = None;
    let status = poll::until(READING_INTERVAL, || {
        // A process that has exited has no memory to read.
        let read = process.as_ref().and_then(|process| process.memory_kib("VmHWM"));
        high_water_mark = read.or(high_water_mark);
        child.status()
    });
    let status = status.context("waiting for the process")?;
    ensure!(status.success(), "the process failed ({status})");
    let output = output.join().map_err(|_| anyhow!("the reader of the output panicked"))?;
    let (usage, own) = (Usage::of_children(), Usage::own().peak);
    let read = high_water_mark.map(|kib| ByteSize(kib << 10));
    let peak = if usage.peak > own { Some(usage.peak) } else { read };
    let peak = peak.context("the process exited before its memory was read")?;
    let cost = ProcessCost { cpu: usage.cpu, peak };
    Ok(Measured { cost, output: output.context("reading the output of the process")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Measured> {
        measure(Command::new("/bin/sh").args(["-c", script]))
    }

    #[test]
    fn a_process_smaller_than_the_wrapper_has_its_own_peak() {
        let measured = shell("echo done; exec sleep 0.2").unwrap();
        assert_eq!(measured.output, "done\n");
        assert!(measured.cost.peak < Usage::own().peak, "{measured:?}");
    }

    #[test]
    fn a_process_that_fails_has_no_measurement() {
        let error = shell("exit 3").unwrap_err().to_string();
        assert_eq!(error, "the process failed (exit status: 3)");
    }
}
