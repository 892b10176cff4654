//! Iterations of one segment, each begun at its offset: together in a burst, spread by a ramp.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::Stage;
use super::stop::Stop;
use super::under_way::UnderWay;
use crate::record::outcome::{ClientFault, Ended, Failure, SegmentOutcome, error_type};

/// When a segment ends although iterations are still under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until<'a> {
    pub(super) stop: &'a Stop,
    pub(super) limit: Instant,
}

impl Until<'_> {
    /// Returns when it is time to end.
    pub(super) async fn over(self) {
        tokio::select! {
            () = self.stop.asked_for() => {}
            () = tokio::time::sleep_until(self.limit) => {}
        }
    }
}

/// An iteration that came to its end.
pub(super) struct Taken<T> {
    /// What it brought.
    pub(super) iteration: T,
    /// From its scheduled start to its end.
    pub(super) whole: Duration,
}

/// The iterations of a segment, before they are judged.
pub(super) struct Segment<T> {
    /// What is known without judging: times, lateness, iterations that never ended.
    pub(super) outcome: SegmentOutcome,
    /// The iterations that ended.
    pub(super) taken: Vec<Taken<T>>,
    /// How the segment ended.
    pub(super) ended: Ended,
}

/// Lets all users of the scenario run an iteration, each from the moment for which the plan
/// has scheduled it, which is when latency begins to count; where the machine can't hold
/// them all at once, an iteration is scheduled for when its place becomes free.
pub(super) async fn take<T: 'static, F: Future<Output = T> + 'static>(
    stage: &Stage,
    number: u32,
    until: Until<'_>,
    iteration: impl Fn(u32) -> F,
) -> Segment<T> {
    let users = stage.planned.users;
    let offsets = stage.plan.start_offsets(stage.planned.id, number);
    let start = Instant::now();
    let mut outcome = SegmentOutcome::begin(stage.timeline.now(), u64::from(users));
    let mut taken = Vec::new();
    // Semaphores are fair, so users come in the order in which they queue.
    let places = Rc::new(Semaphore::new(stage.planned.concurrency as usize));
    let under_way = UnderWay::default();
    let all_fit = stage.planned.concurrency >= users;
    let local = LocalSet::new();
    let ended = local
        .run_until(async {
            let mut iterations = JoinSet::new();
            for (user, offset) in (0..users).zip(offsets) {
                let (places, under_way) = (Rc::clone(&places), under_way.clone());
                let iteration = iteration(user);
                iterations.spawn_local(async move {
                    tokio::time::sleep_until(start + offset).await;
                    let _place = places.acquire().await;
                    let scheduled = if all_fit { start + offset } else { Instant::now() };
                    let begun = under_way.begin(user, scheduled);
                    let late = scheduled.elapsed();
                    let iteration = iteration.await;
                    drop(begun);
                    (late, Taken { iteration, whole: scheduled.elapsed() })
                });
            }
            loop {
                tokio::select! {
                    biased;
                    next = iterations.join_next() => match next {
                        None => break Ended::Finished,
                        Some(Ok((late, iteration))) => {
                            outcome.send_lateness.record(late);
                            taken.push(iteration);
                        }
                        Some(Err(error)) => panicked(&mut outcome, &error),
                    },
                    () = until.stop.asked_for() => break Ended::Stopped,
                    () = tokio::time::sleep_until(until.limit) => {
                        give_up(&mut outcome, iterations.len(), under_way.took().into_iter());
                        break Ended::TimedOut;
                    }
                }
            }
        })
        .await;
    outcome.ended = stage.timeline.now();
    Segment { outcome, taken, ended }
}

/// Iterations that have not ended by the scenario's limit have failed. Those that had
/// begun took at least as long as until now, which is their latency: without it, a
/// server that never answers would look faster than one that does.
pub(super) fn give_up(
    outcome: &mut SegmentOutcome,
    unfinished: usize,
    took: impl Iterator<Item = Duration>,
) {
    took.for_each(|took| outcome.iteration_duration.record(took));
    for _ in 0..unfinished {
        outcome.failed += 1;
        outcome.tally.add(
            Failure {
                step: "iteration".to_owned(),
                status: None,
                error_type: error_type::ITERATION_NOT_FINISHED.to_owned(),
                message: "the scenario's time limit ran out".to_owned(),
            },
            None,
        );
    }
}

fn panicked(outcome: &mut SegmentOutcome, error: &tokio::task::JoinError) {
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
