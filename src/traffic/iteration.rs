//! Result of one user's iteration: durations of its steps, and failures of its requests.

use std::time::Duration;

use serde_json::Value;

use super::engine::FinishedIteration;
use crate::api::unexpected_response;
use crate::clock::{Timeline, Timestamp};
use crate::record::outcome::{Failure, SegmentOutcome, SuspectedWedge, Tally, error_type};
use crate::scenario::{Assessment, Circumstances, Expectation, ExpectedError};

/// Adds an iteration that is judged by itself to its segment.
pub(super) fn add_to_segment(
    _: usize,
    segment: &mut SegmentOutcome,
    finished: FinishedIteration<Iteration>,
) {
    finished.iteration.add_to(segment, finished.duration);
}

/// Clock of an iteration's failures.
#[derive(Clone, Copy, Debug)]
pub(super) enum FailureClock {
    /// Time at which a failure is recorded: for an iteration that notices each at once.
    Now(Timeline),
    /// Time before which all failures happened: for an iteration that is judged after its end.
    Ended(Timestamp),
}

impl FailureClock {
    fn time(&self) -> Timestamp {
        match self {
            Self::Now(timeline) => timeline.now(),
            Self::Ended(at) => *at,
        }
    }
}

/// Result of one iteration.
#[derive(Clone, Debug)]
pub(super) struct Iteration {
    clock: FailureClock,
    /// Suffix of step names: the infra, if the scenario runs on several.
    step_suffix: String,
    steps: Vec<(String, Duration)>,
    tally: Tally,
    failed: bool,
    client_failed: bool,
    has_expected_error: bool,
    unjudged: bool,
    interrupted: bool,
    retries: u64,
    suspected_wedges: Vec<SuspectedWedge>,
}

impl Iteration {
    /// Empty result of an iteration, whose step names get `infra` as a suffix.
    pub(super) fn on(infra: Option<&str>, clock: FailureClock) -> Self {
        Self {
            clock,
            step_suffix: infra.map(|infra| format!(" @{infra}")).unwrap_or_default(),
            steps: Vec::new(),
            tally: Tally::default(),
            failed: false,
            client_failed: false,
            has_expected_error: false,
            unjudged: false,
            interrupted: false,
            retries: 0,
            suspected_wedges: Vec::new(),
        }
    }

    /// Records the duration of a step.
    pub(super) fn step(&mut self, name: impl Into<String>, took: Duration) {
        self.steps.push((name.into() + &self.step_suffix, took));
    }

    /// Whether any request has failed, expected errors excluded.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed || self.client_failed
    }

    /// Records the number of retries of a request.
    pub(super) fn add_retries(&mut self, count: u64) {
        self.retries += count;
    }

    /// Marks the iteration as interrupted: neither failed nor in a latency.
    pub(super) const fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Records a request that failed.
    pub(super) fn fail(&mut self, failure: Failure) {
        // A request that this machine could not send says nothing about the server.
        match failure.client_fault() {
            Some(_) => self.client_failed = true,
            None => self.failed = true,
        }
        self.tally.add(self.clock.time(), failure, None);
    }

    /// Records a request that did not end within the limit of its scenario.
    pub(super) fn suspect(&mut self, step: &str, wedge: SuspectedWedge) {
        self.fail(Failure {
            step: step.to_owned(),
            status: None,
            error_type: error_type::SUSPECTED_WEDGE.to_owned(),
            message: wedge.excess(),
        });
        self.suspected_wedges.push(wedge);
    }

    /// Records a failure unless it is one of `expected_errors`, which are counted separately.
    pub(super) fn fail_unless_expected<'a>(
        &mut self,
        failure: Failure,
        expected_errors: impl Iterator<Item = &'a ExpectedError>,
        circumstances: Circumstances,
    ) {
        let mut unknown = None;
        for expected in expected_errors {
            match expected.assess(&failure.error_type, &failure.message, circumstances) {
                Assessment::Expected => {
                    self.has_expected_error = true;
                    return self.tally.add(self.clock.time(), failure, Some(expected.reason));
                }
                // Not final: a later entry may match with certainty.
                Assessment::Unknown => unknown = unknown.or(Some(expected.when)),
                Assessment::Unexpected => {}
            }
        }
        match unknown {
            None => self.fail(failure),
            Some(when) => {
                self.unjudged = true;
                self.tally.add_unjudged(self.clock.time(), failure, when.servers());
            }
        }
    }

    /// Judges the result of a request. An unexpected value is quoted through `excerpt`, which
    /// removes credentials.
    pub(super) fn judge(
        &mut self,
        step: &str,
        result: Result<Value, Failure>,
        expect: &Expectation,
        circumstances: Circumstances,
        excerpt: impl Fn(&Value) -> String,
    ) {
        match result {
            Err(failure) => self.fail_unless_expected(failure, expect.errors.iter(), circumstances),
            Ok(value) if expect.value.fits(&value) => {}
            Ok(value) => {
                let wanted = expect.value.name();
                let text = excerpt(&value);
                self.fail(unexpected_response(step, 200, format!("expected {wanted}, got {text}")));
            }
        }
    }

    /// Iteration that continues with `next`. After a failure, another one of `next` would only be a
    /// consequence.
    pub(super) fn followed_by(mut self, next: Self) -> Self {
        self.steps.extend(next.steps);
        self.retries += next.retries;
        self.suspected_wedges.extend(next.suspected_wedges);
        if !self.has_failed() {
            self.tally.add_all(&next.tally);
            (self.failed, self.client_failed) = (next.failed, next.client_failed);
        }
        self
    }

    /// Adds the iteration to its segment. `duration` counts from its scheduled start.
    pub(super) fn add_to(mut self, segment: &mut SegmentOutcome, duration: Duration) {
        segment.tally.add_all(&self.tally);
        segment.retries += self.retries;
        segment.suspected_wedges.append(&mut self.suspected_wedges);
        if self.interrupted {
            segment.interrupted += 1;
            return;
        }
        // An iteration is counted once, by the most serious of its results.
        match (self.failed, self.client_failed, self.unjudged, self.has_expected_error) {
            (true, _, _, _) => segment.failed += 1,
            (false, true, _, _) => {
                // The duration is not recorded: requests that the load generator could not
                // send would count as fast ones.
                segment.client_failed += 1;
                return;
            }
            (false, false, true, _) => segment.unjudged += 1,
            (false, false, false, true) => segment.expected_errors += 1,
            (false, false, false, false) => segment.succeeded += 1,
        }
        segment.iteration_duration.record(duration);
        self.add_steps_to(segment);
    }

    /// Adds the durations of the steps to a segment.
    pub(super) fn add_steps_to(self, segment: &mut SegmentOutcome) {
        for (step, took) in self.steps {
            segment.steps.entry(step).or_default().record(took);
        }
    }
}
