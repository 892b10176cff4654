//! After the load: everything that the run has created is taken down, and looked
//! for afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::requests::{Requests, Row, naming};
use crate::api::RequestRow;
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep, Stage};
use crate::scenario::{Call, IterationNames, Need, ScenarioId, shared_calls as calls};

/// How often the server is asked what is still there.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Clusters that are taken down at once: each takes an executor, and a number of
/// commands on its nodes.
const AT_ONCE: usize = 4;

/// States of managed jobs that have ended without having done their work.
/// Source: `ManagedJobStatus` in `sky/jobs/state.py`.
const BAD_ENDS: [&str; 6] = [
    "FAILED",
    "FAILED_SETUP",
    "FAILED_PRECHECKS",
    "FAILED_NO_RESOURCE",
    "FAILED_CONTROLLER",
    "FAILED_DRIVER",
];

/// Whether the run came to its end or was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurry {
    /// Managed jobs may end by themselves, and must have done their work.
    No,
    /// Requests and jobs that are under way are cancelled.
    Stopped,
}

/// What a run may have created on the server.
struct Creations<'a> {
    requests: &'a Requests,
    run: &'a RunId,
    uses_jobs: bool,
    uses_services: bool,
}

/// What of it is there.
#[derive(Debug, Default)]
struct Found {
    clusters: Vec<Row>,
    jobs: Vec<Row>,
    services: Vec<Row>,
    requests: Vec<RequestRow>,
    /// Why something could not be listed.
    unseen: Vec<Failure>,
}

/// Takes down everything of the run, within `limit`, and notes in the log what
/// was done and what is left.
pub async fn tear_down(
    requests: &Requests,
    run: &RunId,
    plan: &LoadPlan,
    hurry: Hurry,
    limit: Duration,
    log: &mut ResourceLog,
) {
    let has = |wanted: &[ScenarioId]| wanted.iter().any(|id| plan.scenario(*id).is_some());
    let needs = plan.needs();
    let creations = Creations {
        requests,
        run,
        uses_jobs: has(&[ScenarioId::ApiJobsLaunch, ScenarioId::CliJobs])
            || needs.contains(&Need::Job),
        uses_services: needs.contains(&Need::Service),
    };
    let began = Instant::now();
    let mut asked = Asked::default();
    let work = async {
        loop {
            let found = creations.find().await;
            // A job that is still there when most of the time is over won't end by
            // itself.
            let is_late = began.elapsed() > limit.mul_f64(0.6);
            if hurry == Hurry::No {
                log.steps.extend(asked.failed_jobs(&found.jobs, is_late));
            }
            log.left = found.names();
            log.verified = found.unseen.is_empty();
            if log.left.is_empty() && log.verified {
                return;
            }
            let hurry = if is_late { Hurry::Stopped } else { hurry };
            creations.take_down(&found, hurry, &mut asked, log).await;
            log.steps.extend(asked.new_failures(found.unseen));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    if tokio::time::timeout(limit, work).await.is_err() {
        let failure = Failure {
            step: "teardown".to_owned(),
            status: None,
            error_type: error_type::NOT_REMOVED_IN_TIME.to_owned(),
            message: format!("it took longer than {}", humantime::format_duration(limit)),
        };
        log.steps.push(step("taking everything down", began, Some(failure)));
    }
}

impl Creations<'_> {
    /// What is there. What can't be listed doesn't keep the rest from being found.
    async fn find(&self) -> Found {
        let tag = self.run.tag();
        let mut found = Found::default();
        let kinds = [
            (&calls::SERVICES, self.uses_services, &mut found.services),
            (&calls::JOBS, self.uses_jobs, &mut found.jobs),
            (&calls::CLUSTERS, true, &mut found.clusters),
        ];
        for (call, is_used, rows) in kinds {
            if !is_used {
                continue;
            }
            match self.requests.list(call, &tag).await {
                Ok(there) => *rows = there,
                // Where nothing was ever launched there is no controller to ask.
                Err(failure) if failure.error_type == "ClusterNotUpError" => {}
                Err(failure) => found.unseen.push(failure),
            }
        }
        match self.requests.client().list_requests().await {
            Ok(rows) => found.requests = rows.into_iter().filter(|row| self.creates(row)).collect(),
            Err(failure) => found.unseen.push(failure),
        }
        found
    }

    /// Whether a request is one of the run's users that is under way, and goes on
    /// creating: nobody waits for it any more.
    fn creates(&self, row: &RequestRow) -> bool {
        const CREATING: [&str; 4] = ["sky.launch", "sky.exec", "sky.jobs.launch", "sky.serve.up"];
        row.user_id.starts_with(&self.run.user_prefix())
            && row.is_active()
            && CREATING.contains(&row.name.as_str())
    }

    /// Asks for the end of what has not been asked to end yet. A cluster that
    /// belongs to a job or a service is left to that as long as it is there.
    async fn take_down(
        &self,
        found: &Found,
        hurry: Hurry,
        asked: &mut Asked,
        log: &mut ResourceLog,
    ) {
        let mut orders: Vec<(&Call, IterationNames, &str, &String)> = Vec::new();
        for request in &found.requests {
            if asked.take_due(&request.request_id) {
                let names = naming(&request.request_id);
                orders.push((&calls::CANCEL_REQUEST, names, "request", &request.request_id));
            }
        }
        for service in &found.services {
            if asked.take_due(&service.name) {
                let names = naming(&service.name);
                orders.push((&calls::DOWN_SERVICE, names, "service", &service.name));
            }
        }
        for job in found.jobs.iter().filter(|row| !has_ended(row)) {
            if hurry == Hurry::Stopped && asked.take_due(&job.name) {
                let mut names = naming(&job.name);
                names.job_id = job.id;
                orders.push((&calls::CANCEL_JOB, names, "managed job", &job.name));
            }
        }
        for cluster in found.clusters.iter().filter(|row| !found.is_owned(row)) {
            if asked.take_due(&cluster.name) {
                let names = naming(&cluster.name);
                orders.push((&calls::DOWN, names, "cluster", &cluster.name));
            }
        }
        let done = stream::iter(orders).map(|(call, names, what, name)| async move {
            let start = Instant::now();
            let failure = self.requests.ask(call, &names).await.err();
            (name, step(format!("{what} {name}"), start, failure))
        });
        let done: Vec<(&String, ResourceStep)> = done.buffer_unordered(AT_ONCE).collect().await;
        for (name, step) in done {
            asked.done(name, step.failure.is_some());
            log.steps.push(step);
        }
    }
}

/// What has been asked to end, and how that went.
#[derive(Debug, Default)]
struct Asked {
    /// For how many rounds each is not asked again, and how often it was asked.
    names: BTreeMap<String, Order>,
    bad_ends: BTreeSet<String>,
    failures: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    times: u32,
    rounds: u32,
}

impl Asked {
    /// One round for one name: whether it is to be asked to end now, and if so, it counts
    /// as asked. What is still there long after it was asked is asked again: a launch
    /// that came late may have made it anew.
    fn take_due(&mut self, name: &str) -> bool {
        const TIMES: u32 = 3;
        const ROUNDS: u32 = 10;
        let new = Order { times: 0, rounds: 0 };
        let order = self.names.entry(name.to_owned()).or_insert(new);
        let is_due = order.rounds == 0 && order.times < TIMES;
        if is_due {
            *order = Order { times: order.times + 1, rounds: ROUNDS };
        } else {
            order.rounds = order.rounds.saturating_sub(1);
        }
        is_due
    }

    /// Notes how asking went: what failed is asked again at once.
    fn done(&mut self, name: &str, failed: bool) {
        if failed && let Some(order) = self.names.get_mut(name) {
            order.rounds = 0;
        }
    }

    /// Steps for jobs that have not done their work, each once: only now it is known
    /// of a job that was submitted whether it did.
    fn failed_jobs(&mut self, jobs: &[Row], is_late: bool) -> Vec<ResourceStep> {
        let mut steps = Vec::new();
        for job in jobs {
            let status = job.status.as_str();
            // A job that nobody of ours cancelled has not done its work either.
            let was_cancelled = status == "CANCELLED" && !self.names.contains_key(&job.name);
            let (error_type, message) = if BAD_ENDS.contains(&status) || was_cancelled {
                (status.to_lowercase(), format!("{} ended as {status}", job.name))
            } else if is_late && !has_ended(job) {
                ("does not end".to_owned(), format!("{} was still {status}", job.name))
            } else {
                continue;
            };
            if self.bad_ends.insert(job.name.clone()) {
                let step_name = "managed job".to_owned();
                let failure = Failure { step: step_name, status: None, error_type, message };
                let what = format!("managed job {}", job.name);
                steps.push(step(what, Instant::now(), Some(failure)));
            }
        }
        steps
    }

    /// Steps for failures that have not been noted yet: each kind once.
    fn new_failures(&mut self, failures: Vec<Failure>) -> Vec<ResourceStep> {
        let new = failures.into_iter().filter(|failure| self.failures.insert(failure.to_string()));
        new.map(|failure| step("looking for what is left", Instant::now(), Some(failure))).collect()
    }
}

impl Found {
    /// Whether a job or service that is still there will take the cluster down.
    fn is_owned(&self, cluster: &Row) -> bool {
        let owners = self.jobs.iter().filter(|job| !has_ended(job)).chain(&self.services);
        let mut names = owners.map(|owner| format!("{}-", owner.name));
        names.any(|prefix| cluster.name.starts_with(&prefix))
    }

    /// What is still there. Jobs stay in the server's list when they have ended.
    fn names(&self) -> Vec<String> {
        let clusters = self.clusters.iter().map(|row| format!("cluster {}", row.name));
        let jobs = self.jobs.iter().filter(|row| !has_ended(row));
        let jobs = jobs.map(|row| format!("managed job {}", row.name));
        let services = self.services.iter().map(|row| format!("service {}", row.name));
        let requests = self.requests.iter().map(|row| format!("request {}", row.name));
        clusters.chain(jobs).chain(services).chain(requests).collect()
    }
}

/// Whether a job has ended and its cluster is gone, as far as the server says: the
/// list of clusters leaves those of jobs out.
fn has_ended(job: &Row) -> bool {
    let status = job.status.as_str();
    let is_over = matches!(status, "SUCCEEDED" | "CANCELLED") || BAD_ENDS.contains(&status);
    let is_cleared = job
        .schedule_state
        .as_deref()
        .is_none_or(|state| state.ends_with("DONE") || state.ends_with("INVALID"));
    is_over && is_cleared
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
    fn a_jobs_cluster_is_left_to_the_job_until_that_has_ended() {
        let cluster = row("skyload-1-job-3", "UP");
        let running = Found { jobs: vec![row("skyload-1-job", "RUNNING")], ..Found::default() };
        assert!(running.is_owned(&cluster));
        let ended = Found { jobs: vec![row("skyload-1-job", "SUCCEEDED")], ..Found::default() };
        assert!(!ended.is_owned(&cluster));
        assert!(!running.is_owned(&row("skyload-1-jobs", "UP")), "another's name");
    }

    #[test]
    fn a_job_that_has_ended_counts_until_its_cluster_is_cleared_away() {
        let state = |state: &str| Row {
            schedule_state: Some(state.to_owned()),
            ..row("skyload-1-a", "SUCCEEDED")
        };
        assert!(!has_ended(&state("ALIVE")));
        assert!(has_ended(&state("DONE")));
    }

    #[test]
    fn what_is_still_there_is_asked_again_later_and_not_for_ever() {
        let mut asked = Asked::default();
        let orders = (0..100).filter(|_| asked.take_due("cluster")).count();
        assert_eq!(orders, 3);
        assert!(asked.take_due("other"));
        asked.done("other", true);
        assert!(asked.take_due("other"), "a failure is tried again at once");
    }

    #[test]
    fn jobs_that_have_ended_are_not_left_behind_and_clusters_always_are() {
        let jobs = vec![row("skyload-1-a", "SUCCEEDED"), row("skyload-1-b", "FAILED_SETUP")];
        assert!(Found { jobs, ..Found::default() }.names().is_empty());
        let clusters = vec![row("skyload-1-c", "INIT")];
        let found = Found { clusters, ..Found::default() };
        assert_eq!(found.names(), ["cluster skyload-1-c"]);
    }
}
