//! Driver of held connections: a task for each user, whose iteration is a connection that lasts
//! until the load is over. After the loss of one, the user opens another.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Driver, IterationId, Message, Reporter, Segments};

/// Driver of held connections.
pub(in crate::traffic) struct HeldLoad<P> {
    /// Start of each user after that of the load.
    pub(in crate::traffic) starts: Vec<Duration>,
    /// Whether the load is over. Iterations end then by themselves.
    pub(in crate::traffic) is_over: watch::Receiver<bool>,
    /// Pause of a user before its next connection.
    pub(in crate::traffic) pause: P,
}

impl<P: Fn(u32) -> Duration + 'static> Driver for HeldLoad<P> {
    fn spawn<T: 'static, F: Future<Output = T> + 'static>(
        self,
        start: Instant,
        _segments: Rc<Segments>,
        reporter: Reporter<T>,
        iteration: Rc<dyn Fn(IterationId) -> F>,
    ) {
        let pause = Rc::new(self.pause);
        for (user, offset) in (0..).zip(self.starts) {
            let (reporter, iteration) = (reporter.clone(), Rc::clone(&iteration));
            let (mut is_over, pause) = (self.is_over.clone(), Rc::clone(&pause));
            tokio::task::spawn_local(async move {
                let mut scheduled = start + offset;
                for number in 0.. {
                    tokio::select! {
                        biased;
                        // An error means the same: no task would tell the end of the load.
                        _ = is_over.wait_for(|is_over| *is_over) => return,
                        () = sleep_until(scheduled) => {}
                    }
                    // The load of held connections is a single segment.
                    reporter.send(Message::Scheduled(0));
                    let iteration = iteration(IterationId { user, number });
                    reporter.run(0, user, scheduled, iteration).await;
                    scheduled = Instant::now() + pause(user);
                }
            });
        }
    }
}
