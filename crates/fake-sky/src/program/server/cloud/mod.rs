//! Simulated infra: clusters, managed jobs and services, whose states follow from the clock
//! and the settings.
//!
//! A request uses it twice: at its start in an executor ([`Cloud::begin`]) and at its end
//! ([`Cloud::complete`]). A request that follows a log reads it with [`Cloud::read`].

mod clusters;
mod job;
mod managed_jobs;
mod script;
mod services;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fake_sky::DEFAULT_USER_ID;
use fake_sky::settings::Settings;
use serde_json::json;

use self::clusters::{Cluster, Clusters};
use self::job::finishing;
pub(crate) use self::job::{Job, JobState};
use self::managed_jobs::ManagedJobs;
use self::services::Services;
use super::endpoints::controller_name;
use super::infrastructures;
use super::log::now;
use super::outcome::{Completion, Outcome, PICKLE, RequestResult, Success};
use super::task::Task;
use super::work::Work;

/// Job whose log a stream follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FollowedJob {
    /// Job on a cluster: cluster name and job id.
    OnCluster(String, u64),
    /// Managed job.
    Managed(u64),
}

/// Simulated infra, with everything that was launched on it.
#[derive(Debug, Default)]
pub(crate) struct Cloud(Mutex<Launched>);

#[derive(Debug, Default)]
struct Launched {
    clusters: Clusters,
    jobs: ManagedJobs,
    services: Services,
}

impl Cloud {
    /// Run time of a request: the launch time if it launches a cluster that is not UP yet.
    pub(crate) fn service_time(&self, work: &Work, settings: &Settings) -> Duration {
        match launched_by(work, settings) {
            Some(cluster) if !self.lock().clusters.is_up(&cluster) => settings.launch,
            _ => settings.service,
        }
    }

    /// Applies the start of a request in an executor: a launch adds its cluster.
    pub(crate) fn begin(&self, work: &Work, settings: &Settings) {
        if let Some(cluster) = launched_by(work, settings) {
            let user = if work.name == "sky.launch" { work.user() } else { DEFAULT_USER_ID };
            // A task without an infra gets the first one of the settings.
            let infra = settings.infra.first().map(String::as_str).unwrap_or_default();
            let infra = work.task().infra.unwrap_or_else(|| infra.to_owned());
            let infra = infrastructures::infrastructure(&infra).unwrap_or(&infra);
            self.lock().clusters.begin(&cluster, user, work, infra);
        }
    }

    /// Whether a cluster is UP.
    pub(crate) fn is_up(&self, cluster: &str) -> bool {
        self.lock().clusters.is_up(cluster)
    }

    /// Applies the end of a request without an injected fault, and returns its result.
    pub(crate) fn complete(&self, work: &Work, settings: &Settings) -> RequestResult {
        let now = now();
        let survives = settings.survivor.hit(work.name, work.count);
        let Launched { clusters, jobs, services } = &mut *self.lock();
        clusters.stop_idle(now);
        if let Some(cluster) = launched_by(work, settings) {
            if let Err(error) = check_infra(work, settings) {
                clusters.discard_launch(&cluster);
                return Err(error);
            }
            clusters.mark_up(&cluster);
        } else {
            check_infra(work, settings)?;
        }
        check_controller(work, settings, clusters)?;
        match work.name {
            "sky.launch" if work.flag("dryrun", false) => {
                Ok(Success::value(json!({"job_id": null, "handle": PICKLE})))
            }
            "sky.launch" => {
                let mut success = clusters.submit(work, settings, now)?;
                success.log.insert(0, Cluster::launched(work.cluster()));
                Ok(success)
            }
            "sky.exec" => clusters.submit(work, settings, now),
            "sky.down" => clusters.down(work, survives),
            "sky.stop" => clusters.stop(work, survives),
            "sky.start" => clusters.start(work),
            "sky.autostop" => clusters.autostop(work, now, survives),
            "sky.cost_report" => clusters.cost_report(),
            "sky.queue" => clusters.queue(work, now),
            "sky.cancel" => clusters.cancel(work, now, survives),
            "sky.status" => clusters.status(work),
            "sky.jobs.launch" => jobs.launch(work, settings, now),
            "sky.jobs.queue" | "sky.jobs.queue_v2" => jobs.queue(work, now),
            "sky.jobs.cancel" => jobs.cancel(work, now, survives),
            "sky.serve.up" => services.up(work, now),
            "sky.serve.status" => services.status(work, now),
            "sky.serve.down" => services.down(work, now, survives),
            "sky.jobs.pool_status" => Ok(Success::value(json!([]))),
            name => Err(Outcome::error("NotSupportedError", format!("{name} is not supported"))),
        }
    }

    /// Job whose log is requested, or the completion of a request without such a job.
    pub(crate) fn find_followed(
        &self,
        work: &Work,
        settings: &Settings,
    ) -> Result<FollowedJob, Completion> {
        let Launched { clusters, jobs, .. } = &mut *self.lock();
        if work.name == "sky.jobs.logs" {
            check_controller(work, settings, clusters)?;
            return jobs.find_followed(work, now()).map(FollowedJob::Managed);
        }
        let cluster = clusters.available(work.cluster(), "tailing logs")?;
        let requested = work.body["job_id"].as_u64().or(cluster.jobs.last().map(|job| job.id));
        let message = match requested {
            None => "Skip streaming logs as no job has been submitted.".to_owned(),
            Some(id) if cluster.jobs.iter().any(|job| job.id == id) => {
                return Ok(FollowedJob::OnCluster(cluster.name.clone(), id));
            }
            Some(id) => format!("Job {id} not found (see `sky queue`)."),
        };
        Err(Completion::not_found(message))
    }

    /// Log of a job so far, and its state; `None` if its cluster was removed.
    pub(crate) fn read(&self, followed: &FollowedJob) -> Option<(Vec<String>, JobState)> {
        let now = now();
        let launched = self.lock();
        let job = match followed {
            FollowedJob::Managed(id) => launched.jobs.find(*id),
            FollowedJob::OnCluster(cluster, id) => {
                launched.clusters.find(cluster)?.jobs.iter().find(|job| job.id == *id)
            }
        };
        job.map(|job: &Job| (job.log(now), job.state(now)))
    }

    fn lock(&self) -> MutexGuard<'_, Launched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FollowedJob {
    /// Last lines of the log of a job that has ended.
    pub(crate) fn final_lines(&self, state: JobState) -> Vec<String> {
        let status = state.name();
        let mut lines = vec![finishing(&format!("Job finished (status: {status})."))];
        if let Self::Managed(id) = self {
            lines.push(finishing(&format!("Managed job finished: {id} (status: {status}).")));
        }
        lines
    }
}

/// Name of the cluster that a request launches, if any.
fn launched_by(work: &Work, settings: &Settings) -> Option<String> {
    match work.name {
        _ if settings.infra.is_empty() => None,
        "sky.launch" if !work.flag("dryrun", false) => Some(work.cluster().to_owned()),
        "sky.jobs.launch" if !settings.consolidation => Some(controller_name("jobs")),
        "sky.serve.up" => Some(controller_name("serve")),
        _ => None,
    }
}

/// Checks that the controller of jobs or services exists, if the request needs one.
fn check_controller(work: &Work, settings: &Settings, clusters: &Clusters) -> Result<(), Outcome> {
    let (kind, missing) = match work.name.split('.').nth(1) {
        Some("jobs") if !settings.consolidation => ("jobs", "No in-progress managed jobs."),
        Some("serve") => ("serve", "No live services."),
        _ => return Ok(()),
    };
    match clusters.find(&controller_name(kind)) {
        Some(_) => Ok(()),
        None => Err(Outcome::error("ClusterNotUpError", missing)),
    }
}

/// Checks that the infra of the task is enabled, and injects `FAKE_SKY_INFRA_FAIL`.
fn check_infra(work: &Work, settings: &Settings) -> Result<(), Outcome> {
    if matches!(work.name, "sky.launch" | "sky.serve.up")
        && let Task { name, infra: Some(infra), .. } = work.task()
        && !settings.infra.iter().any(|known| known.eq_ignore_ascii_case(&infra))
    {
        let name = name.map(|name| format!(" '{name}'")).unwrap_or_default();
        let message = format!(
            "Task{name} requires {infra} which is not enabled. To enable access, change the task \
             cloud requirement or run: \u{1b}[1msky check {infra}\u{1b}[0m"
        );
        return Err(Outcome::error("ResourcesUnavailableError", message));
    }
    if !settings.infra_fail.hit(work.name, work.count) {
        return Ok(());
    }
    Err(match work.name {
        "sky.launch" => Outcome::error(
            "ResourcesUnavailableError",
            "Failed to provision all possible launchable resources.\nTo keep retrying until the \
             cluster is up, use the `--retry-until-up` flag.",
        ),
        name => Outcome::error("RuntimeError", format!("{name}: the infrastructure failed")),
    })
}
