//! Simulated clusters and the jobs on them.

use std::time::Duration;

use fake_sky::settings::Settings;
use serde_json::{Value, json};

use super::job::{Job, finishing, starting};
use crate::program::server::log;
use crate::program::server::outcome::{Outcome, PICKLE, RequestResult, Success};
use crate::program::server::work::Work;

/// Status of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterStatus {
    /// Launch or start has begun.
    Init,
    /// Launched or started.
    Up,
    /// Stopped.
    Stopped,
}

impl ClusterStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Up => "UP",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Cluster whose launch has begun.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) status: ClusterStatus,
    /// Time at which the cluster stops itself if no job is unfinished.
    autostop: Option<Duration>,
    user: String,
    nodes: u64,
    infra: String,
    launched: Duration,
    last_job: u64,
    pub(crate) jobs: Vec<Job>,
}

/// Infras whose clusters cannot be stopped.
const WITHOUT_STOP: [&str; 2] = ["Kubernetes", "Slurm"];

/// Clusters, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Clusters(Vec<Cluster>);

impl Clusters {
    /// Cluster of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Cluster> {
        self.0.iter().find(|cluster| cluster.name == name)
    }

    /// Whether the cluster is UP.
    pub(crate) fn is_up(&self, name: &str) -> bool {
        self.find(name).is_some_and(|cluster| cluster.status == ClusterStatus::Up)
    }

    /// Adds a cluster at the start of its launch, with the status INIT; does nothing if it
    /// exists.
    pub(super) fn begin(&mut self, name: &str, user: &str, work: &Work, infra: &str) {
        if self.find(name).is_none() {
            self.0.push(Cluster {
                name: name.to_owned(),
                status: ClusterStatus::Init,
                autostop: None,
                user: user.to_owned(),
                nodes: work.task().nodes,
                infra: infra.to_owned(),
                launched: log::now(),
                last_job: 0,
                jobs: Vec::new(),
            });
        }
    }

    /// Sets a cluster to UP after a successful launch.
    pub(super) fn mark_up(&mut self, name: &str) {
        self.named(name).for_each(|cluster| cluster.status = ClusterStatus::Up);
    }

    /// Removes a cluster after a failed launch, unless it was UP before.
    pub(super) fn discard_launch(&mut self, name: &str) {
        self.0.retain(|cluster| cluster.name != name || cluster.status != ClusterStatus::Init);
    }

    /// Submits the job of a launch or an exec, if the task has a `run`.
    pub(super) fn submit(
        &mut self,
        work: &Work,
        settings: &Settings,
        now: Duration,
    ) -> RequestResult {
        let cluster = self.available(work.cluster(), "executing tasks")?;
        let task = work.task();
        let mut success = Success::default();
        let mut id = Value::Null;
        if task.run.is_some() {
            cluster.last_job += 1;
            id = json!(cluster.last_job);
            let job = Job::new(cluster.last_job, &task, work.user(), now, Duration::ZERO, settings);
            let must_fail = settings.job_failed.hit(work.name, work.count);
            cluster.jobs.push(job.with_failure(must_fail));
            success.log.push(starting(&format!("Job submitted, ID: {id}")));
        }
        success.value = json!({"job_id": id, "handle": PICKLE});
        Ok(success)
    }

    /// Handles `sky.down`: removes the cluster, unless it `survives` by an injected fault.
    pub(super) fn down(&mut self, work: &Work, survives: bool) -> RequestResult {
        let name = work.cluster();
        if self.find(name).is_none() {
            let message = format!("Cluster '{name}' does not exist.");
            return Err(Outcome::error("ClusterDoesNotExist", message));
        }
        if !survives {
            self.0.retain(|cluster| cluster.name != name);
        }
        Ok(Success::default())
    }

    /// Handles `sky.stop`: stops the cluster, unless it stays up by an injected fault.
    pub(super) fn stop(&mut self, work: &Work, stays_up: bool) -> RequestResult {
        let cluster = self.existing(work.cluster())?.stoppable("Stopping")?;
        if !stays_up {
            cluster.status = ClusterStatus::Stopped;
        }
        Ok(Success::default())
    }

    /// Handles `sky.autostop`: the cluster stops itself when idle for the requested minutes, unless
    /// it stays up by an injected fault.
    pub(super) fn autostop(&mut self, work: &Work, now: Duration, stays_up: bool) -> RequestResult {
        let cluster = self.available(work.cluster(), "scheduling autostop")?;
        let cluster = cluster.stoppable("Scheduling autostop on")?;
        // Negative minutes cancel an autostop.
        let idle = work.body["idle_minutes"].as_u64().map(|minutes| {
            now + Duration::from_secs(60).saturating_mul(u32::try_from(minutes).unwrap_or(u32::MAX))
        });
        cluster.autostop = idle.filter(|_| !stays_up);
        Ok(Success::default())
    }

    /// Stops clusters whose autostop is due.
    pub(super) fn stop_idle(&mut self, now: Duration) {
        let is_due = |cluster: &&mut Cluster| {
            let is_idle = cluster.jobs.iter().all(|job| job.state(now).is_final());
            cluster.autostop.is_some_and(|at| at <= now) && is_idle
        };
        for cluster in self.0.iter_mut().filter(is_due) {
            (cluster.status, cluster.autostop) = (ClusterStatus::Stopped, None);
        }
    }

    /// Handles `sky.start`: starts a stopped cluster; does nothing for one that is UP.
    pub(super) fn start(&mut self, work: &Work) -> RequestResult {
        self.existing(work.cluster())?.status = ClusterStatus::Up;
        Ok(Success::value(json!(PICKLE)))
    }

    /// Handles `sky.cost_report`: lists the clusters with their costs.
    pub(super) fn cost_report(&self) -> RequestResult {
        let row = |cluster: &Cluster| json!({"name": cluster.name, "num_nodes": cluster.nodes, "total_cost": 0.01});
        Ok(Success::value(self.0.iter().map(row).collect()))
    }

    /// Cluster for a stop or a start.
    fn existing(&mut self, name: &str) -> Result<&mut Cluster, Outcome> {
        self.named(name).next().ok_or_else(|| {
            Outcome::error("ClusterDoesNotExist", format!("Cluster '{name}' does not exist."))
        })
    }

    /// Handles `sky.cancel`: cancels jobs of a cluster by ids, the user's own, or the latest one that
    /// runs. The jobs keep running if they `survive` by an injected fault.
    pub(super) fn cancel(&mut self, work: &Work, now: Duration, survive: bool) -> RequestResult {
        let cluster = self.available(work.cluster(), "cancelling jobs")?;
        let ids = work.body["job_ids"].as_array().filter(|ids| !ids.is_empty());
        let all = work.flag("all", false);
        let is_own = |job: &Job| job.user == work.user() && !job.state(now).is_final();
        let latest = cluster.jobs.iter().filter(|job| is_own(job)).map(|job| job.id).next_back();
        let selected = |job: &&mut Job| match ids {
            Some(ids) => ids.contains(&json!(job.id)),
            None if all => is_own(job),
            None => latest == Some(job.id),
        };
        let running = cluster.jobs.iter_mut().filter(selected);
        let running: Vec<_> = running.filter(|job| !job.state(now).is_final()).collect();
        let ids: Vec<_> = running.iter().map(|job| job.id.to_string()).collect();
        if !survive {
            running.into_iter().for_each(|job| _ = job.cancel(now, Duration::ZERO));
        }
        Ok(Success::line(match ids.is_empty() {
            true => "No jobs cancelled. They may be in terminal states.".to_owned(),
            false => format!("Cancelled job ID(s): {}", ids.join(", ")),
        }))
    }

    /// Handles `sky.queue`: lists the jobs of a cluster, newest first.
    pub(super) fn queue(&mut self, work: &Work, now: Duration) -> RequestResult {
        let cluster = self.available(work.cluster(), "getting the job queue")?;
        let all_users = work.flag("all_users", false);
        let skip_finished = work.flag("skip_finished", false);
        let shown = cluster.jobs.iter().rev().filter(|job| {
            (all_users || job.user == work.user()) && !(skip_finished && job.state(now).is_final())
        });
        Ok(Success::value(shown.map(|job| row_of_job(job, now)).collect()))
    }

    /// Handles `sky.status`: lists the clusters, newest first.
    pub(super) fn status(&self, work: &Work) -> RequestResult {
        let patterns = work.body["cluster_names"].as_array();
        let all_users = work.flag("all_users", true);
        let shown = self.0.iter().rev().filter(|cluster| {
            let requested = patterns.is_none_or(|patterns| {
                let mut patterns = patterns.iter().filter_map(Value::as_str);
                patterns.any(|pattern| matches(pattern, &cluster.name))
            });
            requested && (all_users || cluster.user == work.user())
        });
        Ok(Success::value(shown.map(Cluster::row).collect()))
    }

    /// Cluster for an operation that requires it to be UP, or SkyPilot's error.
    pub(super) fn available(
        &mut self,
        name: &str,
        operation: &str,
    ) -> Result<&mut Cluster, Outcome> {
        let cluster = self.named(name).next().ok_or_else(|| Outcome::no_cluster(name))?;
        if cluster.status == ClusterStatus::Up {
            return Ok(cluster);
        }
        // SkyPilot's message begins with the operation, capitalized.
        let mut operation = operation.to_owned();
        // In bounds and no part of a character: operations are ASCII constants of this package.
        operation[..1].make_ascii_uppercase();
        let message = format!(
            "\u{1b}[33m{operation}: skipped for cluster '{name}' (status: {}). It is only \
             allowed for UP and AUTOSTOPPING clusters.\u{1b}[0m",
            cluster.status.name()
        );
        Err(Outcome::error("ClusterNotUpError", message))
    }

    fn named(&mut self, name: &str) -> impl Iterator<Item = &mut Cluster> {
        self.0.iter_mut().filter(move |cluster| cluster.name == name)
    }
}

impl Cluster {
    /// Cluster for an operation that stops it, or SkyPilot's error.
    fn stoppable(&mut self, operation: &str) -> Result<&mut Self, Outcome> {
        if WITHOUT_STOP.contains(&self.infra.as_str()) {
            let message = format!("{operation} cluster '{}'... skipped.", self.name);
            return Err(Outcome::error("NotSupportedError", message));
        }
        Ok(self)
    }

    /// Last log line of a launch.
    pub(super) fn launched(name: &str) -> String {
        finishing(&format!("Cluster launched: {name}."))
    }

    /// Row of `sky.status`. Like SkyPilot, it omits fields without a value.
    fn row(&self) -> Value {
        let mut row = json!({
            "name": self.name, "launched_at": self.launched.as_secs(), "handle": PICKLE,
            "last_use": "sky launch", "status": self.status.name(),
            "autostop": -1, "to_down": false, "metadata": {},
            "cluster_hash": format!("fake-{}", self.launched.as_nanos()),
            "cluster_ever_up": self.status != ClusterStatus::Init, "status_updated_at": self.launched.as_secs(),
            "user_hash": self.user, "user_name": "root", "workspace": "default",
            "is_managed": false, "resources_str": format!("{}x(cpus=2)", self.nodes),
            "resources_str_full": format!("{}x(cpus=2, mem=8)", self.nodes),
            "nodes": self.nodes, "cloud": self.infra, "labels": {},
            "cluster_name_on_cloud": format!("{}-{}", self.name, self.user),
            "storage_mounts_metadata": PICKLE,
        });
        if self.status == ClusterStatus::Init {
            row["init_kind"] = json!("launching");
        }
        row
    }
}

fn row_of_job(job: &Job, now: Duration) -> Value {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    json!({
        "job_id": job.id, "job_name": job.name, "username": "root", "user_hash": job.user,
        "submitted_at": job.submitted.as_secs_f64(), "start_at": seconds(job.started(now)),
        "end_at": seconds(job.ended(now)), "resources": "1x[CPU:1+]",
        "status": job.state(now).name(), "log_path": format!("~/sky_logs/{}-{}", job.id, job.name),
        "metadata": {}, "links": {},
    })
}

/// Whether a name matches a pattern with the wildcard `*`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| matches(after, &rest[at..])) || matches(after, "")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_matches_any_text() {
        assert!(matches("sky-serve-controller-*", "sky-serve-controller-fcd1e5cf"));
        assert!(matches("*", "") && matches("a*c", "abc") && matches("a", "a"));
        assert!(!matches("a*c", "ab") && !matches("a", "ab"));
    }
}
