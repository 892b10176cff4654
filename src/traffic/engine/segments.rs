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
    /// Planned end after the start of the load; that of a burst is when its iterations have ended.
    end: Duration,
    /// Number of iterations, if it is known beforehand.
    scheduled: u64,
    /// Whether arrivals can be dropped.
    is_open: bool,
}

impl Segments {
    /// Single segment with this number of iterations.
    pub(in crate::traffic) fn single(scheduled: u64) -> Self {
        let (kind, start, end) = (SegmentKind::Iteration, Duration::ZERO, Duration::ZERO);
        Self(vec![Segment { kind, start, end, scheduled, is_open: false }])
    }

    /// Warm-up and stages of a load that lasts for a time.
    pub(in crate::traffic) fn of(timed: &Timed) -> Self {
        let mut segments = Vec::new();
        let is_open = matches!(timed.model, Model::Arrivals { .. });
        let mut add = |kind, start, end| {
            segments.push(Segment { kind, start, end, scheduled: 0, is_open });
        };
        if !timed.warm_up.is_zero() {
            add(SegmentKind::WarmUp, Duration::ZERO, timed.warm_up);
        }
        let mut start = Duration::ZERO;
        let mut number = 0;
        for (text, end) in timed.stages() {
            // What is left of the stage after the warm-up.
            if end > timed.warm_up {
                number += 1;
                add(SegmentKind::Stage { number, text }, start.max(timed.warm_up), end);
            }
            start = end;
        }
        Self(segments)
    }

    /// Segments of which the last one ends later: users that a ramp delays go on after its planned
    /// end, and their iterations count in it.
    pub(in crate::traffic) fn extended_by(mut self, time: Duration) -> Self {
        if let Some(last) = self.0.last_mut() {
            last.end = last.end.saturating_add(time);
        }
        self
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
            ended: now.plus(segment.end),
            ..SegmentOutcome::begin(now.plus(segment.start), segment.scheduled)
        };
        self.0.iter().map(begin).collect()
    }

    /// Outcomes at the end: those of segments that have begun.
    pub(super) fn finish(mut outcomes: Vec<SegmentOutcome>) -> Vec<SegmentOutcome> {
        let began = outcomes.iter().rposition(|segment| segment.scheduled > 0).unwrap_or(0);
        outcomes.truncate(began + 1);
        outcomes
    }
}
