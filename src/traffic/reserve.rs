//! Open files that are held back while iterations run.
//!
//! Connections may take all that a process may have. What happened has to be written down
//! all the same, and scenarios have to meet at the start line.

use std::fs::File;

/// So many are open at once for anything that is no iteration.
const HELD_BACK: usize = 8;

/// Open files that are held back.
#[derive(Debug)]
pub(super) struct Reserve(Vec<File>);

impl Reserve {
    /// Holds some back, or as many of them as there are.
    pub(super) fn hold() -> Self {
        Self((0..HELD_BACK).map_while(|_| File::open("/dev/null").ok()).collect())
    }

    /// Gives them up, and holds them back again when `work` is done.
    pub(super) async fn lend<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.0.clear();
        let done = work.await;
        *self = Self::hold();
        done
    }
}
