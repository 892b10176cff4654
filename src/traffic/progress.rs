//! Progress of a scenario, written every second while a live page follows the run.

use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::ScenarioContext;
use crate::record::outcome::ScenarioProgress;
use crate::record::write_json;

/// Interval between two writes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Does the work of a scenario, and writes its progress meanwhile if anything follows the run.
pub(super) async fn written_during<T>(
    context: &Rc<ScenarioContext>,
    work: impl Future<Output = T>,
) -> T {
    if !context.run.progress().is_dir() {
        return work.await;
    }
    let mut file = ProgressFile::new(context.run.scenario_progress(context.planned.id));
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(work);
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = ticks.tick() => file.write(context.activity.progress(context.timeline.now())),
        }
    };
    let last = context.activity.progress(context.timeline.now());
    // Iterations that were cut off are not active any more.
    file.finish(ScenarioProgress { active: 0, ..last }).await;
    result
}

/// File that is written by another thread: a slow disk delays no request. An error is none of the
/// scenario, and the page shows the progress before.
struct ProgressFile {
    path: PathBuf,
    writing: Option<JoinHandle<()>>,
}

impl ProgressFile {
    const fn new(path: PathBuf) -> Self {
        Self { path, writing: None }
    }

    /// Begins to write, unless the write before still runs.
    fn write(&mut self, progress: ScenarioProgress) {
        if self.writing.as_ref().is_none_or(JoinHandle::is_finished) {
            let path = self.path.clone();
            self.writing = Some(spawn_blocking(move || _ = write_json(&path, &progress)));
        }
    }

    /// Writes after the write before, and waits until that is done.
    async fn finish(mut self, progress: ScenarioProgress) {
        if let Some(writing) = self.writing.take() {
            _ = writing.await;
        }
        self.write(progress);
        if let Some(writing) = self.writing {
            _ = writing.await;
        }
    }
}
