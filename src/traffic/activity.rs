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
use crate::record::outcome::{Activity, ActivityWindow, Latencies, SegmentOutcome, WindowLatency};
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
}

impl ActivityLog {
    /// Log of a scenario of this plan. All scenarios of a plan have windows of one length.
    pub(super) fn of(plan: &LoadPlan) -> Self {
        let timed = plan.scenarios.iter().filter_map(|planned| planned.shape.timed());
        let window = window_of(timed.map(Timed::longest).max().unwrap_or_default());
        Self(Rc::new(RefCell::new(Recorder { window, windows: BTreeMap::new(), open: None })))
    }

    /// Counts a start.
    pub(super) fn start(&self, at: Timestamp) {
        self.0.borrow_mut().window(at).started += 1;
    }

    /// Counts an arrival without a start.
    pub(super) fn drop_arrival(&self, at: Timestamp) {
        self.0.borrow_mut().window(at).dropped += 1;
    }

    /// Counts an end.
    pub(super) fn end(&self, at: Timestamp) {
        self.0.borrow_mut().window(at).ended += 1;
    }

    /// Adds to a segment by `add`, and counts here what it counted there: failures, and the latency
    /// of an iteration that ended at `at`. Ends come in their order.
    pub(super) fn add(
        &self,
        at: Timestamp,
        duration: Option<Duration>,
        segment: &mut SegmentOutcome,
        add: impl FnOnce(&mut SegmentOutcome),
    ) {
        let (failed, durations) = (segment.failed, segment.iteration_duration.count());
        add(segment);
        let mut recorder = self.0.borrow_mut();
        let failed = segment.failed.saturating_sub(failed);
        if failed > 0 {
            recorder.window(at).failed += failed;
        }
        match duration {
            Some(duration) if segment.iteration_duration.count() > durations => {
                recorder.record(at, duration);
            }
            _ => {}
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
    }

    /// Keeps the percentiles of the durations so far.
    fn close(&mut self) {
        let Some((at, latencies)) = self.open.take() else { return };
        let percentile = |percent| latencies.percentile(percent);
        let latency = percentile(50.0).zip(percentile(95.0)).zip(latencies.max());
        let latency = latency.map(|((p50, p95), max)| WindowLatency { p50, p95, max });
        self.window(at).latency = latency;
    }
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
        let recorder = Recorder { window: millis(1000), windows: BTreeMap::new(), open: None };
        let log = ActivityLog(Rc::new(RefCell::new(recorder)));
        let mut segment = SegmentOutcome::begin(second(1), 2);
        log.start(second(1));
        log.start(second(1));
        log.drop_arrival(second(2));
        for (at, millis, fails) in [(3, 1500, true), (3, 2000, false), (4, 2500, false)] {
            log.end(second(at));
            log.add(second(at), Some(Duration::from_millis(millis)), &mut segment, |segment| {
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
        let log = ActivityLog(Rc::new(RefCell::new(Recorder {
            window: Duration::from_secs(1),
            windows: BTreeMap::new(),
            open: None,
        })));
        let at = Timestamp::from_micros(1);
        let mut segment = SegmentOutcome::begin(at, 1);
        log.end(at);
        log.add(at, Some(Duration::from_secs(1)), &mut segment, |one| one.interrupted += 1);
        let windows = log.finish().expect("there was some").windows;
        assert_eq!((windows[0].ended, windows[0].latency), (1, None));
    }
}
