//! Early end of the load by a breach of a threshold with `abort`.
//!
//! The process of a scenario checks those of the scenario's thresholds whose figures are known while
//! it runs, and asks the coordinator through a file to end the load. The coordinator then stops all
//! scenarios.

use std::cell::RefCell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use super::ScenarioContext;
use crate::clock::Timeline;
use crate::metric::{ScenarioMetric, Threshold};
use crate::record::outcome::SegmentOutcome;
use crate::record::{RecordError, RunDir, write_with};
use crate::scenario::Work;

/// Interval between two checks while a load runs.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Thresholds of a scenario that end the load.
#[derive(Clone)]
pub(super) struct BreachWatch(Rc<Watch>);

struct Watch {
    run: RunDir,
    timeline: Timeline,
    thresholds: Vec<Threshold>,
    /// Whether iterations count only after a load, as those of `sky` processes do.
    judges_after_load: bool,
    /// Segments of earlier bursts.
    before: RefCell<Vec<SegmentOutcome>>,
    error: RefCell<Option<RecordError>>,
}

impl BreachWatch {
    /// Watch of a scenario.
    pub(super) fn of(context: &ScenarioContext) -> Self {
        let own = context.plan.thresholds.iter().filter(|threshold| {
            threshold.metric.scenario() == Some(context.planned.id) && threshold.abort.is_some()
        });
        let judges_after_load = matches!(context.scenario.work, Work::Cli(_));
        Self::new(context.run.clone(), context.timeline, own.cloned().collect(), judges_after_load)
    }

    fn new(
        run: RunDir,
        timeline: Timeline,
        thresholds: Vec<Threshold>,
        judges_after_load: bool,
    ) -> Self {
        let (before, error) = (RefCell::default(), RefCell::default());
        Self(Rc::new(Watch { run, timeline, thresholds, judges_after_load, before, error }))
    }

    /// Whether no threshold of the scenario ends a load that runs.
    pub(super) fn is_idle(&self) -> bool {
        self.of_running_load().next().is_none()
    }

    /// Thresholds whose figures are known while a load runs.
    fn of_running_load(&self) -> impl Iterator<Item = &Threshold> {
        let is_known = |threshold: &&Threshold| {
            // Before its iterations are judged, a healthy load has completed none.
            !self.0.judges_after_load || threshold.metric.statistic == ScenarioMetric::Dropped
        };
        self.0.thresholds.iter().filter(is_known)
    }

    /// Asks for the end of the load if the segments so far breach a threshold.
    pub(super) fn check(&self, current: &[SegmentOutcome]) {
        self.check_any(self.of_running_load(), &self.with_earlier(current));
    }

    /// Checks the segments of a burst at its end, and keeps them for later checks.
    pub(super) fn keep(&self, ended: &[SegmentOutcome]) {
        if self.0.thresholds.is_empty() {
            return;
        }
        let segments = self.with_earlier(ended);
        self.check_any(self.0.thresholds.iter(), &segments);
        *self.0.before.borrow_mut() = segments;
    }

    fn with_earlier(&self, current: &[SegmentOutcome]) -> Vec<SegmentOutcome> {
        [self.0.before.borrow().as_slice(), current].concat()
    }

    fn check_any<'a>(
        &self,
        mut thresholds: impl Iterator<Item = &'a Threshold>,
        segments: &[SegmentOutcome],
    ) {
        let now = self.0.timeline.now();
        if let Some(breached) = thresholds.find(|threshold| threshold.ends_load(segments, now)) {
            let text = breached.to_string();
            let written = write_with(&self.0.run.breach(), |out| writeln!(out, "{text}"));
            *self.0.error.borrow_mut() = written.err();
        }
    }

    /// Error of the last request to end the load, if it failed.
    pub(super) fn finish(&self) -> Result<(), RecordError> {
        self.0.error.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::clock::Timestamp;
    use crate::metric::Abort;

    /// Watch with this threshold, and segments of a load that has run for a minute without a
    /// completed iteration.
    fn watched(
        folder: &tempfile::TempDir,
        threshold: &str,
        judges_after_load: bool,
    ) -> (BreachWatch, RunDir, Vec<SegmentOutcome>) {
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let timeline = Timeline::start();
        let threshold: Threshold = threshold.parse().unwrap();
        let abort = Some(Abort { after: Duration::from_secs(30) });
        let thresholds = vec![Threshold { abort, ..threshold }];
        let now = timeline.now();
        let began = Timestamp::from_micros(now.as_micros() - 60_000_000);
        let running =
            SegmentOutcome { dropped: Some(3), ended: now, ..SegmentOutcome::begin(began, 5) };
        let watch = BreachWatch::new(run.clone(), timeline, thresholds, judges_after_load);
        (watch, run, vec![running])
    }

    #[rstest]
    #[case::iterations_that_count_at_their_end("api:status throughput > 0.1/s", false, true)]
    #[case::iterations_that_are_judged_later("cli:status throughput > 0.1/s", true, false)]
    #[case::dropped_arrivals_that_are_known("cli:status dropped < 3", true, true)]
    fn a_running_load_ends_only_by_figures_that_are_known(
        #[case] threshold: &str,
        #[case] judges_after_load: bool,
        #[case] ends: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (watch, run, running) = watched(&folder, threshold, judges_after_load);
        watch.check(&running);
        assert_eq!((watch.is_idle(), run.breach().exists()), (!ends, ends));
        watch.finish().unwrap();
    }

    #[test]
    fn a_burst_that_has_been_judged_ends_the_load() {
        let folder = tempfile::tempdir().unwrap();
        let (watch, run, ended) = watched(&folder, "cli:status throughput > 0.1/s", true);
        watch.keep(&ended);
        assert!(run.breach().exists());
        watch.finish().unwrap();
    }
}
