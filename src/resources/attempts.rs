//! Attempts of a teardown to remove resources, and what became of managed jobs.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::owners::Owner;
use super::requests::Row;
use crate::clock::Timeline;
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceStep, Stage};

/// Final states of managed jobs that failed. Source: `ManagedJobStatus` in
/// `sky/jobs/state.py`.
const FAILED_STATES: [&str; 6] = [
    "FAILED",
    "FAILED_SETUP",
    "FAILED_PRECHECKS",
    "FAILED_NO_RESOURCE",
    "FAILED_CONTROLLER",
    "FAILED_DRIVER",
];

/// Attempts to remove resources, and failures that are already in the log.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    by_resource: BTreeMap<String, Attempt>,
    reported_jobs: BTreeSet<String>,
    reported_failures: BTreeSet<String>,
}

/// Attempts to remove one resource.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// Number of attempts so far.
    count: u32,
    /// Rounds until the next attempt.
    rounds_to_wait: u32,
}

/// Managed job with its id: names of managed jobs are not unique.
pub(super) fn job_in_words(job: &Row) -> String {
    match job.id {
        Some(id) => format!("managed job {} ({id})", job.name),
        None => format!("managed job {}", job.name),
    }
}

impl Attempts {
    /// Whether an attempt to remove a resource is due in this round; if so, it is counted. An
    /// attempt is repeated after some rounds: a launch that was still running may have
    /// created the resource again.
    pub(super) fn start_if_due(&mut self, resource: &str) -> bool {
        const MAX_ATTEMPTS: u32 = 3;
        const ROUNDS_BETWEEN: u32 = 10;
        let new = Attempt { count: 0, rounds_to_wait: 0 };
        let attempt = self.by_resource.entry(resource.to_owned()).or_insert(new);
        let is_due = attempt.rounds_to_wait == 0 && attempt.count < MAX_ATTEMPTS;
        if is_due {
            *attempt = Attempt { count: attempt.count + 1, rounds_to_wait: ROUNDS_BETWEEN };
        } else {
            attempt.rounds_to_wait = attempt.rounds_to_wait.saturating_sub(1);
        }
        is_due
    }

    /// Records the end of an attempt. After a failure the next one is due in the next round.
    pub(super) fn finish(&mut self, resource: &str, failed: bool) {
        if failed && let Some(attempt) = self.by_resource.get_mut(resource) {
            attempt.rounds_to_wait = 0;
        }
    }

    /// Steps for managed jobs that failed, each job once. Scenarios that submit jobs do not
    /// wait for their end, so failures are seen only here.
    pub(super) fn failed_jobs(
        &mut self,
        jobs: &[Row],
        is_late: bool,
        timeline: &Timeline,
    ) -> Vec<ResourceStep> {
        let mut steps = Vec::new();
        // What becomes of a script's jobs is the script's concern.
        for job in jobs.iter().filter(|job| job.owner == Owner::Run) {
            let status = job.status.as_str();
            // Cancelled, but not by this teardown: the job has not done its work.
            let was_cancelled =
                status == "CANCELLED" && !self.by_resource.contains_key(&job_in_words(job));
            let (error_type, message) = if FAILED_STATES.contains(&status) || was_cancelled {
                (status.to_lowercase(), format!("{} ended as {status}", job.name))
            } else if is_late && !has_ended(job) {
                (
                    error_type::JOB_NOT_FINISHED.to_owned(),
                    format!("{} was still {status}", job.name),
                )
            } else {
                continue;
            };
            if self.reported_jobs.insert(job.name.clone()) {
                let step_name = "managed job".to_owned();
                let failure = Failure { step: step_name, status: None, error_type, message };
                let what = format!("managed job {}", job.name);
                steps.push(step(what, Instant::now(), Some(failure), timeline));
            }
        }
        steps
    }

    /// Steps for failures to list resources, each failure once.
    pub(super) fn new_failures(
        &mut self,
        failures: Vec<Failure>,
        timeline: &Timeline,
    ) -> Vec<ResourceStep> {
        let new = failures
            .into_iter()
            .filter(|failure| self.reported_failures.insert(failure.to_string()));
        let step = |failure| step("remaining resources", Instant::now(), Some(failure), timeline);
        new.map(step).collect()
    }
}

/// Whether a managed job has ended and its cluster is removed. Only the job's scheduler state
/// shows the latter: the server's list of clusters excludes those of managed jobs.
pub(super) fn has_ended(job: &Row) -> bool {
    let status = job.status.as_str();
    let is_final = matches!(status, "SUCCEEDED" | "CANCELLED") || FAILED_STATES.contains(&status);
    // SkyPilot's state is `DONE` after the controller's cleanup, and `INVALID` for jobs of
    // releases without the scheduler.
    let is_cleaned_up = job
        .schedule_state
        .as_deref()
        .is_none_or(|state| state.ends_with("DONE") || state.ends_with("INVALID"));
    is_final && is_cleaned_up
}

/// Step of the teardown, which began at `start` and ends now.
pub(super) fn step(
    what: impl Into<String>,
    start: Instant,
    failure: Option<Failure>,
    timeline: &Timeline,
) -> ResourceStep {
    ResourceStep {
        stage: Stage::TearDown,
        need: None,
        what: what.into(),
        infra: String::new(),
        took: start.elapsed(),
        ended: Some(timeline.now()),
        failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_repeated_after_some_rounds_and_limited() {
        let mut attempts = Attempts::default();
        let count = (0..100).filter(|_| attempts.start_if_due("cluster")).count();
        assert_eq!(count, 3);
        assert!(attempts.start_if_due("other"));
        attempts.finish("other", true);
        assert!(attempts.start_if_due("other"), "a failed attempt is repeated in the next round");
    }
}
