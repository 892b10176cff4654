//! Iterations of a segment that have begun and not ended.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

/// Iterations that are under way, by user, with the moments for which they were scheduled.
#[derive(Clone, Default)]
pub(super) struct UnderWay(Rc<RefCell<HashMap<u32, Instant>>>);

/// An iteration that is under way for as long as this lives: also where it ends in a panic.
pub(super) struct Begun {
    all: UnderWay,
    user: u32,
}

impl UnderWay {
    /// Notes that a user's iteration has begun.
    pub(super) fn begin(&self, user: u32, scheduled: Instant) -> Begun {
        self.0.borrow_mut().insert(user, scheduled);
        Begun { all: self.clone(), user }
    }

    /// How long each has taken so far.
    pub(super) fn took(&self) -> Vec<Duration> {
        self.0.borrow().values().map(Instant::elapsed).collect()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.0.borrow_mut().remove(&self.user);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn an_iteration_that_panics_is_under_way_no_longer() {
        let under_way = UnderWay::default();
        let (ours, local) = (under_way.clone(), LocalSet::new());
        let (first, _second) = (ours.begin(0, Instant::now()), ours.begin(1, Instant::now()));
        let iteration = local.spawn_local(async move {
            let _begun = first;
            panic!("a fault of ours");
        });
        assert!(local.run_until(iteration).await.is_err());
        assert_eq!(under_way.took().len(), 1);
    }
}
