//! The commands about managed jobs: `jobs launch`, `jobs logs`, `jobs cancel`.

use clap::Args;
use serde_json::{Value, json};

use super::confirmed;
use super::connection::Connection;
use super::task::{Entrypoint, TaskOptions, validate};

/// How `sky jobs launch` is called.
#[derive(Debug, Args)]
pub(crate) struct JobsLaunch {
    /// The name of the job.
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Does not follow the job.
    #[arg(long, short = 'd')]
    detach_run: bool,
    #[command(flatten)]
    options: TaskOptions,
    #[command(flatten)]
    entrypoint: Entrypoint,
}

/// How `sky jobs logs` is called.
#[derive(Debug, Args)]
pub(crate) struct JobsLogs {
    job: Option<u64>,
    /// The name of the job.
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Ends with what there is.
    #[arg(long)]
    no_follow: bool,
    /// How many lines at most; 0 means all.
    #[arg(long, default_value_t = 1000)]
    tail: u64,
}

/// How `sky jobs cancel` is called.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    jobs: Vec<u64>,
    /// The name of the job.
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Means all jobs of this user.
    #[arg(long, short = 'a')]
    all: bool,
    /// Does not ask before.
    #[arg(long, short = 'y')]
    yes: bool,
}

pub(super) fn launch(server: &mut Connection<'_>, launch: &JobsLaunch) -> anyhow::Result<u8> {
    let name = launch.name.as_deref();
    let dag = launch.options.dag(server, launch.entrypoint.words(), name)?;
    validate(server, &dag, &Value::Null)?;
    confirmed(launch.options.yes)?;
    let id = server.post(
        "/jobs/launch",
        &json!({
            "task": dag, "name": name, "pool": null, "num_jobs": null, "parent_job_id": null,
            "parent_task_id": null, "job_group_explicit": false,
        }),
    )?;
    if launch.options.detached {
        return server.submitted("sky.jobs.launch", &id);
    }
    let value = match server.stream_and_get(&id)? {
        Ok(value) => value,
        Err(refused) => return server.lament(&refused),
    };
    let job = &value["job_id"][0];
    let code = if launch.detach_run { 0 } else { follow(server, job, None, true, None)? };
    server.say(format!(
        "\n📋 Useful Commands\nManaged Job ID: {job}\n├── To cancel the job:\t\tsky jobs cancel \
         {job}\n├── To stream job logs:\t\tsky jobs logs {job}\n├── To stream controller \
         logs:\tsky jobs logs --controller {job}\n└── To view all managed jobs:\tsky jobs queue"
    ))?;
    Ok(code)
}

pub(super) fn logs(server: &mut Connection<'_>, logs: &JobsLogs) -> anyhow::Result<u8> {
    let tail = Some(logs.tail).filter(|tail| *tail > 0);
    follow(server, &json!(logs.job), logs.name.as_deref(), !logs.no_follow, tail)
}

pub(super) fn cancel(server: &mut Connection<'_>, cancel: &Cancel) -> anyhow::Result<u8> {
    confirmed(cancel.yes)?;
    let fields = json!({
        "name": cancel.name, "job_ids": cancel.jobs, "all": cancel.all, "all_users": false,
        "pool": null, "graceful": false, "graceful_timeout": null, "task": null,
    });
    match server.ask("/jobs/cancel", &fields)? {
        Ok(_) => Ok(0),
        Err(refused) => server.lament(&refused),
    }
}

fn follow(
    server: &mut Connection<'_>,
    job: &Value,
    name: Option<&str>,
    follow: bool,
    tail: Option<u64>,
) -> anyhow::Result<u8> {
    let fields = json!({
        "name": name, "job_id": job, "follow": follow, "controller": false, "refresh": false,
        "tail": tail, "tail_offset": null, "task": null,
    });
    server.follow("/jobs/logs", &fields)
}
