//! What a server with an infrastructure has on it: clusters, managed jobs and
//! services. There is no infrastructure, of course: things come up, run and end
//! by the clock, as long as the settings say.
//!
//! A request touches this twice: when its executor begins ([`Cloud::begin`])
//! and when it is done ([`Cloud::conclude`]). What follows a log reads here too
//! ([`Cloud::read`]).

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
use super::outcome::{Answer, Outcome, PICKLE, Said, Verdict};
use super::task::Task;
use super::work::Work;

/// The job that a stream follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// One on a cluster.
    OnCluster(String, u64),
    /// A managed one.
    Managed(u64),
}

/// Everything that was launched.
#[derive(Debug, Default)]
pub(crate) struct Cloud(Mutex<Launched>);

#[derive(Debug, Default)]
struct Launched {
    clusters: Clusters,
    jobs: ManagedJobs,
    services: Services,
}

impl Cloud {
    /// How long a request takes: what launches something takes longer, unless
    /// that is there.
    pub(crate) fn takes(&self, work: &Work, settings: &Settings) -> Duration {
        match launched_by(work, settings) {
            Some(cluster) if !self.lock().clusters.is_up(&cluster) => settings.launch,
            _ => settings.service,
        }
    }

    /// An executor begins with a request.
    pub(crate) fn begin(&self, work: &Work, settings: &Settings) {
        if let Some(cluster) = launched_by(work, settings) {
            let user = if work.name == "sky.launch" { work.user() } else { DEFAULT_USER_ID };
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

    /// What a request that has run changes and returns, if no fault was injected into it.
    pub(crate) fn conclude(&self, work: &Work, settings: &Settings) -> Verdict {
        let now = now();
        let stays = settings.survivor.hit(work.name, work.count);
        let Launched { clusters, jobs, services } = &mut *self.lock();
        if let Some(cluster) = launched_by(work, settings) {
            if let Err(broken) = infrastructure(work, settings) {
                clusters.give_up(&cluster);
                return Err(broken);
            }
            clusters.come_up(&cluster);
        } else {
            infrastructure(work, settings)?;
        }
        controller(work, settings, clusters)?;
        match work.name {
            "sky.launch" if work.flag("dryrun", false) => {
                Ok(Said::value(json!({"job_id": null, "handle": PICKLE})))
            }
            "sky.launch" => {
                let mut said = clusters.submit(work, settings, now)?;
                said.log.insert(0, Cluster::launched(work.cluster()));
                Ok(said)
            }
            "sky.exec" => clusters.submit(work, settings, now),
            "sky.down" => clusters.down(work, stays),
            "sky.queue" => clusters.queue(work, now),
            "sky.status" => clusters.status(work),
            "sky.jobs.launch" => jobs.launch(work, settings, now),
            "sky.jobs.queue" | "sky.jobs.queue_v2" => jobs.queue(work, now),
            "sky.jobs.cancel" => jobs.cancel(work, now, stays),
            "sky.serve.up" => services.up(work, now),
            "sky.serve.status" => services.status(work, now),
            "sky.serve.down" => services.down(work, now, stays),
            "sky.jobs.pool_status" => Ok(Said::value(json!([]))),
            name => Err(Outcome::error("NotSupportedError", format!("{name} is not supported"))),
        }
    }

    /// Finds the job whose log is asked for; or how the request ends without.
    pub(crate) fn to_follow(&self, work: &Work, settings: &Settings) -> Result<Followed, Answer> {
        let Launched { clusters, jobs, .. } = &mut *self.lock();
        if work.name == "sky.jobs.logs" {
            controller(work, settings, clusters)?;
            return jobs.to_follow(work, now()).map(Followed::Managed);
        }
        let cluster = clusters.available(work.cluster(), "tailing logs")?;
        let wanted = work.body["job_id"].as_u64().or(cluster.jobs.last().map(|job| job.id));
        let missing = match wanted {
            None => "Skip streaming logs as no job has been submitted.".to_owned(),
            Some(id) if cluster.jobs.iter().any(|job| job.id == id) => {
                return Ok(Followed::OnCluster(cluster.name.clone(), id));
            }
            Some(id) => format!("Job {id} not found (see `sky queue`)."),
        };
        Err(Answer::not_found(missing))
    }

    /// The log of a job so far and where it stands, unless it has vanished.
    pub(crate) fn read(&self, followed: &Followed) -> Option<(Vec<String>, JobState)> {
        let now = now();
        let launched = self.lock();
        let job = match followed {
            Followed::Managed(id) => launched.jobs.find(*id),
            Followed::OnCluster(cluster, id) => {
                launched.clusters.find(cluster)?.jobs.iter().find(|job| job.id == *id)
            }
        };
        job.map(|job: &Job| (job.log(now), job.state(now)))
    }

    fn lock(&self) -> MutexGuard<'_, Launched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    /// The last lines of a log whose job has ended.
    pub(crate) fn last_words(&self, ended: JobState) -> Vec<String> {
        let ended = ended.name();
        let mut words = vec![finishing(&format!("Job finished (status: {ended})."))];
        if let Self::Managed(id) = self {
            words.push(finishing(&format!("Managed job finished: {id} (status: {ended}).")));
        }
        words
    }
}

/// The cluster that a request launches, if any.
fn launched_by(work: &Work, settings: &Settings) -> Option<String> {
    match work.name {
        _ if settings.infra.is_empty() => None,
        "sky.launch" if !work.flag("dryrun", false) => Some(work.cluster().to_owned()),
        "sky.jobs.launch" if !settings.consolidation => Some(controller_name("jobs")),
        "sky.serve.up" => Some(controller_name("serve")),
        _ => None,
    }
}

/// What manages jobs or services must be there for most requests about them.
fn controller(work: &Work, settings: &Settings, clusters: &Clusters) -> Result<(), Outcome> {
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

/// The infrastructure may not be what the task insists on, and may fail.
fn infrastructure(work: &Work, settings: &Settings) -> Result<(), Outcome> {
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
