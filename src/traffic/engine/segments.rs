//! Segments of a load: a burst is one, and each stage of another shape.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::record::outcome::{SegmentKind, SegmentOutcome};
use crate::shape::{Model, Timed};

/// Segments of a load, in order of time.
#[derive(Clone, Debug)]
pub(in crate::traffic) struct Segments(Vec<Segment>);

/// Segment of a load.
#[derive(Clone, Debug)]
struct Segment {
    kind: SegmentKind,
    /// Start after that of the load.
    start: Duration,
    /// Number of iterations, if it is known beforehand.
    scheduled: u64,
    /// Whether arrivals can be dropped.
    is_open: bool,
}

impl Segments {
    /// Single segment with this number of iterations.
    pub(in crate::traffic) fn single(scheduled: u64) -> Self {
        let (kind, start) = (SegmentKind::Iteration, Duration::ZERO);
        Self(vec![Segment { kind, start, scheduled, is_open: false }])
    }

    /// Warm-up and stages of a load that lasts for a time.
    pub(in crate::traffic) fn of(timed: &Timed) -> Self {
        let mut segments = Vec::new();
        let is_open = matches!(timed.model, Model::Arrivals { .. });
        let mut add = |kind, start| segments.push(Segment { kind, start, scheduled: 0, is_open });
        if !timed.warm_up.is_zero() {
            add(SegmentKind::WarmUp, Duration::ZERO);
        }
        let mut start = Duration::ZERO;
        for (number, (text, end)) in (1..).zip(timed.stages()) {
            // What is left of the stage after the warm-up.
            if end > timed.warm_up {
                add(SegmentKind::Stage { number, text }, start.max(timed.warm_up));
            }
            start = end;
        }
        Self(segments)
    }

    /// Number of the segment at a time after the start of the load.
    pub(super) fn at(&self, offset: Duration) -> usize {
        let after = self.0.iter().skip(1);
        after.take_while(|segment| segment.start <= offset).count()
    }

    /// Outcomes of a load that starts now.
    pub(super) fn begin(&self, now: Timestamp) -> Vec<SegmentOutcome> {
        let begin = |segment: &Segment| SegmentOutcome {
            kind: segment.kind.clone(),
            dropped: segment.is_open.then_some(0),
            ..SegmentOutcome::begin(now.plus(segment.start), segment.scheduled)
        };
        self.0.iter().map(begin).collect()
    }

    /// Outcomes at the end: those of segments that have begun.
    pub(super) fn finish(&self, outcomes: Vec<SegmentOutcome>) -> Vec<SegmentOutcome> {
        let mut outcomes = outcomes;
        // A stage lasts until the next one begins, or longer if its iterations do.
        for number in 1..outcomes.len() {
            if outcomes[number].scheduled > 0 {
                let next = outcomes[number].began;
                let before = &mut outcomes[number - 1];
                before.ended = before.ended.max(next);
            }
        }
        let began = outcomes.iter().rposition(|segment| segment.scheduled > 0).unwrap_or(0);
        outcomes.truncate(began + 1);
        outcomes
    }
}
