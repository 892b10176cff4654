//! Teardown after the load: removes everything that the run has created, and verifies that
//! it is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::requests::{Requests, Row, only_own};
use crate::api::RequestRow;
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep, Stage};
use crate::scenario::{Call, IterationNames, Need, shared_calls as calls};

/// Pause between two rounds of listing and removing resources.
const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Maximum of concurrent removals. The removal of a cluster takes an executor of the server,
/// and runs several commands on the cluster's nodes.
const CONCURRENCY: usize = 4;

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

/// Treatment of managed jobs that still run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeardownMode {
    /// Wait until managed jobs end by themselves, and report those that failed: for a
    /// finished run.
    WaitForJobs,
    /// Cancel managed jobs: for a run that was stopped.
    CancelJobs,
}

/// Resources that a run may have created on the server.
struct RunResources<'a> {
    requests: &'a Requests,
    run: &'a RunId,
    uses_jobs: bool,
    uses_services: bool,
}

/// Resources of the run that are still on the server.
#[derive(Debug, Default)]
struct Remaining {
    clusters: Vec<Row>,
    jobs: Vec<Row>,
    services: Vec<Row>,
    /// Active requests that create resources.
    requests: Vec<RequestRow>,
    /// Failures to list resources of some kind.
    list_failures: Vec<Failure>,
}

/// Tears down everything that the run has created, within `limit`. Adds the steps to `log`,
/// and the resources that are left.
pub async fn tear_down(
    requests: &Requests,
    run: &RunId,
    plan: &LoadPlan,
    mode: TeardownMode,
    limit: Duration,
    log: &mut ResourceLog,
) {
    let needs = plan.needs();
    let resources = RunResources {
        requests,
        run,
        uses_jobs: plan.submits_jobs() || needs.contains(&Need::Job),
        uses_services: needs.contains(&Need::Service),
    };
    let began = Instant::now();
    let mut attempts = Attempts::default();
    let work = async {
        loop {
            let remaining = resources.list().await;
            // A job that still runs after most of the time does not end by itself.
            let is_late = began.elapsed() > limit.mul_f64(0.6);
            if mode == TeardownMode::WaitForJobs {
                log.steps.extend(attempts.failed_jobs(&remaining.jobs, is_late));
            }
            log.left = remaining.names();
            log.verified = remaining.list_failures.is_empty();
            if log.left.is_empty() && log.verified {
                return;
            }
            // Cancelled now, so that the rest of `limit` is left for removing the job's cluster.
            let mode = if is_late { TeardownMode::CancelJobs } else { mode };
            resources.remove(&remaining, mode, &mut attempts, log).await;
            log.steps.extend(attempts.new_failures(remaining.list_failures));
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    if tokio::time::timeout(limit, work).await.is_err() {
        let failure = Failure {
            step: "teardown".to_owned(),
            status: None,
            error_type: error_type::NOT_REMOVED_IN_TIME.to_owned(),
            message: format!("resources not removed after {}", humantime::format_duration(limit)),
        };
        log.steps.push(step("all resources", began, Some(failure)));
    }
}

impl RunResources<'_> {
    /// Lists the resources that are still on the server. A kind that cannot be listed does not
    /// keep the others from being listed.
    async fn list(&self) -> Remaining {
        let tag = self.run.tag();
        let mut remaining = Remaining::default();
        let kinds = [
            (&calls::SERVICES, self.uses_services, &mut remaining.services),
            (&calls::JOBS, self.uses_jobs, &mut remaining.jobs),
            (&calls::CLUSTERS, true, &mut remaining.clusters),
        ];
        for (call, is_used, rows) in kinds {
            if !is_used {
                continue;
            }
            match self.requests.list(call, &tag).await {
                Ok(listed) => *rows = listed,
                // There is no controller, since nothing of this kind was ever launched.
                Err(failure) if failure.error_type == "ClusterNotUpError" => {}
                Err(failure) => remaining.list_failures.push(failure),
            }
        }
        match self.requests.client().list_requests().await {
            Ok(rows) => {
                remaining.requests = rows.into_iter().filter(|row| self.is_creating(row)).collect()
            }
            Err(failure) => remaining.list_failures.push(failure),
        }
        remaining
    }

    /// Whether an active request of one of the run's users may still create resources. No user
    /// waits for such a request any more.
    fn is_creating(&self, row: &RequestRow) -> bool {
        const CREATING: [&str; 5] =
            ["sky.launch", "sky.start", "sky.exec", "sky.jobs.launch", "sky.serve.up"];
        row.user_id.starts_with(&self.run.user_prefix())
            && row.is_active()
            && CREATING.contains(&row.name.as_str())
    }

    /// Removes the resources for which an attempt is due. A cluster of a managed job or a
    /// service is left to its owner as long as the owner exists.
    async fn remove(
        &self,
        remaining: &Remaining,
        mode: TeardownMode,
        attempts: &mut Attempts,
        log: &mut ResourceLog,
    ) {
        let mut removals: Vec<(&Call, IterationNames, &str, &String)> = Vec::new();
        // Requests come first: a running launch could create its cluster again after the removal.
        for request in &remaining.requests {
            if attempts.start_if_due(&request.request_id) {
                let names = only_own(&request.request_id);
                removals.push((&calls::CANCEL_REQUEST, names, "request", &request.request_id));
            }
        }
        for service in &remaining.services {
            if attempts.start_if_due(&service.name) {
                let names = only_own(&service.name);
                removals.push((&calls::DOWN_SERVICE, names, "service", &service.name));
            }
        }
        for job in remaining.jobs.iter().filter(|row| !has_ended(row)) {
            if mode == TeardownMode::CancelJobs && attempts.start_if_due(&job.name) {
                let mut names = only_own(&job.name);
                names.job_id = job.id;
                removals.push((&calls::CANCEL_JOB, names, "managed job", &job.name));
            }
        }
        for cluster in remaining.clusters.iter().filter(|row| !remaining.is_owned(row)) {
            if attempts.start_if_due(&cluster.name) {
                let names = only_own(&cluster.name);
                removals.push((&calls::DOWN, names, "cluster", &cluster.name));
            }
        }
        let done = stream::iter(removals).map(|(call, names, kind, name)| async move {
            let start = Instant::now();
            let failure = self.requests.ask(call, &names).await.err();
            (name, step(format!("{kind} {name}"), start, failure))
        });
        let done: Vec<(&String, ResourceStep)> = done.buffer_unordered(CONCURRENCY).collect().await;
        for (name, step) in done {
            attempts.finish(name, step.failure.is_some());
            log.steps.push(step);
        }
    }
}

/// Attempts to remove resources, and failures that are already in the log.
#[derive(Debug, Default)]
struct Attempts {
    by_name: BTreeMap<String, Attempt>,
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

impl Attempts {
    /// Whether an attempt to remove a resource is due in this round; if so, it is counted. An
    /// attempt is repeated after some rounds: a launch that was still running may have
    /// created the resource again.
    fn start_if_due(&mut self, name: &str) -> bool {
        const MAX_ATTEMPTS: u32 = 3;
        const ROUNDS_BETWEEN: u32 = 10;
        let new = Attempt { count: 0, rounds_to_wait: 0 };
        let attempt = self.by_name.entry(name.to_owned()).or_insert(new);
        let is_due = attempt.rounds_to_wait == 0 && attempt.count < MAX_ATTEMPTS;
        if is_due {
            *attempt = Attempt { count: attempt.count + 1, rounds_to_wait: ROUNDS_BETWEEN };
        } else {
            attempt.rounds_to_wait = attempt.rounds_to_wait.saturating_sub(1);
        }
        is_due
    }

    /// Records the end of an attempt. After a failure the next one is due in the next round.
    fn finish(&mut self, name: &str, failed: bool) {
        if failed && let Some(attempt) = self.by_name.get_mut(name) {
            attempt.rounds_to_wait = 0;
        }
    }

    /// Steps for managed jobs that failed, each job once. Scenarios that submit jobs do not
    /// wait for their end, so failures are seen only here.
    fn failed_jobs(&mut self, jobs: &[Row], is_late: bool) -> Vec<ResourceStep> {
        let mut steps = Vec::new();
        for job in jobs {
            let status = job.status.as_str();
            // Cancelled, but not by this teardown: the job has not done its work.
            let was_cancelled = status == "CANCELLED" && !self.by_name.contains_key(&job.name);
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
                steps.push(step(what, Instant::now(), Some(failure)));
            }
        }
        steps
    }

    /// Steps for failures to list resources, each failure once.
    fn new_failures(&mut self, failures: Vec<Failure>) -> Vec<ResourceStep> {
        let new = failures
            .into_iter()
            .filter(|failure| self.reported_failures.insert(failure.to_string()));
        new.map(|failure| step("remaining resources", Instant::now(), Some(failure))).collect()
    }
}

impl Remaining {
    /// Whether the cluster belongs to a running managed job or a service, which removes the
    /// cluster itself.
    fn is_owned(&self, cluster: &Row) -> bool {
        let owners = self.jobs.iter().filter(|job| !has_ended(job)).chain(&self.services);
        let mut names = owners.map(|owner| format!("{}-", owner.name));
        names.any(|prefix| cluster.name.starts_with(&prefix))
    }

    /// Names of the remaining resources with their kinds. Managed jobs count until they have
    /// ended: the server lists ended ones, too.
    fn names(&self) -> Vec<String> {
        let clusters = self.clusters.iter().map(|row| format!("cluster {}", row.name));
        let jobs = self.jobs.iter().filter(|row| !has_ended(row));
        let jobs = jobs.map(|row| format!("managed job {}", row.name));
        let services = self.services.iter().map(|row| format!("service {}", row.name));
        let requests = self.requests.iter().map(|row| format!("request {}", row.name));
        clusters.chain(jobs).chain(services).chain(requests).collect()
    }
}

/// Whether a managed job has ended and its cluster is removed. Only the job's scheduler state
/// shows the latter: the server's list of clusters excludes those of managed jobs.
fn has_ended(job: &Row) -> bool {
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

fn step(what: impl Into<String>, start: Instant, failure: Option<Failure>) -> ResourceStep {
    ResourceStep {
        stage: Stage::TearDown,
        need: None,
        what: what.into(),
        infra: String::new(),
        took: start.elapsed(),
        failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: &str) -> Row {
        Row { name: name.to_owned(), status: status.to_owned(), id: None, schedule_state: None }
    }

    #[test]
    fn a_jobs_cluster_is_left_to_the_job_until_the_job_has_ended() {
        let cluster = row("skyload-1-job-3", "UP");
        let running =
            Remaining { jobs: vec![row("skyload-1-job", "RUNNING")], ..Remaining::default() };
        assert!(running.is_owned(&cluster));
        let ended =
            Remaining { jobs: vec![row("skyload-1-job", "SUCCEEDED")], ..Remaining::default() };
        assert!(!ended.is_owned(&cluster));
        assert!(
            !running.is_owned(&row("skyload-1-jobs", "UP")),
            "another name with the same beginning"
        );
    }

    #[test]
    fn a_finished_job_counts_until_its_cluster_is_removed() {
        let state = |state: &str| Row {
            schedule_state: Some(state.to_owned()),
            ..row("skyload-1-a", "SUCCEEDED")
        };
        assert!(!has_ended(&state("ALIVE")));
        assert!(has_ended(&state("DONE")));
    }

    #[test]
    fn attempts_are_repeated_after_some_rounds_and_limited() {
        let mut attempts = Attempts::default();
        let count = (0..100).filter(|_| attempts.start_if_due("cluster")).count();
        assert_eq!(count, 3);
        assert!(attempts.start_if_due("other"));
        attempts.finish("other", true);
        assert!(attempts.start_if_due("other"), "a failed attempt is repeated in the next round");
    }

    #[test]
    fn ended_jobs_are_not_remaining_resources_but_clusters_are_in_any_state() {
        let jobs = vec![row("skyload-1-a", "SUCCEEDED"), row("skyload-1-b", "FAILED_SETUP")];
        assert!(Remaining { jobs, ..Remaining::default() }.names().is_empty());
        let clusters = vec![row("skyload-1-c", "INIT")];
        let remaining = Remaining { clusters, ..Remaining::default() };
        assert_eq!(remaining.names(), ["cluster skyload-1-c"]);
    }
}
