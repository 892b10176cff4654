//! Measured part of a run: baseline, setup, load, teardown, cooldown.

use anyhow::Result;
use skyload::poll;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::Phase;

use super::active::ActiveRun;
use super::monitor::{POLL_INTERVAL, step_result};
use super::resources;
use super::scenarios;
use super::settle::{self, SettlePoint};

/// Runs all phases. A reason to end early ends the load; what was measured until then is kept.
pub(super) fn run(run: &mut ActiveRun<'_>) -> Result<()> {
    let plan = run.plan;
    settle(run, SettlePoint::BeforeBaseline)?;
    let baseline = humantime::format_duration(plan.baseline);
    let step = run.progress.step(format!("Baseline, {baseline}"));
    run.begin_phase(Phase::Baseline)?;
    let mut stopped = run.monitor.wait(plan.baseline)?;
    run.snapshot(Phase::Baseline)?;
    step.done(step_result(stopped));

    if stopped.is_none() {
        load_alone(run)?;
        stopped = run.monitor.stopped();
    }

    run.begin_phase(Phase::Cooldown)?;
    if stopped.is_none() {
        settle(run, SettlePoint::AfterLoad)?;
    }
    let cooldown = humantime::format_duration(plan.cooldown);
    let step = run.progress.step(format!("Cooldown, {cooldown}"));
    // Skipped after Ctrl-C, which should end the run soon, and without server or profiler.
    if matches!(stopped, None | Some(StopReason::MemoryFloor | StopReason::Breach)) {
        let signals = run.monitor.signals;
        // `Monitor::wait` would return at once after a stop at the memory floor.
        poll::during(plan.cooldown, POLL_INTERVAL, || {
            anyhow::Ok(signals.interrupted().then_some(()))
        })?;
        // Logs what the wait did not check: the loss of the server, or the first reason to stop.
        run.monitor.check_server()?;
        run.monitor.stop_reason()?;
    }
    run.snapshot(Phase::Cooldown)?;
    run.monitor.events.note(Event::PhasesEnded)?;
    step.done("done");
    Ok(())
}

/// Runs setup, load and teardown.
pub(super) fn load_alone(run: &mut ActiveRun<'_>) -> Result<()> {
    // No `?` before the teardown: resources are torn down after an error, too.
    let loaded = launch_and_load(run);
    if run.plan.launches() && needs_teardown(run, loaded.is_err()) {
        resources::tear_down(run)?;
    }
    loaded
}

fn launch_and_load(run: &mut ActiveRun<'_>) -> Result<()> {
    if run.plan.launches() && resources::set_up(run)?.is_some() {
        return Ok(());
    }
    if !run.plan.scenarios.is_empty() {
        scenarios::load(run)?;
    }
    if let Some(scraper) = &run.scraper {
        scraper.load_ended();
    }
    run.snapshot(Phase::Load)
}

/// Whether resources are torn down one by one. After an early end this is skipped if they are
/// removed together with the nodes.
fn needs_teardown(run: &ActiveRun<'_>, has_failed: bool) -> bool {
    let removed_with_nodes = run.plan.infrastructure.is_local() && !run.nodes_persist;
    let is_complete = run.monitor.stopped().is_none() && !has_failed;
    !run.monitor.server_is_lost() && (is_complete || !removed_with_nodes)
}

fn settle(run: &mut ActiveRun<'_>, point: SettlePoint) -> Result<()> {
    if run.monitor.profiler.is_none() {
        return Ok(());
    }
    let step = run.progress.step(match point {
        SettlePoint::BeforeBaseline => "Waiting for the server to settle",
        SettlePoint::AfterLoad => "Waiting for the server to settle after the load",
    });
    let result = settle::wait(run, point, &step)?;
    if let Some(reason) = result.unsettled {
        run.monitor.events.note(Event::NotSettled(reason))?;
    }
    let others = match result.others.first() {
        None => String::new(),
        Some(busiest) => format!("; other processes keep the machine busy: {busiest}"),
    };
    if !result.others.is_empty() {
        run.monitor.events.note(Event::BusyBeside(result.others))?;
    }
    let limit = humantime::format_duration(run.plan.settle_timeout);
    step.done(match result.unsettled {
        _ if run.monitor.stopped().is_some() => "stopped".to_owned(),
        None => format!("idle{others}"),
        Some(reason) => format!("timed out after {limit}: {reason}{others}"),
    });
    Ok(())
}
