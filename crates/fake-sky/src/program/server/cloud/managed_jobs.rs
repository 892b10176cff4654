//! Simulated managed jobs. Their clusters are not listed.

use std::time::Duration;

use fake_sky::settings::Settings;
use serde_json::{Map, Value, json};

use super::job::{Job, JobState};
use crate::program::server::outcome::{Completion, Outcome, PICKLE, RequestResult, Success};
use crate::program::server::work::Work;

/// Duration of the state CANCELLING.
const CANCEL_DURATION: Duration = Duration::from_millis(100);

/// Managed jobs, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ManagedJobs(Vec<Job>);

impl ManagedJobs {
    /// Managed job with this id.
    pub(crate) fn find(&self, id: u64) -> Option<&Job> {
        self.0.iter().find(|job| job.id == id)
    }

    /// Handles `sky.jobs.launch`: submits jobs, and returns their ids. As in SkyPilot, the task has
    /// their name; the body's `name` changes nothing.
    pub(super) fn launch(
        &mut self,
        work: &Work,
        settings: &Settings,
        now: Duration,
    ) -> RequestResult {
        let mut task = work.task();
        let next = self.0.last().map_or(1, |job| job.id + 1);
        let name = match task.name_of_managed_job() {
            Some(name) => name.to_owned(),
            // SkyPilot draws the digits.
            None => format!("sky-{next:04x}-root"),
        };
        task.name = Some(name.clone());
        // In consolidation mode SkyPilot accepts a job also without an infra; the job fails.
        let has_no_infra = settings.infra.is_empty();
        if has_no_infra {
            task.run = None;
        }
        let must_fail = has_no_infra || settings.job_failed.hit(work.name, work.count);
        let mut ids = Vec::new();
        for id in next..next + work.body["num_jobs"].as_u64().unwrap_or(1) {
            ids.push(id);
            let job = Job::new(id, &task, work.user(), now, settings.launch, settings);
            self.0.push(job.with_failure(must_fail));
        }
        let log = vec![format!("\u{1b}[33mLaunching managed job '{name}'...\u{1b}[0m")];
        Ok(Success { value: json!({"job_id": ids, "handle": PICKLE}), log })
    }

    /// Handles `sky.jobs.queue` and `sky.jobs.queue_v2`: lists the jobs, newest first.
    pub(super) fn queue(&self, work: &Work, now: Duration) -> RequestResult {
        let body = &work.body;
        let all_users = work.flag("all_users", false);
        let of_user = |job: &&Job| all_users || job.user == work.user();
        let requested = |job: &&Job| {
            let state = job.state(now);
            let one_of = |field: &str, value: Value| {
                body[field].as_array().is_none_or(|values| values.contains(&value))
            };
            let unfinished = !work.flag("skip_finished", false) || !state.is_final();
            let named = body["name_match"].as_str().is_none_or(|part| job.name.contains(part));
            unfinished && named && one_of("job_ids", json!(job.id))
        };
        let with_status = |job: &&Job| {
            body["statuses"]
                .as_array()
                .is_none_or(|names| names.iter().any(|name| *name == job.state(now).name()))
        };
        let matching: Vec<_> = self.0.iter().rev().filter(of_user).filter(requested).collect();
        // The counts ignore the filter by status and the page.
        let mut counts = Map::new();
        for job in &matching {
            let count = counts.entry(job.state(now).name()).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or_default() + 1);
        }
        let shown: Vec<_> = matching.into_iter().filter(with_status).collect();
        let page = |rows: Vec<Value>| -> Vec<Value> {
            let Some(limit) = body["limit"].as_u64() else { return rows };
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let page = body["page"].as_u64().unwrap_or(1).saturating_sub(1);
            let skipped = usize::try_from(page).unwrap_or(usize::MAX).saturating_mul(limit);
            rows.into_iter().skip(skipped).take(limit).collect()
        };
        let total = shown.len();
        let rows = page(shown.iter().map(|job| row(job, now, &body["fields"])).collect());
        if work.name == "sky.jobs.queue" {
            return Ok(Success::value(Value::Array(rows)));
        }
        Ok(Success::value(json!({
            "jobs": rows, "total": total,
            "total_no_filter": self.0.iter().filter(of_user).count(),
            "status_counts": counts, "infra_options": [],
        })))
    }

    /// Handles `sky.jobs.cancel`: cancels jobs by ids, by name, or all. The jobs keep running
    /// if they `survive` by an injected fault.
    pub(super) fn cancel(&mut self, work: &Work, now: Duration, survive: bool) -> RequestResult {
        let body = &work.body;
        let ids = body["job_ids"].as_array().filter(|ids| !ids.is_empty());
        let name = body["name"].as_str();
        let all_users = work.flag("all_users", false);
        let all = work.flag("all", false) || all_users;
        let pool = body["pool"].is_string();
        if [ids.is_some(), name.is_some(), pool, all].into_iter().filter(|set| *set).count() != 1 {
            let message = "Can only specify one of JOB_IDS, name, pool, or all/all_users.";
            return Err(Outcome::error("ValueError", message));
        }
        let selected = |job: &Job| match (ids, name) {
            (Some(ids), _) => ids.contains(&json!(job.id)),
            (None, Some(name)) => job.name == name,
            (None, None) => all && (all_users || job.user == work.user()),
        };
        let unfinished = |job: &&mut Job| selected(job) && !job.state(now).is_final();
        let cancelled: Vec<_> = self.0.iter_mut().filter(unfinished).collect();
        let cancelled_ids: Vec<_> = cancelled.iter().map(|job| job.id.to_string()).collect();
        let message = match (name, cancelled_ids.as_slice()) {
            (Some(name), []) => format!("No running job found with name '{name}'."),
            // An ambiguous name cancels nothing.
            (Some(name), [_, _, ..]) => {
                let ids = cancelled_ids.join(", ");
                return Ok(Success::line(format!(
                    "\u{1b}[31mMultiple running jobs found with name '{name}'.\nJob IDs: \
                     [{ids}]\u{1b}[0m"
                )));
            }
            (None, []) => "No job to cancel.".to_owned(),
            (_, [id]) => format!("Job with ID {id} is scheduled to be cancelled."),
            (None, ids) => {
                format!("Jobs with IDs {} are scheduled to be cancelled.", ids.join(", "))
            }
        };
        if !survive {
            cancelled.into_iter().for_each(|job| _ = job.cancel(now, CANCEL_DURATION));
        }
        Ok(Success::line(message))
    }

    /// Id of the job whose log is requested, or the completion of a request without such a
    /// job.
    pub(super) fn find_followed(&self, work: &Work, now: Duration) -> Result<u64, Completion> {
        let not_found = |text: String| Err(Completion::not_found(text));
        match (work.body["job_id"].as_u64(), work.body["name"].as_str()) {
            (Some(_), Some(_)) => {
                Err(Outcome::error("ValueError", "Cannot specify both name and job_id.").into())
            }
            (Some(id), None) if self.find(id).is_some() => Ok(id),
            (Some(id), None) => not_found(format!("Job {id} not found.")),
            (None, None) => match self.0.last() {
                Some(job) => Ok(job.id),
                None => not_found("No managed job found.".to_owned()),
            },
            (None, Some(name)) => {
                let running = |job: &&Job| job.name == name && !job.state(now).is_final();
                let running: Vec<_> = self.0.iter().filter(running).collect();
                match running.as_slice() {
                    [job] => Ok(job.id),
                    [] => not_found(format!("No running managed job found with name '{name}'.")),
                    _ => {
                        let message = format!("Multiple running jobs found with name '{name}'.");
                        Err(Outcome::error("ValueError", message).into())
                    }
                }
            }
        }
    }
}

/// Row of a job. If `fields` is a list, it has only these fields and those that identify the
/// job.
fn row(job: &Job, now: Duration, fields: &Value) -> Value {
    let state = job.state(now);
    let (started, ended) = (job.started(now), job.ended(now));
    let duration = started.map(|started| ended.unwrap_or(now).saturating_sub(started));
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let failed = state == JobState::Failed;
    let mut row = json!({
        "_job_id": job.id, "job_id": job.id, "task_id": 0, "job_name": job.name,
        "task_name": job.name, "job_duration": seconds(duration).unwrap_or_default(),
        "workspace": "default", "status": state.name(),
        "schedule_state": if state.is_final() { "DONE" } else { "ALIVE" },
        "resources": "1x[CPU:1+]", "cluster_resources": "-", "cluster_resources_full": "-",
        "cloud": null, "region": null, "zone": null, "infra": null, "recovery_count": 0,
        "details": null, "failure_reason": failed.then_some("the job exited with code 1"),
        "user_name": "root", "user_hash": job.user, "submitted_at": job.submitted.as_secs_f64(),
        "start_at": seconds(started), "end_at": seconds(ended), "user_yaml": null,
        "entrypoint": "sky jobs launch", "metadata": {}, "pool": null, "priority": 500,
        "last_recovered_at": seconds(started).unwrap_or(-1.0), "is_job_group": false,
    });
    if let (Some(fields), Some(row)) = (fields.as_array(), row.as_object_mut()) {
        let always = ["job_id", "task_id", "status"];
        row.retain(|field, _| always.contains(&field.as_str()) || fields.contains(&json!(field)));
    }
    row
}
