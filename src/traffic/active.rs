//! Active iterations of a segment: started, not finished.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

/// Scheduled starts of the active iterations, by user.
#[derive(Clone, Default)]
pub(super) struct ActiveIterations(Rc<RefCell<HashMap<u32, Instant>>>);

/// Guard that keeps an iteration active until it is dropped, also by a panic.
pub(super) struct ActiveGuard {
    all: ActiveIterations,
    user: u32,
}

impl ActiveIterations {
    /// Marks a user's iteration as active for the lifetime of the guard.
    pub(super) fn start(&self, user: u32, scheduled: Instant) -> ActiveGuard {
        self.0.borrow_mut().insert(user, scheduled);
        ActiveGuard { all: self.clone(), user }
    }

    /// Time since the scheduled start of each active iteration.
    pub(super) fn elapsed(&self) -> Vec<Duration> {
        self.0.borrow().values().map(Instant::elapsed).collect()
    }
}

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.all.0.borrow_mut().remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn a_panicked_iteration_is_no_longer_active() {
        let active = ActiveIterations::default();
        let (shared, local) = (active.clone(), LocalSet::new());
        let (first, _second) = (shared.start(0, Instant::now()), shared.start(1, Instant::now()));
        let iteration = local.spawn_local(async move {
            let _guard = first;
            panic!("bug in an iteration");
        });
        assert!(local.run_until(iteration).await.is_err());
        assert_eq!(active.elapsed().len(), 1);
    }
}
