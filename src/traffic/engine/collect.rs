//! Collector of results, until a load is over.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::active::ActiveIterations;
use super::{AddActive, EndCondition, FinishedIteration, Message};
use crate::clock::{Timeline, Timestamp};
use crate::record::outcome::{
    ClientFault, Ended, Failure, SegmentKind, SegmentOutcome, error_type,
};
use crate::traffic::activity::ActivityLog;
use crate::traffic::breach::{self, BreachWatch};

/// Interval of the timer whose delay is measured.
const LAG_INTERVAL: Duration = Duration::from_millis(100);

/// Collector of the results of one load.
pub(super) struct Collector<'a, R> {
    pub(super) timeline: &'a Timeline,
    pub(super) outcomes: Vec<SegmentOutcome>,
    pub(super) active: ActiveIterations,
    pub(super) watch: BreachWatch,
    pub(super) activity: ActivityLog,
    pub(super) add_active: Option<AddActive>,
    /// Whether the delay of a timer is recorded as send lateness: users of a closed loop start when
    /// they can, so that their own starts show no delay.
    pub(super) measures_lag: bool,
    /// Adds the result of an iteration to its segment.
    pub(super) record: R,
}

impl<R> Collector<'_, R> {
    /// Collects until the driver and all iterations have ended, or until one of the ends: the
    /// stop, the time limit, and `interrupt`, if there is one.
    pub(super) async fn collect<T>(
        mut self,
        mut messages: UnboundedReceiver<Message<T>>,
        end: EndCondition<'_>,
        interrupt: Option<Instant>,
    ) -> (Vec<SegmentOutcome>, Ended)
    where
        R: FnMut(usize, &mut SegmentOutcome, FinishedIteration<T>),
    {
        let mut unfinished: Vec<u64> =
            self.outcomes.iter().map(|segment| segment.scheduled).collect();
        let mut checks = interval(breach::CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lag = interval(LAG_INTERVAL);
        lag.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Once, since each message would register new timers.
        let (stopped, timed_out) = (end.stop.requested(), sleep_until(end.limit));
        let interrupted = sleep_until(interrupt.unwrap_or(end.limit));
        tokio::pin!(stopped, timed_out, interrupted);
        let ended = loop {
            tokio::select! {
                // An iteration that finished just before an end still counts.
                biased;
                message = messages.recv() => match message {
                    None => break Ended::Finished,
                    Some(message) => self.add(message, &mut unfinished),
                },
                // Iterations that a stop cuts off are not counted: they say nothing about the
                // server.
                () = &mut stopped => break Ended::Stopped,
                () = &mut timed_out => {
                    for (number, unfinished) in unfinished.into_iter().enumerate() {
                        let elapsed = self.active.elapsed(number).into_iter();
                        let (now, segment) = (self.timeline.now(), &mut self.outcomes[number]);
                        fail_unfinished(segment, now, unfinished, elapsed);
                        self.activity.cut_off(now, unfinished);
                    }
                    break Ended::TimedOut;
                }
                _ = checks.tick(), if !self.watch.is_idle() => self.watch.check(&self.so_far()),
                tick = lag.tick(), if self.measures_lag => {
                    // A load generator without CPU wakes up late, as its users do.
                    let now = self.running();
                    self.outcomes[now].send_lateness.record(tick.elapsed());
                }
                () = &mut interrupted => {
                    for (segment, unfinished) in self.outcomes.iter_mut().zip(unfinished) {
                        segment.interrupted = unfinished;
                    }
                    break Ended::Finished;
                }
            }
        };
        let now = self.timeline.now();
        for segment in &mut self.outcomes {
            // The other segments have planned ends.
            if segment.kind == SegmentKind::Iteration {
                segment.ended = now;
            } else {
                segment.ended = segment.ended.min(now).max(segment.began);
            }
        }
        (self.outcomes, ended)
    }

    /// Number of the segment that runs now.
    fn running(&self) -> usize {
        let now = self.timeline.now();
        self.outcomes.iter().skip(1).take_while(|segment| segment.began <= now).count()
    }

    /// Segments up to now. The one that runs lasts until now.
    fn so_far(&self) -> Vec<SegmentOutcome> {
        let running = self.running();
        let mut segments = self.outcomes[..=running].to_vec();
        segments[running].ended = self.timeline.now();
        if let Some(add_active) = &self.add_active {
            add_active(&mut segments[running]);
        }
        segments
    }

    fn add<T>(&mut self, message: Message<T>, unfinished: &mut [u64])
    where
        R: FnMut(usize, &mut SegmentOutcome, FinishedIteration<T>),
    {
        match message {
            Message::Scheduled(number) => {
                self.outcomes[number].scheduled += 1;
                unfinished[number] += 1;
            }
            Message::Started(number, lateness) => {
                self.outcomes[number].send_lateness.record(lateness);
                self.activity.start(self.timeline.now());
            }
            Message::Dropped(number) => {
                let segment = &mut self.outcomes[number];
                segment.dropped = segment.dropped.map(|dropped| dropped + 1);
                unfinished[number] -= 1;
                self.activity.drop_arrival(self.timeline.now());
            }
            Message::Finished(number, result) => {
                let segment = &mut self.outcomes[number];
                unfinished[number] -= 1;
                match result {
                    Ok(finished) => {
                        let at = self.timeline.at(finished.ended.into_std());
                        self.activity.end(at);
                        let (duration, record) = (finished.duration, &mut self.record);
                        self.activity.add(at, duration, segment, |segment| {
                            record(number, segment, finished);
                        });
                    }
                    Err(error) => {
                        let now = self.timeline.now();
                        self.activity.end(now);
                        record_panic(segment, now, &error);
                    }
                }
            }
        }
    }
}

/// Counts `unfinished` iterations as failed at the scenario's time limit, `at`. The time that an
/// active one has taken so far, in `elapsed`, is recorded as its duration: without it, a
/// server that never responds would appear faster than one that does.
pub(in crate::traffic) fn fail_unfinished(
    outcome: &mut SegmentOutcome,
    at: Timestamp,
    unfinished: u64,
    elapsed: impl Iterator<Item = Duration>,
) {
    elapsed.for_each(|elapsed| outcome.iteration_duration.record(elapsed));
    for _ in 0..unfinished {
        outcome.failed += 1;
        outcome.tally.add(
            at,
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
fn record_panic(outcome: &mut SegmentOutcome, at: Timestamp, error: &JoinError) {
    outcome.client_failed += 1;
    outcome.tally.add(
        at,
        Failure {
            step: "iteration".to_owned(),
            status: None,
            error_type: ClientFault::Skyload.name().to_owned(),
            message: error.to_string(),
        },
        None,
    );
}
