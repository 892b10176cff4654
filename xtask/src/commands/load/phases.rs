//! The measured part of a run: baseline, setup, load, teardown, drain.

use anyhow::Result;
use skyload::infrastructure::Infrastructure;
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::{Phase, Window};

use super::fixtures;
use super::scenarios;
use super::settle::{self, Point};
use super::watch::{GLANCE, Watch};
use crate::nextest::Tests;
use crate::progress::Progress;

/// Lets the phases follow one another. A reason to stop ends the load; what was
/// measured until then is kept.
pub(super) fn run(
    watch: &mut Watch<'_>,
    tests: &Tests,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
) -> Result<()> {
    settle(watch, plan, run, progress, Point::BeforeBaseline)?;
    let step = progress.step(format!("Baseline, {}", humantime::format_duration(plan.baseline)));
    begin_phase(watch, plan, Phase::Baseline)?;
    let mut stopped = watch.wait(plan.baseline)?;
    snapshot(watch, Phase::Baseline)?;
    step.done(state(stopped));

    if stopped.is_none() {
        // Not `?` yet: what was launched is taken down, whatever went wrong.
        let loaded = launch_and_load(watch, tests, plan, run, progress);
        if plan.launches() && must_be_taken_down(watch, plan, loaded.is_err()) {
            fixtures::tear_down(watch, plan, run, progress)?;
        }
        loaded?;
        stopped = watch.stopped();
    }

    begin_phase(watch, plan, Phase::Cooldown)?;
    if stopped.is_none() {
        settle(watch, plan, run, progress, Point::AfterLoad)?;
    }
    let step = progress.step(format!("Cooldown, {}", humantime::format_duration(plan.cooldown)));
    // Somebody who presses Ctrl-C wants an end, and a server that is gone has none.
    if matches!(stopped, None | Some(StopReason::MemoryFloor)) {
        poll::during(plan.cooldown, GLANCE, || {
            anyhow::Ok(watch.signals.interrupted().then_some(()))
        })?;
        watch.check_server()?;
        watch.look()?;
    }
    snapshot(watch, Phase::Cooldown)?;
    watch.marks.note(Event::PhasesEnded)?;
    step.done("done");
    Ok(())
}

fn launch_and_load(
    watch: &mut Watch<'_>,
    tests: &Tests,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
) -> Result<()> {
    if plan.launches() && fixtures::set_up(watch, plan, run, progress)?.is_some() {
        return Ok(());
    }
    scenarios::load(watch, tests, plan, run, progress)?;
    snapshot(watch, Phase::Load)
}

/// Whether what was launched is taken down one by one. After a stop that isn't worth
/// the time where it goes together with the nodes.
fn must_be_taken_down(watch: &Watch<'_>, plan: &LoadPlan, went_wrong: bool) -> bool {
    let goes_with_nodes = plan.infrastructure == Infrastructure::Loopback && !watch.nodes_stay;
    let came_to_its_end = watch.stopped().is_none() && !went_wrong;
    !watch.server_is_lost() && (came_to_its_end || !goes_with_nodes)
}

fn settle(
    watch: &mut Watch<'_>,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
    point: Point,
) -> Result<()> {
    if watch.profiler.is_none() {
        return Ok(());
    }
    let step = progress.step(match point {
        Point::BeforeBaseline => "Waiting until the server is idle",
        Point::AfterLoad => "Waiting until the server is idle again",
    });
    let settled = settle::wait(watch, plan, run, point, &step)?;
    if let Some(unrest) = settled.unrest {
        watch.marks.note(Event::NotSettled(unrest))?;
    }
    let beside = match settled.others.first() {
        None => String::new(),
        Some(busiest) => format!("; the machine is busy with other processes: {busiest}"),
    };
    if !settled.others.is_empty() {
        watch.marks.note(Event::BusyBeside(settled.others))?;
    }
    let limit = humantime::format_duration(plan.settle_timeout);
    step.done(match settled.unrest {
        _ if watch.stopped().is_some() => "stopped".to_owned(),
        None => format!("idle{beside}"),
        Some(unrest) => format!("timed out after {limit}: {unrest}{beside}"),
    });
    Ok(())
}

/// Notes that a phase begins, which has peaks of its own where the plan wants that. The
/// load's are those of its families.
pub(super) fn begin_phase(watch: &mut Watch<'_>, plan: &LoadPlan, phase: Phase) -> Result<()> {
    begin_window(watch, plan, Window::Phase(phase))?;
    watch.marks.note(Event::PhaseBegan(phase))
}

/// Has the marks of the server's processes lowered, where the plan wants that.
pub(super) fn begin_window(watch: &mut Watch<'_>, plan: &LoadPlan, window: Window) -> Result<()> {
    if plan.phase_peaks
        && let Some(profiler) = &mut watch.profiler
        && profiler.is_alive()
    {
        profiler.begin_window(window)?;
    }
    Ok(())
}

/// A profiler that is lost has been noted; a lost snapshot shows in the coverage.
fn snapshot(watch: &mut Watch<'_>, phase: Phase) -> Result<()> {
    if let Some(profiler) = &mut watch.profiler
        && profiler.is_alive()
    {
        return profiler.snapshot(phase);
    }
    Ok(())
}

pub(super) fn state(stopped: Option<StopReason>) -> &'static str {
    match stopped {
        None => "done",
        Some(StopReason::Interrupted) => "interrupted",
        Some(StopReason::MemoryFloor) => "stopped to protect the machine",
        Some(StopReason::ServerLost) => "the server is gone",
        Some(StopReason::ProfilerLost) => "the profiler is gone",
    }
}
