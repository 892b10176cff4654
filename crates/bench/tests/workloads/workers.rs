//! Behavior of the workers: tasks, reports, and lifetime.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bench::workload::{ARGUMENT, Report, Task, Workload};
use fake_sky::procfs::{self, Process};
use skyload::poll::{Probe, wait_until};

use super::{PROGRAM, workload};

const TIMEOUT: Duration = Duration::from_secs(20);

fn report(workload: &Workload) -> anyhow::Result<Report> {
    workload.report_within(TIMEOUT)?.context("no report of a worker in 20 s")
}

fn ready(workload: &Workload) -> anyhow::Result<Process> {
    match report(workload)? {
        Report::Ready { pid } => Process::look_up(pid).context("the worker has exited"),
        report @ Report::Peak { .. } => anyhow::bail!("expected the report ready, got {report:?}"),
    }
}

fn peak(workload: &Workload) -> anyhow::Result<(u32, u64)> {
    match report(workload)? {
        Report::Peak { pid, kib } => Ok((pid, kib)),
        report @ Report::Ready { .. } => anyhow::bail!("expected the report peak, got {report:?}"),
    }
}

/// Waits until `is_reached` returns true; until then the state is `state`, for the error.
fn wait_for(state: &str, is_reached: impl Fn() -> bool) -> anyhow::Result<()> {
    let probe = || if is_reached() { Probe::Ready(()) } else { Probe::NotYet(state.to_owned()) };
    Ok(wait_until(TIMEOUT, Duration::from_millis(10), probe)?)
}

#[test]
fn an_idle_worker_looks_like_an_executor_below_the_root() -> anyhow::Result<()> {
    let mut workload = workload()?;
    workload.start_worker(Task::Idle { mib: 30 })?;
    let worker = ready(&workload)?;
    assert_eq!(worker.command_line, format!("SkyPilot:executor:short:{}", worker.pid));
    assert_eq!(worker.parent, workload.pid());
    let resident = worker.memory_kib("VmRSS").context("the worker has exited")?;
    assert!(resident.abs_diff(30 << 10) < 4 << 10, "{resident} KiB");
    let threads = std::fs::read_dir(format!("/proc/{}/task", worker.pid))?.count();
    assert!(threads > 1, "{threads}");
    workload.finish()
}

#[test]
fn a_spike_is_over_when_its_worker_reports_the_high_water_mark() -> anyhow::Result<()> {
    let mut workload = workload()?;
    let moment = Duration::from_millis(41);
    workload.start_worker(Task::Spike { mib: 100, after: moment, lasting: moment })?;
    let worker = ready(&workload)?;
    let (pid, kib) = peak(&workload)?;
    assert_eq!(pid, worker.pid);
    assert!(kib.abs_diff(120 << 10) < 4 << 10, "{kib} KiB");
    // The worker still runs. A later reading of VmHWM may differ by some pages, since the
    // kernel's counters are approximate.
    let peak = worker.memory_kib("VmHWM").context("the worker has exited")?;
    assert!(peak.abs_diff(kib) < 512, "{peak} and {kib} KiB");
    assert!(worker.memory_kib("VmRSS").is_some_and(|now| now < 40 << 10));
    workload.finish()
}

#[test]
fn a_brief_worker_reports_its_peak_and_is_reaped() -> anyhow::Result<()> {
    let mut workload = workload()?;
    workload.start_worker(Task::Brief { mib: 60, lasting: Duration::from_millis(100) })?;
    let (pid, kib) = peak(&workload)?;
    assert!(kib.abs_diff(60 << 10) < 4 << 10, "{kib} KiB");
    wait_for("the worker is not reaped", || !Path::new(&format!("/proc/{pid}")).exists())?;
    workload.finish()
}

#[test]
fn no_worker_outlives_its_workload_even_if_that_is_killed() -> anyhow::Result<()> {
    for is_killed in [false, true] {
        let mut workload = workload()?;
        workload.start_worker(Task::Idle { mib: 10 })?;
        let worker = ready(&workload)?;
        if is_killed {
            procfs::kill_hard(workload.pid());
        }
        drop(workload);
        wait_for("the worker still runs", || Process::look_up(worker.pid).is_none())?;
    }
    Ok(())
}

#[test]
fn an_unknown_task_ends_a_workload_with_an_error() -> anyhow::Result<()> {
    let mut child = std::process::Command::new(PROGRAM)
        .arg(ARGUMENT)
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let mut tasks = child.stdin.take().context("stdin is not piped")?;
    std::io::Write::write_all(&mut tasks, b"dance\n")?;
    let output = child.wait_with_output()?;
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("expected a task (idle, spike, brief or requests), got `dance`"),
        "{stderr}"
    );
    Ok(())
}
