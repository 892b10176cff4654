//! Times of held connections while they are open, so that thresholds are checked with them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::iteration::Iteration;
use crate::record::outcome::SegmentOutcome;
use crate::scenario::{CONNECT, FIRST_LINE, GAP};

/// Times of all open connections, by their users.
#[derive(Clone, Default)]
pub(super) struct OpenConnections(Rc<RefCell<HashMap<u32, Times>>>);

/// Times of one open connection, which are gone when this is dropped.
pub(super) struct OpenConnection {
    all: OpenConnections,
    user: u32,
}

/// Times of a connection so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) connect: Option<Duration>,
    first_line: Option<Duration>,
    /// Lines so far; `None` before the first one.
    heard: Option<Heard>,
}

impl OpenConnections {
    pub(super) fn start(&self, user: u32) -> OpenConnection {
        self.0.borrow_mut().insert(user, Times::default());
        OpenConnection { all: self.clone(), user }
    }

    /// Adds the times so far to a segment, as `iteration` names the steps of a user.
    pub(super) fn add_to(
        &self,
        segment: &mut SegmentOutcome,
        iteration: impl Fn(u32) -> Iteration,
    ) {
        for (user, times) in &*self.0.borrow() {
            let mut iteration = iteration(*user);
            times.add_to(&mut iteration);
            iteration.add_steps_to(segment);
        }
    }
}

impl Times {
    /// Records the arrival of data, which is a line or a heartbeat.
    pub(super) fn listen(&mut self, sent: Instant, is_line: bool) {
        match &mut self.heard {
            Some(heard) => heard.listen(),
            None if is_line => {
                self.first_line = Some(sent.elapsed());
                self.heard = Some(Heard { last: Instant::now(), gap: Duration::ZERO });
            }
            None => {}
        }
    }

    /// Whether there was a line.
    pub(super) const fn has_line(&self) -> bool {
        self.heard.is_some()
    }

    /// Records the times as steps, the silence up to now included.
    pub(super) fn add_to(&self, iteration: &mut Iteration) {
        let gap = self.heard.map(|heard| heard.gap.max(heard.last.elapsed()));
        let steps = [(CONNECT, self.connect), (FIRST_LINE, self.first_line), (GAP, gap)];
        for (step, took) in steps {
            if let Some(took) = took {
                iteration.step(step, took);
            }
        }
    }
}

impl OpenConnection {
    pub(super) fn times(&self) -> Times {
        self.all.0.borrow().get(&self.user).copied().unwrap_or_default()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Times)) {
        change(self.all.0.borrow_mut().entry(self.user).or_default());
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.all.0.borrow_mut().remove(&self.user);
    }
}

/// Times of a connection from its first line on.
#[derive(Clone, Copy)]
struct Heard {
    last: Instant,
    /// Longest time without data.
    gap: Duration,
}

impl Heard {
    /// Records the time since the last data.
    fn listen(&mut self) {
        self.gap = self.gap.max(self.last.elapsed());
        self.last = Instant::now();
    }
}
