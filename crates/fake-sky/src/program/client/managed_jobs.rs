//! Commands for managed jobs: `jobs launch` and `jobs logs`.

use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;
use super::task::{TaskOptions, validate};

/// Arguments of `sky jobs launch`.
#[derive(Debug, Args)]
pub(crate) struct JobsLaunch {
    /// Job name.
    #[arg(long, short = 'n')]
    name: String,
    /// Returns when the job is submitted.
    #[arg(long, short = 'd')]
    detach_run: bool,
    #[command(flatten)]
    task: TaskOptions,
}

/// Arguments of `sky jobs logs`.
#[derive(Debug, Args)]
pub(crate) struct JobsLogs {
    /// Job name.
    #[arg(long, short = 'n')]
    name: Option<String>,
    job: Option<u64>,
}

pub(super) fn logs(server: &mut Connection<'_>, logs: &JobsLogs) -> anyhow::Result<u8> {
    let fields = json!({
        "name": logs.name, "job_id": logs.job, "follow": true, "controller": false,
        "refresh": false, "tail": null, "tail_offset": null, "task": null,
    });
    server.follow("/jobs/logs", &fields)
}

pub(super) fn launch(server: &mut Connection<'_>, launch: &JobsLaunch) -> anyhow::Result<u8> {
    let name = &launch.name;
    let dag = launch.task.dag(server, Some(name))?;
    validate(server, &dag, &Value::Null)?;
    launch.task.confirm()?;
    let id = server.post(
        "/jobs/launch",
        &json!({
            "task": dag, "name": name, "pool": null, "num_jobs": null, "parent_job_id": null,
            "parent_task_id": null, "job_group_explicit": false,
        }),
    )?;
    if launch.task.detached {
        return server.print_submitted("sky.jobs.launch", &id);
    }
    let value = match server.stream_and_get(&id)? {
        Ok(value) => value,
        Err(error) => return server.print_error(&error),
    };
    let job = &value["job_id"][0];
    if launch.detach_run {
        server.print(format!("Managed Job ID: {job}"))?;
        return Ok(0);
    }
    let log = json!({
        "name": null, "job_id": job, "follow": true, "controller": false, "refresh": false,
        "tail": null, "tail_offset": null, "task": null,
    });
    let code = server.follow("/jobs/logs", &log)?;
    server.print(format!(
        "\n📋 Useful Commands\nManaged Job ID: {job}\n├── To cancel the job:\t\tsky jobs cancel \
         {job}\n├── To stream job logs:\t\tsky jobs logs {job}\n├── To stream controller \
         logs:\tsky jobs logs --controller {job}\n└── To view all managed jobs:\tsky jobs queue"
    ))?;
    Ok(code)
}
