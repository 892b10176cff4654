//! Early end of the load by a breach of a threshold with `abort`.
//!
//! The process of a scenario checks the scenario's thresholds while it runs, and asks the
//! coordinator through a file to end the load. The coordinator then stops all scenarios.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::ScenarioContext;
use crate::metric::Threshold;
use crate::record::outcome::SegmentOutcome;
use crate::record::{RecordError, RunDir, write_with};

/// Interval between two checks while a load runs.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Thresholds of a scenario that end the load.
#[derive(Clone)]
pub(super) struct BreachWatch(Rc<Watch>);

struct Watch {
    run: RunDir,
    thresholds: Vec<Threshold>,
    start: Instant,
    /// Segments of earlier bursts.
    before: RefCell<Vec<SegmentOutcome>>,
    error: RefCell<Option<RecordError>>,
}

impl BreachWatch {
    /// Watch of a scenario whose load starts now.
    pub(super) fn of(context: &ScenarioContext) -> Self {
        let own = context.plan.thresholds.iter().filter(|threshold| {
            threshold.metric.scenario() == Some(context.planned.id) && threshold.abort.is_some()
        });
        Self(Rc::new(Watch {
            run: context.run.clone(),
            thresholds: own.cloned().collect(),
            start: Instant::now(),
            before: RefCell::default(),
            error: RefCell::default(),
        }))
    }

    /// Whether no threshold of the scenario ends the load.
    pub(super) fn is_idle(&self) -> bool {
        self.0.thresholds.is_empty()
    }

    /// Asks for the end of the load if the segments so far breach a threshold.
    pub(super) fn check(&self, current: &[SegmentOutcome]) {
        if self.is_idle() {
            return;
        }
        let mut segments = self.0.before.borrow().clone();
        segments.extend_from_slice(current);
        let elapsed = self.0.start.elapsed();
        let ends_load = |threshold: &&Threshold| threshold.ends_load(&segments, elapsed);
        if let Some(breached) = self.0.thresholds.iter().find(ends_load) {
            let text = breached.to_string();
            let written = write_with(&self.0.run.breach(), |out| writeln!(out, "{text}"));
            *self.0.error.borrow_mut() = written.err();
        }
    }

    /// Checks the segments of a burst at its end, and keeps them for later checks.
    pub(super) fn keep(&self, ended: &[SegmentOutcome]) {
        self.check(ended);
        if !self.is_idle() {
            self.0.before.borrow_mut().extend_from_slice(ended);
        }
    }

    /// Error of the last request to end the load, if it failed.
    pub(super) fn finish(&self) -> Result<(), RecordError> {
        self.0.error.take().map_or(Ok(()), Err)
    }
}
