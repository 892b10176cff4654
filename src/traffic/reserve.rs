//! Reserve of file descriptors for everything but iterations.
//!
//! Connections of users may take all file descriptors of the process. The outcome must still
//! be written, and scenarios must still meet at the barrier.

use std::fs::File;

/// Number of files that are open concurrently outside of iterations.
const RESERVED: usize = 8;

/// File descriptors that iterations cannot take.
#[derive(Debug)]
pub(super) struct ReservedFiles(Vec<File>);

impl ReservedFiles {
    /// Opens the reserve, or as much of it as the limit on open files permits.
    pub(super) fn open() -> Self {
        Self((0..RESERVED).map_while(|_| File::open("/dev/null").ok()).collect())
    }

    /// Runs `work` with the reserve closed, then opens the reserve again.
    pub(super) async fn release_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.0.clear();
        let done = work.await;
        // May get fewer files than before: connections may have taken the descriptors meanwhile.
        *self = Self::open();
        done
    }
}
