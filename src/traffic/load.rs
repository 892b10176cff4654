//! Load of one scenario: its bursts, or one load that lasts for a time.

use std::rc::Rc;
use std::time::Duration;

use super::breach::BreachWatch;
use super::engine::{
    ClosedLoad, EndCondition, FinishedIteration, IterationId, Load, OpenLoad, Segments, UserPlan,
};
use super::iteration::add_to_segment;
use super::reserve::ReservedFiles;
use super::{
    ScenarioContext, TrafficError, api_iteration, cli_iteration, launch_cancel, mixed_iteration,
    script_iteration,
};
use crate::record::outcome::{Ended, SegmentOutcome};
use crate::scenario::Work;
use crate::shape::{Arrivals, LoadShape, Model, Pause, Timed, Windows};

/// Runs the load of a scenario, and returns its segments.
pub(super) async fn run(
    context: &Rc<ScenarioContext>,
    end: EndCondition<'_>,
    reserve: &mut ReservedFiles,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    let (mut segments, mut watch) = (Vec::new(), None);
    for number in 0..context.planned.shape.synchronized_starts() {
        // The barrier opens files, for which connections may have left no descriptors.
        let barrier = context.barrier.arrive_and_wait(context.planned.id, number, end);
        if !reserve.release_during(barrier).await? {
            let ended = if end.stop.is_requested() { Ended::Stopped } else { Ended::TimedOut };
            return Ok((segments, ended));
        }
        // From the first start on, which the barrier may delay.
        let watch = watch.get_or_insert_with(|| BreachWatch::of(context));
        let (outcomes, ended) = match &context.planned.shape {
            LoadShape::Burst { .. } => burst(context, number, end, watch.clone()).await,
            LoadShape::Timed(timed) => for_a_time(context, timed, end, watch.clone()).await,
        };
        // After the last one there is no load to end.
        if number + 1 < context.planned.shape.synchronized_starts() {
            watch.keep(&outcomes);
        }
        watch.finish()?;
        segments.extend(outcomes);
        if ended != Ended::Finished {
            return Ok((segments, ended));
        }
    }
    Ok((segments, Ended::Finished))
}

/// Runs one iteration of each user, started together or spread by the run's ramp.
async fn burst(
    context: &Rc<ScenarioContext>,
    number: u32,
    end: EndCondition<'_>,
    watch: BreachWatch,
) -> (Vec<SegmentOutcome>, Ended) {
    let offsets = context.plan.start_offsets(context.planned.id, number);
    let users = offsets.into_iter().map(|at| UserPlan::Once { number, at }).collect();
    let segments = Segments::single(u64::from(context.planned.users));
    let driver = closed(context, users, Pause::default());
    let load = Load::new(driver, segments, watch, context.activity.clone());
    with_work(context, load, end).await
}

/// Runs the stages of a load that lasts for a time.
async fn for_a_time(
    context: &Rc<ScenarioContext>,
    timed: &Timed,
    end: EndCondition<'_>,
    watch: BreachWatch,
) -> (Vec<SegmentOutcome>, Ended) {
    let (segments, activity) = (Segments::of(timed), context.activity.clone());
    match &timed.model {
        Model::Users { stages, pause } => {
            let (offsets, windows) = (offsets(context), Windows::of(stages));
            let last = offsets.iter().max().copied().unwrap_or_default();
            let extension = windows.extension(last);
            let driver = closed(context, users(context, &windows, &offsets), *pause);
            let load = Load {
                interrupt_after: Some(timed.longest() + extension),
                measures_lag: true,
                ..Load::new(driver, segments.extended_by(extension), watch, activity)
            };
            with_work(context, load, end).await
        }
        Model::Arrivals { stages } => {
            let driver = OpenLoad {
                arrivals: Arrivals::of(stages),
                max_in_flight: context.planned.concurrency,
                until: std::future::pending(),
            };
            let load = Load {
                interrupt_after: Some(timed.longest()),
                ..Load::new(driver, segments, watch, activity)
            };
            with_work(context, load, end).await
        }
    }
}

/// Offsets by which the run's ramp spreads the first starts of the users; none without a ramp.
fn offsets(context: &ScenarioContext) -> Vec<Duration> {
    let planned = &context.planned;
    let is_ramped = planned.shape.is_ramped();
    if is_ramped { context.plan.start_offsets(planned.id, 0) } else { Vec::new() }
}

/// Plans of all users, whose first starts the run's ramp delays by `offsets`.
fn users(context: &ScenarioContext, windows: &Windows, offsets: &[Duration]) -> Vec<UserPlan> {
    let plan_of = |user| {
        let offset = offsets.get(user as usize).copied().unwrap_or_default();
        UserPlan::During(windows.delayed(user, offset))
    };
    (0..context.planned.users).map(plan_of).collect()
}

fn closed(context: &ScenarioContext, users: Vec<UserPlan>, pause: Pause) -> ClosedLoad {
    let concurrency = context.planned.concurrency;
    ClosedLoad { users, concurrency, pause, seed: context.seed() }
}

/// Runs a load whose iterations do the scenario's work.
async fn with_work<D: super::engine::Driver>(
    context: &Rc<ScenarioContext>,
    load: Load<D>,
    end: EndCondition<'_>,
) -> (Vec<SegmentOutcome>, Ended) {
    let shared = Rc::clone(context);
    match &context.scenario.work {
        Work::Api(actions) => {
            let scenario = context.scenario;
            let iteration =
                move |id: IterationId| api_iteration::run(&shared, scenario, actions, id);
            load.run(&context.timeline, end, iteration, add_to_segment).await
        }
        Work::LaunchCancel(_) => {
            let iteration = move |id: IterationId| launch_cancel::run(&shared, id);
            load.run(&context.timeline, end, iteration, add_to_segment).await
        }
        Work::Mix => {
            let iteration = move |id: IterationId| mixed_iteration::run(&shared, id);
            load.run(&context.timeline, end, iteration, add_to_segment).await
        }
        Work::Cli(commands) => {
            let iteration = move |id: IterationId| cli_iteration::run(&shared, commands, id);
            let mut processes: Vec<(usize, FinishedIteration<_>)> = Vec::new();
            let load = load.run(&context.timeline, end, iteration, |number, _, finished| {
                processes.push((number, finished));
            });
            let (segments, ended) = load.await;
            cli_iteration::judge_all(context, commands, &processes, segments, (ended, end)).await
        }
        Work::Script => {
            let iteration = move |id: IterationId| script_iteration::run(&shared, id);
            load.run(&context.timeline, end, iteration, add_to_segment).await
        }
        Work::Hold(_) | Work::Probe => unreachable!("these have drivers of their own"),
    }
}
