//! One user's iteration: how long each step took, and what became of each request.

use std::time::Duration;

use serde_json::Value;

use crate::api::unexpected_response;
use crate::record::outcome::{Failure, SegmentOutcome, Tally};
use crate::scenario::{Circumstances, Expectation, Refusal, Ruling};

/// What one iteration brought.
#[derive(Debug, Default)]
pub(super) struct Iteration {
    /// Added to the names of steps, where iterations run in several places.
    place: String,
    steps: Vec<(String, Duration)>,
    tally: Tally,
    failed: bool,
    client_failed: bool,
    refused: bool,
    unjudged: bool,
    retries: u64,
}

impl Iteration {
    /// An iteration on one of several infrastructures, or on the only one.
    pub(super) fn at(place: Option<&str>) -> Self {
        let place = place.map(|place| format!(" @{place}")).unwrap_or_default();
        Self { place, ..Self::default() }
    }

    /// Notes how long a step took.
    pub(super) fn step(&mut self, name: impl Into<String>, took: Duration) {
        self.steps.push((name.into() + &self.place, took));
    }

    /// Whether any of its requests failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed || self.client_failed
    }

    /// Notes how often something was sent again.
    pub(super) fn retried(&mut self, times: u64) {
        self.retries += times;
    }

    /// Notes a request that failed.
    pub(super) fn fail(&mut self, failure: Failure) {
        match failure.client_fault() {
            Some(_) => self.client_failed = true,
            None => self.failed = true,
        }
        self.tally.add(failure, None);
    }

    /// Notes a failure that may be a refusal which is the right answer.
    pub(super) fn fail_unless_right<'a>(
        &mut self,
        failure: Failure,
        refusals: impl Iterator<Item = &'a Refusal>,
        circumstances: Circumstances,
    ) {
        let mut unknown = None;
        for refusal in refusals {
            match refusal.rule(&failure.error_type, &failure.message, circumstances) {
                Ruling::Right => {
                    self.refused = true;
                    return self.tally.add(failure, Some(refusal.reason));
                }
                Ruling::Unknown => unknown = unknown.or(Some(refusal.when)),
                Ruling::Wrong => {}
            }
        }
        match unknown {
            None => self.fail(failure),
            Some(when) => {
                self.unjudged = true;
                self.tally.add_unjudged(failure, when.servers());
            }
        }
    }

    /// Judges the result of a request. What is wrong of a value is quoted by `excerpt`, which
    /// knows what must not be.
    pub(super) fn judge(
        &mut self,
        step: &str,
        result: Result<Value, Failure>,
        expect: &Expectation,
        circumstances: Circumstances,
        excerpt: impl Fn(&Value) -> String,
    ) {
        match result {
            Err(failure) => self.fail_unless_right(failure, expect.refusals.iter(), circumstances),
            Ok(value) if expect.value.fits(&value) => {}
            Ok(value) => {
                let wanted = expect.value.name();
                let text = excerpt(&value);
                self.fail(unexpected_response(step, 200, format!("expected {wanted}, got {text}")));
            }
        }
    }

    /// Adds the iteration, which took `whole` from its scheduled start, to its segment.
    pub(super) fn add_to(self, segment: &mut SegmentOutcome, whole: Duration) {
        segment.tally.add_all(&self.tally);
        segment.retries += self.retries;
        match (self.failed, self.client_failed, self.unjudged, self.refused) {
            (true, _, _, _) => segment.failed += 1,
            (false, true, _, _) => {
                // A connection that was never made is not a fast one.
                segment.client_failed += 1;
                return;
            }
            (false, false, true, _) => segment.unjudged += 1,
            (false, false, false, true) => segment.expected_errors += 1,
            (false, false, false, false) => segment.succeeded += 1,
        }
        segment.iteration_duration.record(whole);
        for (step, took) in self.steps {
            segment.steps.entry(step).or_default().record(took);
        }
    }
}
