//! Iterations of one segment, each started at its scheduled time: all together in a burst,
//! spread over time by a ramp.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::ScenarioContext;
use super::active::ActiveIterations;
use super::stop::StopSignal;
use crate::record::outcome::{ClientFault, Ended, Failure, SegmentOutcome, error_type};

/// Condition under which a segment ends although iterations are still active.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndCondition<'a> {
    pub(super) stop: &'a StopSignal,
    pub(super) limit: Instant,
}

impl EndCondition<'_> {
    /// Waits until the stop is requested or the time limit has passed.
    pub(super) async fn reached(self) {
        tokio::select! {
            () = self.stop.requested() => {}
            () = tokio::time::sleep_until(self.limit) => {}
        }
    }
}

/// Iteration that ran to its end.
pub(super) struct FinishedIteration<T> {
    /// Result of the iteration.
    pub(super) iteration: T,
    /// Time from the scheduled start to the end.
    pub(super) duration: Duration,
}

/// Iterations of a segment before they are judged.
pub(super) struct Segment<T> {
    /// Outcome so far: times, send lateness, and iterations that did not finish.
    pub(super) outcome: SegmentOutcome,
    /// Iterations that ran to their end.
    pub(super) finished: Vec<FinishedIteration<T>>,
    /// Reason for the end of the segment.
    pub(super) ended: Ended,
}

/// Runs one iteration of every user of the scenario. An iteration is scheduled by the plan,
/// and its latency counts from its scheduled start. With a concurrency below the number of
/// users, the scheduled start is the moment at which a slot becomes free.
pub(super) async fn run_users<T: 'static, F: Future<Output = T> + 'static>(
    context: &ScenarioContext,
    number: u32,
    end: EndCondition<'_>,
    iteration: impl Fn(u32) -> F,
) -> Segment<T> {
    let users = context.planned.users;
    let offsets = context.plan.start_offsets(context.planned.id, number);
    let start = Instant::now();
    let mut outcome = SegmentOutcome::begin(context.timeline.now(), u64::from(users));
    let mut finished = Vec::new();
    // Tokio's semaphores are fair: users get slots in the order in which they queue.
    let slots = Rc::new(Semaphore::new(context.planned.concurrency as usize));
    let active = ActiveIterations::default();
    let has_slot_for_all = context.planned.concurrency >= users;
    let local = LocalSet::new();
    let ended = local
        .run_until(async {
            let mut iterations = JoinSet::new();
            for (user, offset) in (0..users).zip(offsets) {
                let (slots, active) = (Rc::clone(&slots), active.clone());
                let iteration = iteration(user);
                iterations.spawn_local(async move {
                    tokio::time::sleep_until(start + offset).await;
                    // Fails only for a closed semaphore, and this one is never closed.
                    let _slot = slots.acquire().await;
                    // If there is a slot for each user, any delay is the load generator's and
                    // counts.
                    let scheduled = if has_slot_for_all { start + offset } else { Instant::now() };
                    let guard = active.start(user, scheduled);
                    let lateness = scheduled.elapsed();
                    let iteration = iteration.await;
                    drop(guard);
                    (lateness, FinishedIteration { iteration, duration: scheduled.elapsed() })
                });
            }
            loop {
                tokio::select! {
                    // An iteration that finished just before the limit still counts.
                    biased;
                    next = iterations.join_next() => match next {
                        None => break Ended::Finished,
                        Some(Ok((lateness, iteration))) => {
                            outcome.send_lateness.record(lateness);
                            finished.push(iteration);
                        }
                        Some(Err(error)) => record_panic(&mut outcome, &error),
                    },
                    // Iterations that a stop cuts off are not counted: they say nothing about the
                    // server.
                    () = end.stop.requested() => break Ended::Stopped,
                    () = tokio::time::sleep_until(end.limit) => {
                        let elapsed = active.elapsed().into_iter();
                        fail_unfinished(&mut outcome, iterations.len(), elapsed);
                        break Ended::TimedOut;
                    }
                }
            }
        })
        .await;
    outcome.ended = context.timeline.now();
    Segment { outcome, finished, ended }
}

/// Counts `unfinished` iterations as failed at the scenario's time limit. The time that an
/// active one has taken so far, in `elapsed`, is recorded as its duration: without it, a
/// server that never responds would appear faster than one that does.
pub(super) fn fail_unfinished(
    outcome: &mut SegmentOutcome,
    unfinished: usize,
    elapsed: impl Iterator<Item = Duration>,
) {
    elapsed.for_each(|elapsed| outcome.iteration_duration.record(elapsed));
    for _ in 0..unfinished {
        outcome.failed += 1;
        outcome.tally.add(
            Failure {
                step: "iteration".to_owned(),
                status: None,
                error_type: error_type::ITERATION_NOT_FINISHED.to_owned(),
                message: "not finished within the scenario's time limit".to_owned(),
            },
            None,
        );
    }
}

/// Counts an iteration that panicked as a failure of the load generator.
fn record_panic(outcome: &mut SegmentOutcome, error: &tokio::task::JoinError) {
    outcome.client_failed += 1;
    outcome.tally.add(
        Failure {
            step: "iteration".to_owned(),
            status: None,
            error_type: ClientFault::Skyload.name().to_owned(),
            message: error.to_string(),
        },
        None,
    );
}
