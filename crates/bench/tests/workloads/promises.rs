//! Workers do what they were told, and tell the truth about it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bench::workload::{ARGUMENT, Report, Task, Workload};
use fake_sky::procfs::{self, Process};
use skyload::poll::{Probe, wait_until};

use super::{PROGRAM, workload};

const PATIENCE: Duration = Duration::from_secs(20);

fn report(workload: &Workload) -> anyhow::Result<Report> {
    workload.report_within(PATIENCE)?.context("the workload is silent")
}

fn ready(workload: &Workload) -> anyhow::Result<Process> {
    let Report::Ready { pid } = report(workload)? else { anyhow::bail!("it is ready first") };
    Process::look_up(pid).context("it lives")
}

fn peak(workload: &Workload) -> anyhow::Result<(u32, u64)> {
    match report(workload)? {
        Report::Peak { pid, kib } => Ok((pid, kib)),
        report @ Report::Ready { .. } => anyhow::bail!("{report:?} is no peak"),
    }
}

/// Waits for something that is bound to happen soon.
fn soon(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let probe = || if is_so() { Probe::Ready(()) } else { Probe::NotYet(what.to_owned()) };
    Ok(wait_until(PATIENCE, Duration::from_millis(10), probe)?)
}

#[test]
fn an_idle_worker_looks_like_an_executor_below_the_root() -> anyhow::Result<()> {
    let mut workload = workload()?;
    workload.order(Task::Idle { mib: 30 })?;
    let worker = ready(&workload)?;
    assert_eq!(worker.command_line, format!("SkyPilot:executor:short:{}", worker.pid));
    assert_eq!(worker.parent, workload.pid());
    let held = worker.memory_kib("VmRSS").context("it holds memory")?;
    assert!(held.abs_diff(30 << 10) < 4 << 10, "{held} KiB");
    let threads = std::fs::read_dir(format!("/proc/{}/task", worker.pid))?.count();
    assert!(threads > 1, "{threads}");
    workload.finish()
}

#[test]
fn the_truth_about_a_spike_is_the_kernels_mark_and_the_spike_is_over() -> anyhow::Result<()> {
    let mut workload = workload()?;
    let moment = Duration::from_millis(41);
    workload.order(Task::Spike { mib: 100, after: moment, lasting: moment })?;
    let worker = ready(&workload)?;
    let (pid, kib) = peak(&workload)?;
    assert_eq!(pid, worker.pid);
    assert!(kib.abs_diff(120 << 10) < 4 << 10, "{kib} KiB");
    // It lives on; the kernel corrects its mark by some pages when it is asked.
    let mark = worker.memory_kib("VmHWM").context("it lives on")?;
    assert!(mark.abs_diff(kib) < 512, "{mark} and {kib} KiB");
    assert!(worker.memory_kib("VmRSS").is_some_and(|now| now < 40 << 10));
    workload.finish()
}

#[test]
fn a_brief_worker_tells_its_peak_and_is_gone_and_reaped() -> anyhow::Result<()> {
    let mut workload = workload()?;
    workload.order(Task::Brief { mib: 60, lasting: Duration::from_millis(100) })?;
    let (pid, kib) = peak(&workload)?;
    assert!(kib.abs_diff(60 << 10) < 4 << 10, "{kib} KiB");
    soon("it is not reaped", || !Path::new(&format!("/proc/{pid}")).exists())?;
    workload.finish()
}

#[test]
fn no_worker_outlives_its_workload_however_that_ends() -> anyhow::Result<()> {
    for is_killed in [false, true] {
        let mut workload = workload()?;
        workload.order(Task::Idle { mib: 10 })?;
        let worker = ready(&workload)?;
        if is_killed {
            procfs::kill_hard(workload.pid());
        }
        drop(workload);
        soon("it lives on", || Process::look_up(worker.pid).is_none())?;
    }
    Ok(())
}

#[test]
fn a_workload_that_is_told_nonsense_ends_with_an_error() -> anyhow::Result<()> {
    let mut child = std::process::Command::new(PROGRAM)
        .arg(ARGUMENT)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut orders = child.stdin.take().context("it is piped")?;
    std::io::Write::write_all(&mut orders, b"dance\n")?;
    let output = child.wait_with_output()?;
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("`dance` is not an order to a workload"), "{words}");
    Ok(())
}
