//! `cargo xtask load`: the sequence of a run.
//!
//! Resolve the plan; build and install; start the infra; restart the server; profile the server
//! through baseline, setup, load, teardown and cooldown; stop the server; write the report and
//! run the gate. Processes are owned by guards that stop them on drop, so that no error path
//! leaks any.

mod active;
mod confirm;
mod credentials;
mod events;
mod infra;
mod inputs;
mod monitor;
mod paths;
mod phases;
mod prepare;
mod remote;
mod resources;
mod scenarios;
mod scraper;
mod settle;

use anyhow::{Context as _, Result, ensure};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::analysis::{Report, Verdict};
use skyload::limits::MemoryGroups;
use skyload::plan::LoadPlan;
use skyload::record::events::{Event, StopReason};
use skyload::record::{RunDir, write_json};

use crate::commands::report;
use crate::flags;
use crate::github;
use crate::nextest::Tests;
use crate::profiler::ProfilerProcess;
use crate::server::{self, ServerSession, StopOutcome};
use crate::sky::{SkyEnvironment, SkyInstallation, speed};
use crate::tools;
use active::ActiveRun;
use events::Events;
use infra::Infra;
use inputs::Inputs;
use monitor::Monitor;
pub(crate) use paths::catalog_error;
pub(crate) use prepare::machine;
use scraper::Scraper;

pub(crate) fn run(flags: flags::Load) -> Result<Verdict> {
    let flags::Load { request, results } = flags;
    let workspace = Workspace::locate()?;
    let inputs = Inputs::read(request, &workspace)?;
    let plan = inputs.check()?;
    // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
    confirm::confirm(&plan, inputs.request.yes, Progress::new())?;
    let signals = Signals::listen()?;
    signals.mark_interrupted(run_plan(inputs, &plan, &results, &workspace, &signals))
}

fn run_plan(
    inputs: Inputs,
    plan: &LoadPlan,
    results: &flags::Results,
    workspace: &Workspace,
    signals: &Signals,
) -> Result<Verdict> {
    let progress = Progress::new().verbose(results.output.verbose);
    let credentials = inputs.credentials.for_server(&inputs.request, plan)?;
    credentials::warn_of_login(&inputs.request, plan, progress);
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = workspace.lock()?;
    server::clean_up_after_dead_runs(workspace, true, progress)?;
    loopback::clean_up_after_dead_runs(workspace, progress)?;

    let nextest = tools::nextest::find_or_install(&workspace.state, &progress)?;
    signals.check()?;
    let step = progress.step("Building the scenarios");
    let tests = Tests::build(&nextest, workspace, credentials::secrets(&credentials))?;
    tests.expect_all_of(plan)?;
    step.done("built");
    signals.check()?;
    let sky = SkyInstallation::prepare_for(plan, &workspace.state, &progress)?;
    signals.check()?;
    // The plan is resolved again with what is known only now: whether this SkyPilot can launch on
    // the local infras, and the machine's speed.
    let obstacles = loopback::obstacles_of(&sky.for_nodes(), plan.infrastructure.locals());
    let environment = SkyEnvironment::of_server(&plan.server);
    let measured = speed::measure(&sky, environment, signals, progress)?;
    let inputs = inputs.with_sky(obstacles, measured.map(|measured| measured.speed))?;
    let plan = inputs.plan()?;
    let request = &inputs.request;
    prepare::announce(&plan, request, progress);
    let infra = Infra::start(&plan, workspace, &sky, signals, progress)?;

    let run = prepare::run_dir(results.out.as_deref(), request, &plan, workspace, progress)?;
    let context = server::Context {
        plan: &plan,
        run: &run,
        workspace,
        sky: &sky,
        counted: measured.and_then(|measured| measured.counted),
        signals,
        progress,
        yes: request.yes,
        setup: infra.server_setup(),
        copies_credentials: request.copy_credentials,
        metrics_login: credentials::metrics_login(request),
        credentials,
    };
    measure(&context, infra, &tests).with_context(|| format!("run {} has no result", run.id()))?;

    let report = report::assemble(&run, workspace)?;
    let agreement = gate(&tests, &run, &report, progress)?;
    // Before standard output, whose reader may close the pipe at any time.
    github::publish(&run, &report);
    report::show(&run, &report, results.output)?;
    // Last, so that a report is shown although the gate disagrees.
    agreement?;
    Ok(report.verdict)
}

/// Starts the server, measures it through all phases, and stops it.
fn measure(context: &server::Context<'_>, infra: Infra, tests: &Tests) -> Result<()> {
    let (plan, run, progress) = (context.plan, context.run, context.progress);
    let mut events = Events::open(run)?;
    events.note(Event::Began)?;
    let groups = MemoryGroups::here();
    // The kernel counts since the creation of the control group, not of the run.
    let kills_before = groups.oom_kills();
    let server = ServerSession::begin(context)?;
    write_json(
        &run.environment(),
        &prepare::environment(context, &server, infra.modifications())?,
    )?;
    infra.check(context)?;
    let profiler = server
        .addresses
        .map(|addresses| ProfilerProcess::spawn(&prepare::profiler(run, plan, addresses)))
        .transpose()?;
    let scraper = match (&server.metrics, &plan.server_metrics) {
        (Some(url), Some(metrics)) => {
            let credentials = context.metrics_credentials(url);
            Some(Scraper::begin(run, url, &credentials, metrics.interval)?)
        }
        _ => None,
    };
    let mut active = ActiveRun {
        plan,
        directory: run,
        tests,
        credentials: &context.credentials,
        progress,
        nodes_persist: infra.persists(),
        scraper,
        monitor: Monitor::new(context.signals, &server, profiler, events, run),
    };
    // No `?` before the end: measurements until an error are still reported.
    let measured = phases::run(&mut active);
    let stopped = active.monitor.stopped();
    finish_scraper(active.scraper, stopped, context);
    let Monitor { profiler, mut events, .. } = active.monitor;
    let profiled = match plan.is_remote() {
        true => remote::fetch_profile(context, stopped, &mut events),
        false => profiler.map_or(Ok(()), ProfilerProcess::finish),
    };
    if let Some(processes) = new_oom_kills(&groups, kills_before) {
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
/// there were `before`; `None` if there are none, or if the kernel does not count them.
fn new_oom_kills(groups: &MemoryGroups, before: Option<u64>) -> Option<u64> {
    groups.oom_kills()?.checked_sub(before?).filter(|processes| *processes > 0)
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
