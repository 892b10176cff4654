//! Active iterations of a load: started, not finished.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

/// Active iteration.
#[derive(Clone, Copy, Debug)]
struct Active {
    segment: usize,
    scheduled: Instant,
}

/// Active iterations by user.
#[derive(Clone, Default)]
pub(super) struct ActiveIterations(Rc<RefCell<HashMap<u32, Active>>>);

/// Guard that keeps an iteration active until it is dropped, also by a panic.
pub(super) struct ActiveGuard {
    all: ActiveIterations,
    user: u32,
}

impl ActiveIterations {
    /// Marks a user's iteration as active for the lifetime of the guard.
    pub(super) fn start(&self, user: u32, segment: usize, scheduled: Instant) -> ActiveGuard {
        self.0.borrow_mut().insert(user, Active { segment, scheduled });
        ActiveGuard { all: self.clone(), user }
    }

    /// Time since the scheduled start of each active iteration of a segment.
    pub(super) fn elapsed(&self, segment: usize) -> Vec<Duration> {
        let active = self.0.borrow();
        let of_segment = active.values().filter(|active| active.segment == segment);
        of_segment.map(|active| active.scheduled.elapsed()).collect()
    }
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.all.0.borrow_mut().remove(&self.user);
    }
}
