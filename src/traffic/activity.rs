//! Activity of a scenario over time, recorded while it runs.
//!
//! Counts are kept per window, durations only until a later window has one. Memory therefore grows
//! with the number of windows, not with that of iterations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::plan::LoadPlan;
use crate::record::outcome::{
    Activity, ActivityWindow, Latencies, ScenarioProgress, SegmentOutcome, WindowLatency,
};
use crate::shape::Timed;

/// Maximum number of windows of a load that lasts for a time.
const MAX_WINDOWS: u32 = 900;

/// Recorder of a scenario's activity, shared by all of its loads.
#[derive(Clone)]
pub(super) struct ActivityLog(Rc<RefCell<Recorder>>);

struct Recorder {
    window: Duration,
    windows: BTreeMap<Timestamp, ActivityWindow>,
    /// Window with the latest durations, and these durations.
    open: Option<(Timestamp, Latencies)>,
    so_far: Counts,
    /// Durations since the last progress; `None` if nothing asks for progress.
    recent: Option<Latencies>,
}

/// Counts of a scenario since its start.
#[derive(Clone, Copy, Default)]
struct Counts {
    started: u64,
    ended: u64,
    failed: u64,
    dropped: u64,
}

impl Counts {
    /// Counts iterations as failed and ended, and as started those that were not.
    fn fail(&mut self, count: u64) {
        self.failed += count;
        self.ended += count;
        self.started = self.started.max(self.ended);
    }
}

impl ActivityLog {
    /// Log of a scenario of this plan. All scenarios of a plan have windows of one length.
    pub(super) fn of(plan: &LoadPlan) -> Self {
        let timed = plan.scenarios.iter().filter_map(|planned| planned.shape.timed());
        let window = window_of(timed.map(Timed::longest).max().unwrap_or_default());
        Self(Rc::new(RefCell::new(Recorder::with(window))))
    }

    /// Counts a start.
    pub(super) fn start(&self, at: Timestamp) {
        let mut recorder = self.0.borrow_mut();
        recorder.window(at).started += 1;
        recorder.so_far.started += 1;
    }

    /// Counts an arrival without a start.
    pub(super) fn drop_arrival(&self, at: Timestamp) {
        let mut recorder = self.0.borrow_mut();
        recorder.window(at).dropped += 1;
        recorder.so_far.dropped += 1;
    }

    /// Counts an end.
    pub(super) fn end(&self, at: Timestamp) {
        let mut recorder = self.0.borrow_mut();
        recorder.window(at).ended += 1;
        recorder.so_far.ended += 1;
    }

    /// Adds to a segment by `add`, and counts here what it counted there: failures, and the latency
    /// of an iteration that ended at `at`. Ends come in their order.
    pub(super) fn add(
        &self,
        at: Timestamp,
        duration: Duration,
        segment: &mut SegmentOutcome,
        add: impl FnOnce(&mut SegmentOutcome),
    ) {
        let (failed, durations) = (segment.failed, segment.iteration_duration.count());
        add(segment);
        let mut recorder = self.0.borrow_mut();
        let failed = segment.failed.saturating_sub(failed);
        if failed > 0 {
            recorder.window(at).failed += failed;
            recorder.so_far.failed += failed;
        }
        if segment.iteration_duration.count() > durations {
            recorder.record(at, duration);
        }
    }

    /// Counts iterations as failed that a time limit cuts off at `at`, active or not started. The
    /// window has no ends of theirs.
    pub(super) fn cut_off(&self, at: Timestamp, count: u64) {
        if count == 0 {
            return;
        }
        let mut recorder = self.0.borrow_mut();
        recorder.window(at).failed += count;
        recorder.so_far.fail(count);
    }

    /// Counts iterations as failed that cannot start. They are in no window: nothing happened.
    pub(super) fn fail_unstarted(&self, count: u64) {
        self.0.borrow_mut().so_far.fail(count);
    }

    /// Progress at `at`, with the latencies since the progress before. The first one has none.
    pub(super) fn progress(&self, at: Timestamp) -> ScenarioProgress {
        let mut recorder = self.0.borrow_mut();
        let recent = recorder.recent.replace(Latencies::default());
        let Counts { started, ended, failed, dropped } = recorder.so_far;
        ScenarioProgress {
            at,
            started,
            ended,
            failed,
            dropped,
            active: started.saturating_sub(ended),
            latency: recent.as_ref().and_then(summary),
        }
    }

    /// Activity so far; `None` if there was none.
    pub(super) fn finish(&self) -> Option<Activity> {
        let mut recorder = self.0.borrow_mut();
        recorder.close();
        let windows: Vec<ActivityWindow> =
            std::mem::take(&mut recorder.windows).into_values().collect();
        (!windows.is_empty()).then_some(Activity { window: recorder.window, windows })
    }
}

impl Recorder {
    fn with(window: Duration) -> Self {
        let (windows, so_far) = (BTreeMap::new(), Counts::default());
        Self { window, windows, open: None, so_far, recent: None }
    }

    fn window(&mut self, at: Timestamp) -> &mut ActivityWindow {
        let at = start_of(at, self.window);
        self.windows.entry(at).or_insert(ActivityWindow {
            at,
            started: 0,
            ended: 0,
            failed: 0,
            dropped: 0,
            latency: None,
        })
    }

    fn record(&mut self, at: Timestamp, duration: Duration) {
        let at = start_of(at, self.window);
        if self.open.as_ref().is_none_or(|(open, _)| *open != at) {
            self.close();
        }
        let (_, latencies) = self.open.get_or_insert_with(|| (at, Latencies::default()));
        latencies.record(duration);
        if let Some(recent) = &mut self.recent {
            recent.record(duration);
        }
    }

    /// Keeps the percentiles of the durations so far.
    fn close(&mut self) {
        let Some((at, latencies)) = self.open.take() else { return };
        self.window(at).latency = summary(&latencies);
    }
}

/// Percentiles of durations; `None` if there are none.
fn summary(latencies: &Latencies) -> Option<WindowLatency> {
    let percentile = |percent| latencies.percentile(percent);
    let latency = percentile(50.0).zip(percentile(95.0)).zip(latencies.max());
    latency.map(|((p50, p95), max)| WindowLatency { p50, p95, max })
}

/// Length of a window for a load that lasts `longest`: whole seconds, at least one.
fn window_of(longest: Duration) -> Duration {
    let seconds = (longest.as_secs_f64() / f64::from(MAX_WINDOWS)).ceil();
    Duration::try_from_secs_f64(seconds.max(1.0)).unwrap_or(longest)
}

/// Start of the window with a time.
fn start_of(at: Timestamp, window: Duration) -> Timestamp {
    let length = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
    Timestamp::from_micros(at.as_micros() / length * length)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::burst(0, 1)]
    #[case::a_quarter_of_an_hour(900, 1)]
    #[case::an_hour(3600, 4)]
    #[case::a_little_more(3601, 5)]
    fn a_window_is_a_second_or_a_900th_part_of_the_load(#[case] load: u64, #[case] window: u64) {
        assert_eq!(window_of(Duration::from_secs(load)), Duration::from_secs(window));
    }

    #[test]
    fn a_window_has_what_happened_in_it() {
        let second = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000 + 250_000);
        let millis = Duration::from_millis;
        let log = ActivityLog(Rc::new(RefCell::new(Recorder::with(millis(1000)))));
        let mut segment = SegmentOutcome::begin(second(1), 2);
        log.start(second(1));
        log.start(second(1));
        log.drop_arrival(second(2));
        for (at, millis, fails) in [(3, 1500, true), (3, 2000, false), (4, 2500, false)] {
            log.end(second(at));
            log.add(second(at), Duration::from_millis(millis), &mut segment, |segment| {
                segment.iteration_duration.record(Duration::from_millis(millis));
                segment.failed += u64::from(fails);
            });
        }
        let activity = log.finish().expect("there was some");
        let counts: Vec<_> = activity
            .windows
            .iter()
            .map(|one| (one.at.as_micros(), one.started, one.ended, one.failed, one.dropped))
            .collect();
        let expected = [
            (1_000_000, 2, 0, 0, 0),
            (2_000_000, 0, 0, 0, 1),
            (3_000_000, 0, 2, 1, 0),
            (4_000_000, 0, 1, 0, 0),
        ];
        assert_eq!(counts, expected);
        assert_eq!(activity.windows[0].latency, None, "none ended");
        let longest: Vec<_> =
            activity.windows.iter().filter_map(|one| one.latency).map(|one| one.max).collect();
        assert!(longest[0] >= millis(2000) && longest[0] < millis(2010), "{longest:?}");
        assert_eq!(Some(longest[1]), segment.iteration_duration.max());
    }

    #[test]
    fn an_iteration_that_is_in_no_latency_of_its_segment_is_in_none_here() {
        let log = ActivityLog(Rc::new(RefCell::new(Recorder::with(Duration::from_secs(1)))));
        let at = Timestamp::from_micros(1);
        let mut segment = SegmentOutcome::begin(at, 1);
        log.end(at);
        log.add(at, Duration::from_secs(1), &mut segment, |one| one.interrupted += 1);
        let windows = log.finish().expect("there was some").windows;
        assert_eq!((windows[0].ended, windows[0].latency), (1, None));
    }

    #[test]
    fn iterations_without_an_end_of_their_own_are_none_of_the_active_ones() {
        let log = ActivityLog(Rc::new(RefCell::new(Recorder::with(Duration::from_secs(1)))));
        let at = Timestamp::from_micros(1);
        let counts = || {
            let progress = log.progress(at);
            (progress.started, progress.ended, progress.failed, progress.active)
        };
        log.cut_off(at, 0);
        log.fail_unstarted(2);
        assert_eq!((counts(), log.0.borrow().windows.len()), ((2, 2, 2, 0), 0));
        log.start(at);
        log.start(at);
        log.end(at);
        // The active one, and two that have not started; of two segments.
        log.cut_off(at, 1);
        log.cut_off(at, 2);
        assert_eq!(counts(), (6, 6, 5, 0));
        let window = &log.finish().expect("there was some").windows[0];
        assert_eq!((window.started, window.ended, window.failed), (2, 1, 3));
    }

    #[test]
    fn progress_counts_from_the_start_and_has_the_latencies_since_the_one_before() {
        let log = ActivityLog(Rc::new(RefCell::new(Recorder::with(Duration::from_secs(1)))));
        let second = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
        let mut segment = SegmentOutcome::begin(second(1), 2);
        let before = log.progress(second(0));
        assert_eq!((before.started, before.active, before.latency), (0, 0, None));
        log.start(second(1));
        log.start(second(1));
        log.end(second(2));
        let took = Duration::from_secs(1);
        log.add(second(2), took, &mut segment, |segment| {
            segment.iteration_duration.record(took);
            segment.failed += 1;
        });
        let progress = log.progress(second(3));
        let counts = (progress.started, progress.ended, progress.failed, progress.active);
        assert_eq!(counts, (2, 1, 1, 1));
        assert!(progress.latency.is_some_and(|latency| latency.max >= took));
        let idle = log.progress(second(4));
        assert_eq!((idle.ended, idle.latency), (1, None), "none ended since");
    }
}
