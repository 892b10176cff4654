//! Driver of bursts and closed loops: a task for each user, which runs its iterations one after
//! the other.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::{Driver, IterationId, Message, Reporter, Segments};
use crate::shape::{Pause, Window};

/// Iterations of one user.
#[derive(Clone, Debug)]
pub(in crate::traffic) enum UserPlan {
    /// One iteration, with this number, at this time after the start of the load.
    Once {
        /// Number of the iteration.
        number: u32,
        /// Time after the start of the load.
        at: Duration,
    },
    /// Iterations during these windows.
    During(Vec<Window>),
}

/// Driver of a burst or a closed loop.
pub(in crate::traffic) struct ClosedLoad {
    /// Iterations of each user.
    pub(in crate::traffic) users: Vec<UserPlan>,
    /// Maximum number of active users. With fewer than all, a user waits for a slot, and its
    /// iteration is scheduled for the moment at which it gets the slot.
    pub(in crate::traffic) concurrency: u32,
    /// Pause between two iterations of a user.
    pub(in crate::traffic) pause: Pause,
    /// Seed of the pauses.
    pub(in crate::traffic) seed: u64,
}

impl Driver for ClosedLoad {
    fn spawn<T: 'static, F: Future<Output = T> + 'static>(
        self,
        start: Instant,
        segments: Rc<Segments>,
        reporter: Reporter<T>,
        iteration: Rc<dyn Fn(IterationId) -> F>,
    ) {
        // Tokio's semaphores are fair: users get slots in the order in which they queue.
        let slots = Rc::new(Semaphore::new(self.concurrency as usize));
        let has_slot_for_all = self.concurrency as usize >= self.users.len();
        for (number, plan) in (0..).zip(self.users) {
            let user = User {
                number,
                start,
                slots: Rc::clone(&slots),
                has_slot_for_all,
                segments: Rc::clone(&segments),
                reporter: reporter.clone(),
            };
            let iteration = Rc::clone(&iteration);
            // Users draw from sequences of their own, so that none depends on how fast others are.
            let seed = self.seed.wrapping_add(u64::from(number) << 32);
            let random = fastrand::Rng::with_seed(seed);
            let pause = self.pause;
            tokio::task::spawn_local(async move {
                match plan {
                    UserPlan::Once { number, at } => user.run_once(number, at, &*iteration).await,
                    UserPlan::During(windows) => {
                        user.run_during(&windows, pause, random, &*iteration).await;
                    }
                }
            });
        }
    }
}

/// Task of one user.
struct User<T> {
    number: u32,
    start: Instant,
    slots: Rc<Semaphore>,
    has_slot_for_all: bool,
    segments: Rc<Segments>,
    reporter: Reporter<T>,
}

impl<T: 'static> User<T> {
    async fn run_once<F: Future<Output = T> + 'static>(
        &self,
        number: u32,
        at: Duration,
        iteration: &dyn Fn(IterationId) -> F,
    ) {
        let wanted = self.start + at;
        sleep_until(wanted).await;
        // Fails only for a closed semaphore, and this one is never closed.
        let _slot = self.slots.acquire().await;
        // If there is a slot for each user, any delay is the load generator's and counts.
        let scheduled = if self.has_slot_for_all { wanted } else { Instant::now() };
        let iteration = iteration(IterationId { user: self.number, number });
        // A burst is a single segment, whose iterations are scheduled from the start.
        self.reporter.run(0, self.number, scheduled, iteration).await;
    }

    async fn run_during<F: Future<Output = T> + 'static>(
        &self,
        windows: &[Window],
        pause: Pause,
        mut random: fastrand::Rng,
        iteration: &dyn Fn(IterationId) -> F,
    ) {
        let mut number = 0;
        for window in windows {
            let (first, end) = (self.start + window.start, self.start + window.end);
            // A user that is still busy with its window before is late by its own iteration.
            let mut is_first = Instant::now() <= first;
            sleep_until(first).await;
            loop {
                let slot = self.slots.acquire().await;
                let now = Instant::now();
                if now >= end {
                    break;
                }
                let scheduled = if is_first && self.has_slot_for_all { first } else { now };
                let segment = self.segments.at(scheduled.duration_since(self.start));
                self.reporter.send(Message::Scheduled(segment));
                let iteration = iteration(IterationId { user: self.number, number });
                self.reporter.run(segment, self.number, scheduled, iteration).await;
                drop(slot);
                (number, is_first) = (number.saturating_add(1), false);
                if !pause.is_none() {
                    let next = Instant::now() + pause.draw(&mut random);
                    if next >= end {
                        break;
                    }
                    sleep_until(next).await;
                }
            }
        }
    }
}
