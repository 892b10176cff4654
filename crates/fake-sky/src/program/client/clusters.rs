//! Commands for clusters: `launch`, `exec`, `logs`, `cancel` and `down`.

use clap::Args;
use serde_json::{Value, json};

use super::connection::Connection;
use super::task::{TaskOptions, validate};

/// Arguments of `sky launch`.
#[derive(Debug, Args)]
pub(crate) struct Launch {
    /// Cluster name.
    #[arg(long, short = 'c')]
    cluster: String,
    #[command(flatten)]
    task: TaskOptions,
}

/// Arguments of `sky exec`.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Cluster name.
    #[arg(long, short = 'c')]
    cluster: String,
    /// Returns when the job is submitted.
    #[arg(long, short = 'd')]
    detach_run: bool,
    #[command(flatten)]
    task: TaskOptions,
}

/// Arguments of `sky logs`.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    cluster: String,
    job: u64,
}

/// Arguments of `sky queue`.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    cluster: String,
}

/// Arguments of `sky cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    cluster: String,
    jobs: Vec<u64>,
    /// Skips the confirmation.
    #[arg(long, short = 'y', required = true)]
    yes: bool,
}

/// Arguments of `sky down`.
#[derive(Debug, Args)]
pub(crate) struct Down {
    cluster: String,
    /// Skips the confirmation.
    #[arg(long, short = 'y', required = true)]
    yes: bool,
}

pub(super) fn launch(server: &mut Connection<'_>, launch: &Launch) -> anyhow::Result<u8> {
    let dag = launch.task.dag(server, None)?;
    let cluster = &launch.cluster;
    let options = json!({
        "cluster_name": cluster, "idle_minutes_to_autostop": null, "down": false, "dryrun": false,
    });
    validate(server, &dag, &options)?;
    launch.task.confirm()?;
    server.print(format!("Running on cluster: {cluster}"))?;
    let id = server.post(
        "/launch",
        &json!({
            "task": dag, "cluster_name": cluster, "retry_until_up": false,
            "idle_minutes_to_autostop": null, "dryrun": false, "down": false,
            "backend": "cloudvmray", "optimize_target": 0, "no_setup": false,
            "clone_disk_from": null, "fast": false, "quiet_optimizer": false,
            "is_launched_by_jobs_controller": false,
            "is_launched_by_sky_serve_controller": false, "disable_controller_check": false,
            "resize": false, "extra_launch_context": {}, "include_credentials": true,
        }),
    )?;
    if launch.task.detached {
        return server.print_submitted("sky.launch", &id);
    }
    let value = match server.stream_and_get(&id)? {
        Ok(value) => value,
        Err(error) => return server.print_error(&error),
    };
    // SkyPilot's client requests the status here to write the cluster's SSH configuration.
    let fields = json!({
        "cluster_names": [cluster], "refresh": "NONE", "all_users": true,
        "include_credentials": true, "summary_response": true, "include_handle": true,
    });
    if let Err(error) = server.post_and_stream("/status", &fields)? {
        return server.print_error(&error);
    }
    let job = &value["job_id"];
    let code = follow(server, cluster, job, 0)?;
    server.print("\n📋 Useful Commands")?;
    server.print(format!(
        "Job ID: {job}\n├── To cancel the job:\t\tsky cancel {cluster} {job}\n├── To stream job \
         logs:\t\tsky logs {cluster} {job}\n└── To view job queue:\t\tsky queue {cluster}"
    ))?;
    server.print(format!(
        "Cluster name: {cluster}\n├── To log into the head VM:\tssh {cluster}\n└── To teardown \
         the cluster:\tsky down {cluster}"
    ))?;
    Ok(code)
}

pub(super) fn exec(server: &mut Connection<'_>, exec: &Exec) -> anyhow::Result<u8> {
    let dag = exec.task.dag(server, None)?;
    let cluster = &exec.cluster;
    validate(server, &dag, &Value::Null)?;
    let fields = json!({
        "task": dag, "cluster_name": cluster, "dryrun": false, "down": false, "backend": null,
    });
    let value = match server.post_and_stream("/exec", &fields)? {
        Ok(value) => value,
        Err(error) => return server.print_error(&error),
    };
    if exec.detach_run {
        server.print(format!("Job ID: {}", value["job_id"]))?;
        return Ok(0);
    }
    follow(server, cluster, &value["job_id"], 0)
}

pub(super) fn queue(server: &mut Connection<'_>, queue: &Queue) -> anyhow::Result<u8> {
    let Queue { cluster } = queue;
    let fields = json!({"cluster_name": cluster, "skip_finished": false, "all_users": false});
    match server.post_and_stream("/queue", &fields)? {
        Ok(rows) => {
            server.print(format!("\nJob queue of current user on cluster {cluster}"))?;
            for row in rows.as_array().into_iter().flatten() {
                server.print(format!("{:<4}{}", row["job_id"], row["status"]))?;
            }
        }
        // Like SkyPilot's, which exits with 0 all the same.
        Err(error) => _ = server.print_error(&error)?,
    }
    Ok(0)
}

pub(super) fn cancel(server: &mut Connection<'_>, cancel: &Cancel) -> anyhow::Result<u8> {
    let ids = (!cancel.jobs.is_empty()).then_some(&cancel.jobs);
    let fields = json!({
        "cluster_name": cancel.cluster, "job_ids": ids, "all": false, "all_users": false,
        "try_cancel_if_cluster_is_init": false,
    });
    match server.post_and_stream("/cancel", &fields)? {
        Ok(_) => Ok(0),
        Err(error) => server.print_error(&error),
    }
}

pub(super) fn down(server: &mut Connection<'_>, down: &Down) -> anyhow::Result<u8> {
    match server.post_and_stream("/down", &json!({"cluster_name": down.cluster, "purge": false}))? {
        Ok(_) => {
            server.print(format!("Terminating cluster {}...done.", down.cluster))?;
            Ok(0)
        }
        Err(error) => server.print_error(&error),
    }
}

pub(super) fn logs(server: &mut Connection<'_>, logs: &Logs) -> anyhow::Result<u8> {
    /// Maximum number of past log lines that `sky logs` shows.
    const TAIL: u64 = 1000;
    let Logs { cluster, job } = logs;
    server.print(format!("Tailing logs of job {job} on cluster '{cluster}'..."))?;
    follow(server, cluster, &json!(job), TAIL)
}

/// Prints the last `tail` lines of a job's log (0: all), then follows the log to its end.
fn follow(
    server: &mut Connection<'_>,
    cluster: &str,
    job: &Value,
    tail: u64,
) -> anyhow::Result<u8> {
    let fields = json!({"cluster_name": cluster, "job_id": job, "follow": true, "tail": tail});
    server.follow("/logs", &fields)
}
