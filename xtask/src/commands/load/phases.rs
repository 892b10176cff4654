//! The measured part of a run: baseline, setup, load, teardown, cooldown.

use anyhow::Result;
use skyload::infrastructure::Infrastructure;
use skyload::poll;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::Phase;

use super::active::ActiveRun;
use super::resources;
use super::scenarios;
use super::settle::{self, Point};
use super::monitor::{POLL_INTERVAL, in_words};

/// Lets the phases follow one another. A reason to stop ends the load; what was
/// measured until then is kept.
pub(super) fn run(run: &mut ActiveRun<'_>) -> Result<()> {
    let plan = run.plan;
    settle(run, Point::BeforeBaseline)?;
    let baseline = humantime::format_duration(plan.baseline);
    let step = run.progress.step(format!("Baseline, {baseline}"));
    run.begin_phase(Phase::Baseline)?;
    let mut stopped = run.watch.wait(plan.baseline)?;
    run.snapshot(Phase::Baseline)?;
    step.done(in_words(stopped));

    if stopped.is_none() {
        // Not `?` yet: what was launched is taken down, whatever went wrong.
        let loaded = launch_and_load(run);
        if plan.launches() && must_be_taken_down(run, loaded.is_err()) {
            resources::tear_down(run)?;
        }
        loaded?;
        stopped = run.watch.stopped();
    }

    run.begin_phase(Phase::Cooldown)?;
    if stopped.is_none() {
        settle(run, Point::AfterLoad)?;
    }
    let cooldown = humantime::format_duration(plan.cooldown);
    let step = run.progress.step(format!("Cooldown, {cooldown}"));
    // Somebody who presses Ctrl-C wants an end, and a server that is gone has none.
    if matches!(stopped, None | Some(StopReason::MemoryFloor)) {
        let signals = run.watch.signals;
        poll::during(plan.cooldown, POLL_INTERVAL, || anyhow::Ok(signals.interrupted().then_some(())))?;
        run.watch.check_server()?;
        run.watch.look()?;
    }
    run.snapshot(Phase::Cooldown)?;
    run.watch.events.note(Event::PhasesEnded)?;
    step.done("done");
    Ok(())
}

fn launch_and_load(run: &mut ActiveRun<'_>) -> Result<()> {
    if run.plan.launches() && resources::set_up(run)?.is_some() {
        return Ok(());
    }
    scenarios::load(run)?;
    run.snapshot(Phase::Load)
}

/// Whether what was launched is taken down one by one. After a stop that isn't worth
/// the time where it goes together with the nodes.
fn must_be_taken_down(run: &ActiveRun<'_>, went_wrong: bool) -> bool {
    let goes_with_nodes = run.plan.infrastructure == Infrastructure::Loopback && !run.nodes_stay;
    let came_to_its_end = run.watch.stopped().is_none() && !went_wrong;
    !run.watch.server_is_lost() && (came_to_its_end || !goes_with_nodes)
}

fn settle(run: &mut ActiveRun<'_>, point: Point) -> Result<()> {
    if run.watch.profiler.is_none() {
        return Ok(());
    }
    let step = run.progress.step(match point {
        Point::BeforeBaseline => "Waiting for the server to settle",
        Point::AfterLoad => "Waiting for the server to settle after the load",
    });
    let settled = settle::wait(run, point, &step)?;
    if let Some(unrest) = settled.unrest {
        run.watch.events.note(Event::NotSettled(unrest))?;
    }
    let beside = match settled.others.first() {
        None => String::new(),
        Some(busiest) => format!("; other processes keep the machine busy: {busiest}"),
    };
    if !settled.others.is_empty() {
        run.watch.events.note(Event::BusyBeside(settled.others))?;
    }
    let limit = humantime::format_duration(run.plan.settle_timeout);
    step.done(match settled.unrest {
        _ if run.watch.stopped().is_some() => "stopped".to_owned(),
        None => format!("idle{beside}"),
        Some(unrest) => format!("timed out after {limit}: {unrest}{beside}"),
    });
    Ok(())
}
