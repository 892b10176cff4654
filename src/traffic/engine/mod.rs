//! Engine of all loads: starts iterations at their scheduled times, and collects their results.
//!
//! A load has a driver, which starts iterations: [`closed`] for bursts and closed loops, where a
//! user waits for its iteration before the next one, [`open`] for arrival rates, [`held`] for
//! connections that are held. [`collect`] adds the results to segments until the load is over. Latencies count from the scheduled start.

mod active;
mod closed;
mod collect;
mod held;
mod open;
mod segments;

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, LocalSet};
use tokio::time::Instant;

use super::activity::ActivityLog;
use super::breach::BreachWatch;
use super::stop::StopSignal;
use active::ActiveIterations;
pub(super) use closed::{ClosedLoad, UserPlan};
use collect::Collector;
pub(super) use collect::fail_unfinished;
pub(super) use held::HeldLoad;
pub(super) use open::OpenLoad;
pub(super) use segments::Segments;

use crate::clock::Timeline;
use crate::record::outcome::{Ended, SegmentOutcome};

/// Condition under which a load ends although iterations are still active.
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

/// Identity of an iteration within its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IterationId {
    /// User that runs the iteration. Of an arrival rate, the lowest number that no active
    /// iteration has.
    pub(super) user: u32,
    /// Number among the user's iterations, or among all arrivals. With the user's number, it is
    /// unique in the scenario.
    pub(super) number: u32,
}

/// Iteration that ran to its end.
pub(super) struct FinishedIteration<T> {
    /// Result of the iteration.
    pub(super) iteration: T,
    /// Time from the scheduled start to the end.
    pub(super) duration: Duration,
    /// Time of the end.
    pub(super) ended: Instant,
}

/// Message from a driver to the collector. The number is that of a segment.
enum Message<T> {
    /// Iteration whose time has come.
    Scheduled(usize),
    /// Start of an iteration, with its delay.
    Started(usize, Duration),
    /// Arrival without a start: as many iterations are active as may be.
    Dropped(usize),
    /// End of an iteration.
    Finished(usize, Result<FinishedIteration<T>, JoinError>),
}

/// Sender of a driver's messages.
pub(super) struct Reporter<T> {
    sender: mpsc::UnboundedSender<Message<T>>,
    active: ActiveIterations,
}

impl<T> Clone for Reporter<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), active: self.active.clone() }
    }
}

impl<T: 'static> Reporter<T> {
    fn send(&self, message: Message<T>) {
        // Fails only after the load is over, when the message says nothing about it.
        _ = self.sender.send(message);
    }

    /// Runs an iteration that was scheduled for `scheduled`, and reports its start and end.
    async fn run(
        &self,
        segment: usize,
        user: u32,
        scheduled: Instant,
        iteration: impl Future<Output = T> + 'static,
    ) {
        let guard = self.active.start(user, segment, scheduled);
        self.send(Message::Started(segment, scheduled.elapsed()));
        // In a task of its own, so that a panic does not end the user.
        let result = tokio::task::spawn_local(iteration).await;
        drop(guard);
        let finished = result.map(|iteration| FinishedIteration {
            iteration,
            duration: scheduled.elapsed(),
            ended: Instant::now(),
        });
        self.send(Message::Finished(segment, finished));
    }
}

/// Driver of a load.
pub(super) trait Driver {
    /// Starts the tasks that run iterations, each made by `iteration`.
    fn spawn<T: 'static, F: Future<Output = T> + 'static>(
        self,
        start: Instant,
        segments: Rc<Segments>,
        reporter: Reporter<T>,
        iteration: Rc<dyn Fn(IterationId) -> F>,
    );
}

/// Function that adds what active iterations have recorded so far to a segment.
pub(super) type AddActive = Box<dyn Fn(&mut SegmentOutcome)>;

/// Load to run: its driver, segments, and times.
pub(super) struct Load<D> {
    pub(super) driver: D,
    pub(super) segments: Segments,
    /// Time after the start at which active iterations are interrupted; `None` to wait for all.
    pub(super) interrupt_after: Option<Duration>,
    pub(super) watch: BreachWatch,
    pub(super) activity: ActivityLog,
    /// Adds to a segment what iterations have recorded that are active, for checks of thresholds;
    /// `None` where an iteration counts only at its end.
    pub(super) add_active: Option<AddActive>,
    /// Whether the load generator's own delay is measured by a timer, too.
    pub(super) measures_lag: bool,
}

impl<D: Driver> Load<D> {
    /// Load that waits for all iterations, each of which counts at its end.
    pub(super) fn new(
        driver: D,
        segments: Segments,
        watch: BreachWatch,
        activity: ActivityLog,
    ) -> Self {
        Self {
            driver,
            segments,
            interrupt_after: None,
            watch,
            activity,
            add_active: None,
            measures_lag: false,
        }
    }

    /// Runs the load. `record` adds the result of an iteration to its segment, which has the
    /// number in the first argument.
    pub(super) async fn run<T: 'static, F: Future<Output = T> + 'static>(
        self,
        timeline: &Timeline,
        end: EndCondition<'_>,
        iteration: impl Fn(IterationId) -> F + 'static,
        record: impl FnMut(usize, &mut SegmentOutcome, FinishedIteration<T>),
    ) -> (Vec<SegmentOutcome>, Ended) {
        let start = Instant::now();
        let outcomes = self.segments.begin(timeline.now());
        let (sender, receiver) = mpsc::unbounded_channel();
        let active = ActiveIterations::default();
        let reporter = Reporter { sender, active: active.clone() };
        let Self { watch, activity, add_active, measures_lag, .. } = self;
        let collector = Collector {
            timeline,
            outcomes,
            active,
            watch,
            activity,
            add_active,
            measures_lag,
            record,
        };
        let interrupt = self.interrupt_after.map(|time| start + time);
        // Dropped at the end, and all tasks with it that still run.
        let local = LocalSet::new();
        let load = async {
            self.driver.spawn(start, Rc::new(self.segments), reporter, Rc::new(iteration));
            collector.collect(receiver, end, interrupt).await
        };
        let (outcomes, ended) = local.run_until(load).await;
        (Segments::finish(outcomes), ended)
    }
}
