//! One run of a prepared plan, from the start of its infra to its report and gate.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use host::progress::Progress;
use skyload::analysis::{Report, Verdict};
use skyload::limits::{MemoryGroups, ServerGroup};
use skyload::record::events::{Event, StopReason};
use skyload::record::{RunDir, write_json};
use skyload::render::series::SeriesFormat;

use super::active::ActiveRun;
use super::credentials;
use super::events::Events;
use super::infra::Infra;
use super::kills::KillWatch;
use super::monitor::Monitor;
use super::prepare;
use super::prepared::{Coordinator, Prepared};
use super::repeat::RunSet;
use super::scraper::Scraper;
use super::served;
use super::{phases, remote};
use crate::commands::report;
use crate::nextest::Tests;
use crate::profiler::ProfilerProcess;
use crate::server::{self, ServerSession, StatedSize, StopOutcome};

/// Run that has ended, with its report.
pub(crate) struct SingleRun {
    pub(crate) run: RunDir,
    pub(crate) report: Report,
    /// Agreement of gate and verdict, which judge the same report.
    pub(crate) gate: Result<()>,
}

/// Runs a prepared plan once, as the next run of a set. Results go to a directory of their own
/// below `out`, with the series in a format that was asked for.
pub(crate) fn run(
    prepared: &Prepared<'_>,
    tests: &Tests,
    set: &RunSet,
    out: &Path,
    series: Option<SeriesFormat>,
) -> Result<SingleRun> {
    let Prepared { coordinator, request, plan, sky, .. } = prepared;
    let Coordinator { workspace, signals, progress, live } = *coordinator;
    let infra = Infra::start(plan, workspace, sky, signals, progress)?;
    let run = prepare::run_dir(out, request, plan, set, progress)?;
    if let Some(Err(error)) = live.map(|live| live.follow(&run)) {
        // No error of the run, which has a report.
        progress.note(format!("The live page does not show the run: {error:#}"));
    }
    let context = server::Context {
        plan,
        run: &run,
        workspace,
        sky,
        counted: prepared.counted,
        signals,
        progress,
        yes: request.yes,
        setup: infra.server_setup(),
        copies_credentials: request.copy_credentials,
        metrics_login: credentials::metrics_login(request),
        credentials: prepared.credentials.clone(),
        traced: None,
    };
    measure(&context, infra, tests).with_context(|| format!("run {} has no result", run.id()))?;

    let report = report::assemble(&run, workspace, series)?;
    let gate = gate(tests, &run, &report, progress)?;
    if let Some(live) = live {
        live.conclude(&run, &report);
    }
    Ok(SingleRun { run, report, gate })
}

/// Starts the server, measures it through all phases, and stops it.
fn measure(context: &server::Context<'_>, infra: Infra, tests: &Tests) -> Result<()> {
    let (plan, run, progress) = (context.plan, context.run, context.progress);
    let mut events = Events::open(run)?;
    events.note(Event::Began)?;
    let began = events.now();
    let groups = MemoryGroups::here();
    // The kernel counts since the creation of the control group, not of the run.
    let kills_before = groups.oom_kills();
    let server = ServerSession::begin(context)?;
    write_json(
        &run.environment(),
        &prepare::environment(context, &server, infra.modifications())?,
    )?;
    // Before the infra is checked: with a cloud, no later request may need as much memory as that.
    let profiler = server
        .addresses
        .map(|addresses| ProfilerProcess::spawn(&prepare::profiler(run, plan, &server, addresses)))
        .transpose()?;
    infra.check(context)?;
    let scraper = match (&server.metrics, &plan.server_metrics) {
        (Some(url), Some(metrics)) => {
            let credentials = context.metrics_credentials(url);
            Some(Scraper::begin(run, url, &credentials, metrics.interval)?)
        }
        _ => None,
    };
    let group = server.stated_size().and_then(StatedSize::group);
    let kills = KillWatch::new(group, began);
    let mut active = ActiveRun {
        plan,
        directory: run,
        tests,
        credentials: &context.credentials,
        progress,
        nodes_persist: infra.persists(),
        scraper,
        monitor: Monitor::new(context.signals, &server, profiler, events, run, kills, progress),
    };
    // No `?` before the end: measurements until an error are still reported.
    let measured = phases::run(&mut active);
    let stopped = active.monitor.stopped();
    finish_scraper(active.scraper, stopped, context);
    let Monitor { profiler, mut events, kills, .. } = active.monitor;
    let profiled = match plan.is_remote() {
        true => remote::fetch_profile(context, stopped, &mut events),
        false => profiler.map_or(Ok(()), ProfilerProcess::finish),
    };
    let counted = kills.finish(&mut events)?;
    if let Some(stated) = server.stated_size() {
        // Before the stop, which removes the group.
        stated.write(run, group.map(ServerGroup::figures))?;
    }
    served::record(context, stopped);
    if let Some(processes) = new_oom_kills(&groups, kills_before, counted) {
        events.note(Event::KilledForMemory { processes, limit: groups.limit() })?;
    }
    // A Ctrl-C so far has ended the load. Another one from here on shortens the stop.
    context.signals.acknowledge();
    let step = progress.step("Stopping the server");
    let outcome =
        server.finish(plan.keep_server, context.signals).context("stopping the server")?;
    step.done(if plan.keep_server { "kept running" } else { "done" });
    match outcome {
        StopOutcome::Stopped(leaked_processes) => {
            events.note(Event::LeakedProcesses(leaked_processes))?
        }
        StopOutcome::NoStop => {}
        StopOutcome::StopFailed(error) => {
            progress.note(format!("`sky api stop` failed, skyload killed the server: {error:#}"));
        }
    }
    // After the server's stop: jobs that are still queued now are leaked by SkyPilot.
    let left = infra.finish(run)?;
    if !left.is_empty() {
        events.note(Event::LeftInQueue(left))?;
    }
    events.note(Event::Ended)?;
    measured?;
    if let Err(error) = profiled {
        // No error of the run: the report judges the profile by its files.
        progress.note(format!("The profile is incomplete: {error:#}"));
    }
    Ok(run.write_checksums()?)
}

/// Ends the reading of the server's metrics. An error is no error of the run, whose report says
/// what is missing.
fn finish_scraper(
    scraper: Option<Scraper>,
    stopped: Option<StopReason>,
    context: &server::Context<'_>,
) {
    let Some(scraper) = scraper else { return };
    // A run that was stopped early should end soon. A breach has ended the load as its time would.
    if !matches!(stopped, None | Some(StopReason::Breach)) {
        if let Err(error) = scraper.stop() {
            context.progress.note(format!("The server's metrics are incomplete: {error:#}"));
        }
        return;
    }
    let step = context.progress.step("Waiting for the server's metrics of the load (up to 45 s)");
    match scraper.finish(context.signals) {
        Ok(()) => step.done("done"),
        Err(error) => step.done(format!("failed: {error:#}")),
    }
}

/// Number of processes in the run's control group that the kernel killed for lack of memory since
/// there were `before`, without those in the server's control group, which have events of their
/// own; `None` if there are none, or if the kernel does not count them.
fn new_oom_kills(groups: &MemoryGroups, before: Option<u64>, counted: u64) -> Option<u64> {
    let processes = groups.oom_kills()?.checked_sub(before?)?.checked_sub(counted)?;
    Some(processes).filter(|processes| *processes > 0)
}

/// Runs the gate and shows its lines. The inner result is an error if the gate and the verdict,
/// which judge the same report, disagree.
fn gate(tests: &Tests, run: &RunDir, report: &Report, progress: Progress) -> Result<Result<()>> {
    let (passed, lines) = tests.run_gate(report, run)?;
    // Lines of passed cases only repeat the report.
    let is_shown = |line: &str| progress.is_verbose() || line.trim_start().starts_with("FAIL");
    for line in lines.iter().filter(|line| is_shown(line)) {
        progress.note(format!("gate: {line}"));
    }
    let verdict = report.verdict;
    let agreement = || {
        ensure!(
            passed == (verdict == Verdict::Pass),
            "the gate {} although the verdict is {}\n  hint: see {}",
            if passed { "passed" } else { "failed" },
            verdict.name(),
            run.gate_log().display()
        );
        Ok(())
    };
    Ok(agreement())
}
