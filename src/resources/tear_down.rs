//! Teardown after the load: removes everything that the run has created, and verifies that
//! it is gone.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::attempts::{Attempts, has_ended, job_in_words, step};
use super::launched::is_creating;
use super::owners::{Owner, Owners};
use super::requests::{Requests, Row, only_own};
use crate::api::RequestRow;
use crate::clock::Timeline;
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep};
use crate::scenario::{Call, IterationNames, Need, SharedNames, shared_calls as calls};

/// Pause between two rounds of listing and removing resources.
const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Maximum of concurrent removals. The removal of a cluster takes an executor of the server,
/// and runs several commands on the cluster's nodes.
const CONCURRENCY: usize = 4;

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
    owners: Owners,
    uses_jobs: bool,
    uses_services: bool,
    /// Names of managed jobs that do not end by themselves.
    long_jobs: Vec<String>,
    timeline: Timeline,
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
    let (needs, timeline) = (plan.needs(), Timeline::start());
    let mut resources = RunResources {
        requests,
        run,
        owners: Owners::of(run, plan, log),
        uses_jobs: plan.submits_jobs()
            || needs.contains(&Need::Job)
            || needs.contains(&Need::LongManagedJob),
        uses_services: needs.contains(&Need::Service),
        long_jobs: long_jobs(run, plan),
        timeline,
    };
    let began = Instant::now();
    let mut attempts = Attempts::default();
    let work = async {
        loop {
            let remaining = resources.list().await;
            // A job that still runs after most of the time does not end by itself.
            let is_late = began.elapsed() > limit.mul_f64(0.6);
            if mode == TeardownMode::WaitForJobs {
                log.steps.extend(attempts.failed_jobs(&remaining.jobs, is_late, &timeline));
            }
            log.left = remaining.names();
            remaining.add_those_of_scripts(&mut log.of_scripts);
            log.verified = remaining.list_failures.is_empty();
            if log.left.is_empty() && log.verified {
                return;
            }
            // Cancelled now, so that the rest of `limit` is left for removing the job's cluster.
            let mode = if is_late { TeardownMode::CancelJobs } else { mode };
            resources.remove(&remaining, mode, &mut attempts, log).await;
            log.steps.extend(attempts.new_failures(remaining.list_failures, &timeline));
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
        log.steps.push(step("all resources", began, Some(failure), &timeline));
    }
}

impl RunResources<'_> {
    /// Lists the resources that are still on the server. A kind that cannot be listed does not
    /// keep the others from being listed.
    async fn list(&mut self) -> Remaining {
        let mut remaining = Remaining::default();
        // First, since they say who owns the other resources.
        match self.list_requests().await {
            Ok(requests) => remaining.requests = requests,
            Err(failure) => remaining.list_failures.push(failure),
        }
        let kinds = [
            (&calls::SERVICES, self.uses_services, &mut remaining.services),
            (&calls::JOBS, self.uses_jobs, &mut remaining.jobs),
            (&calls::CLUSTERS, true, &mut remaining.clusters),
        ];
        for (call, is_used, rows) in kinds {
            if !is_used {
                continue;
            }
            match self.requests.list(call, &self.owners).await {
                Ok(listed) => *rows = listed,
                // There is no controller, since nothing of this kind was ever launched.
                Err(failure) if failure.error_type == "ClusterNotUpError" => {}
                Err(failure) => remaining.list_failures.push(failure),
            }
        }
        remaining
    }

    /// Lists the active requests of the run's users that may still create resources. No user waits
    /// for such a request any more.
    async fn list_requests(&mut self) -> Result<Vec<RequestRow>, Failure> {
        let (client, prefix) = (self.requests.client(), self.run.user_prefix());
        let mut rows = client.list_requests().await?;
        let ended = self.owners.need_ended_requests();
        self.owners.launched.read(client, self.run, &rows, ended).await?;
        let launched = &self.owners.launched;
        let is_own =
            |row: &RequestRow| row.user_id.starts_with(&prefix) || launched.has_request(row);
        rows.retain(|row| is_creating(row) && is_own(row));
        Ok(rows)
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
        let mut removals: Vec<(&Call, IterationNames, String)> = Vec::new();
        let mut remove = |call, names, resource: String| {
            if attempts.start_if_due(&resource) {
                removals.push((call, names, resource));
            }
        };
        // Requests come first: a running launch could create its cluster again after the removal.
        for request in &remaining.requests {
            let id = &request.request_id;
            remove(&calls::CANCEL_REQUEST, only_own(id), format!("request {id}"));
        }
        for service in &remaining.services {
            let name = &service.name;
            remove(&calls::DOWN_SERVICE, only_own(name), format!("service {name}"));
        }
        for job in remaining.jobs.iter().filter(|row| !has_ended(row)) {
            let must_be_cancelled = mode == TeardownMode::CancelJobs
                || job.owner == Owner::Script
                || self.long_jobs.contains(&job.name);
            if must_be_cancelled {
                let mut names = only_own(&job.name);
                names.job_id = job.id;
                remove(&calls::CANCEL_JOB, names, job_in_words(job));
            }
        }
        for cluster in remaining.clusters.iter().filter(|row| !remaining.is_owned(row)) {
            let name = &cluster.name;
            remove(&calls::DOWN, only_own(name), format!("cluster {name}"));
        }
        let done = stream::iter(removals).map(|(call, names, resource)| async move {
            let start = Instant::now();
            let failure = self.requests.ask(call, &names).await.err();
            step(resource, start, failure, &self.timeline)
        });
        let done: Vec<ResourceStep> = done.buffer_unordered(CONCURRENCY).collect().await;
        for step in done {
            attempts.finish(&step.what, step.failure.is_some());
            log.steps.push(step);
        }
    }
}

/// Names of the managed jobs of a run that do not end by themselves.
fn long_jobs(run: &RunId, plan: &LoadPlan) -> Vec<String> {
    let infras = plan.infrastructure.names();
    let names = infras.iter().enumerate().map(|(at, infra)| SharedNames::new(run, infra, at));
    names.map(|names| names.long_job).collect()
}

impl Remaining {
    /// Whether the cluster belongs to a running managed job or a service, which removes the
    /// cluster itself.
    fn is_owned(&self, cluster: &Row) -> bool {
        let owners = self.jobs.iter().filter(|job| !has_ended(job)).chain(&self.services);
        let mut names = owners.map(|owner| format!("{}-", owner.name));
        names.any(|prefix| cluster.name.starts_with(&prefix))
    }

    /// Adds the names of clusters and unfinished managed jobs that scripts left, each once.
    fn add_those_of_scripts(&self, names: &mut Vec<String>) {
        let of_scripts = |row: &&Row| row.owner == Owner::Script;
        let clusters = self.clusters.iter().filter(of_scripts);
        let jobs = self.jobs.iter().filter(of_scripts).filter(|row| !has_ended(row));
        let new = clusters.map(|row| format!("cluster {}", row.name));
        for name in new.chain(jobs.map(|row| format!("managed job {}", row.name))) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: &str) -> Row {
        let (name, status) = (name.to_owned(), status.to_owned());
        Row { name, status, id: None, schedule_state: None, owner: Owner::Run }
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
    fn ended_jobs_are_not_remaining_resources_but_clusters_are_in_any_state() {
        let jobs = vec![row("skyload-1-a", "SUCCEEDED"), row("skyload-1-b", "FAILED_SETUP")];
        assert!(Remaining { jobs, ..Remaining::default() }.names().is_empty());
        let clusters = vec![row("skyload-1-c", "INIT")];
        let remaining = Remaining { clusters, ..Remaining::default() };
        assert_eq!(remaining.names(), ["cluster skyload-1-c"]);
    }
}
