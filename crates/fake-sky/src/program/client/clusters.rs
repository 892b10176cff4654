//! The commands about clusters: `launch`, `exec`, `logs`, `queue`, `down`.

use clap::Args;
use serde_json::{Value, json};

use super::confirmed;
use super::connection::{Connection, Returned};
use super::task::{Entrypoint, TaskOptions, validate};

/// How `sky launch` is called.
#[derive(Debug, Args)]
pub(crate) struct Launch {
    /// The cluster.
    #[arg(long, short = 'c')]
    cluster: Option<String>,
    /// The name of the task.
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Only plans.
    #[arg(long)]
    dryrun: bool,
    /// Does not follow the job.
    #[arg(long, short = 'd')]
    detach_run: bool,
    #[command(flatten)]
    options: TaskOptions,
    #[command(flatten)]
    entrypoint: Entrypoint,
}

/// How `sky exec` is called.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// The cluster, instead of before the command.
    #[arg(long, short = 'c')]
    cluster: Option<String>,
    /// The name of the task.
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

/// How `sky logs` is called.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    cluster: String,
    job: Option<u64>,
    /// Ends with what there is.
    #[arg(long)]
    no_follow: bool,
    /// How many lines at most; 0 means all.
    #[arg(long, default_value_t = 1000)]
    tail: u64,
}

/// How `sky queue` is called.
#[derive(Debug, Args)]
pub(crate) struct Queue {
    clusters: Vec<String>,
    /// Leaves out what has ended.
    #[arg(long, short = 's')]
    skip_finished: bool,
    /// Shows everybody's jobs.
    #[arg(long, short = 'u')]
    all_users: bool,
}

/// How `sky down` is called.
#[derive(Debug, Args)]
pub(crate) struct Down {
    clusters: Vec<String>,
    /// Does not ask before.
    #[arg(long, short = 'y')]
    yes: bool,
    /// Means all clusters of this user.
    #[arg(long, short = 'a')]
    all: bool,
    /// Ignores what fails.
    #[arg(long, short = 'p')]
    purge: bool,
    /// Does not wait.
    #[arg(long = "async")]
    detached: bool,
}

pub(super) fn launch(server: &mut Connection<'_>, launch: &Launch) -> anyhow::Result<u8> {
    let dag = launch.options.dag(server, launch.entrypoint.words(), launch.name.as_deref())?;
    let cluster = launch.cluster.as_deref().unwrap_or("sky-fake-root");
    let options = json!({
        "cluster_name": cluster, "idle_minutes_to_autostop": null, "down": false,
        "dryrun": launch.dryrun,
    });
    validate(server, &dag, &options)?;
    confirmed(launch.options.yes || launch.dryrun)?;
    server.say(format!("Running on cluster: {cluster}"))?;
    let id = server.post(
        "/launch",
        &json!({
            "task": dag, "cluster_name": cluster, "retry_until_up": false,
            "idle_minutes_to_autostop": null, "dryrun": launch.dryrun, "down": false,
            "backend": "cloudvmray", "optimize_target": 0, "no_setup": false,
            "clone_disk_from": null, "fast": false, "quiet_optimizer": !launch.options.yes,
            "is_launched_by_jobs_controller": false,
            "is_launched_by_sky_serve_controller": false, "disable_controller_check": false,
            "resize": false, "extra_launch_context": {}, "include_credentials": true,
        }),
    )?;
    if launch.options.detached {
        return server.submitted("sky.launch", &id);
    }
    let value = match server.stream_and_get(&id)? {
        Ok(value) => value,
        Err(refused) => return server.lament(&refused),
    };
    if launch.dryrun {
        return Ok(0);
    }
    // For the SSH configuration of the cluster.
    if let Err(refused) = status(server, Some(&[cluster.to_owned()]))? {
        return server.lament(&refused);
    }
    let job = &value["job_id"];
    let follows = !launch.detach_run && job.is_u64();
    let code = if follows { follow(server, cluster, job, true, 0)? } else { 0 };
    server.say("\n📋 Useful Commands")?;
    if job.is_u64() {
        server.say(format!(
            "Job ID: {job}\n├── To cancel the job:\t\tsky cancel {cluster} {job}\n├── To stream \
             job logs:\t\tsky logs {cluster} {job}\n└── To view job queue:\t\tsky queue {cluster}"
        ))?;
    }
    server.say(format!(
        "Cluster name: {cluster}\n├── To log into the head VM:\tssh {cluster}\n└── To teardown \
         the cluster:\tsky down {cluster}"
    ))?;
    Ok(code)
}

pub(super) fn exec(server: &mut Connection<'_>, exec: &Exec) -> anyhow::Result<u8> {
    let words = exec.entrypoint.words();
    let (cluster, words) = match (&exec.cluster, words.split_first()) {
        (Some(cluster), _) => (cluster, words),
        (None, Some((cluster, words))) => (cluster, words),
        (None, None) => anyhow::bail!("Missing argument '[CLUSTER]' and '[ENTRYPOINT]...'"),
    };
    let dag = exec.options.dag(server, words, exec.name.as_deref())?;
    server.say(format!("Submitting job to cluster: {cluster}"))?;
    validate(server, &dag, &Value::Null)?;
    let fields = json!({
        "task": dag, "cluster_name": cluster, "dryrun": false, "down": false, "backend": null,
    });
    let id = server.post("/exec", &fields)?;
    if exec.options.detached {
        return server.submitted("sky.exec", &id);
    }
    match server.stream_and_get(&id)? {
        Ok(_) if exec.detach_run => Ok(0),
        Ok(value) => follow(server, cluster, &value["job_id"], true, 0),
        Err(refused) => server.lament(&refused),
    }
}

pub(super) fn logs(server: &mut Connection<'_>, logs: &Logs) -> anyhow::Result<u8> {
    let which = logs.job.map_or("the last job".to_owned(), |job| format!("job {job}"));
    let cluster = &logs.cluster;
    server.say(format!("Tailing logs of {which} on cluster '{cluster}'..."))?;
    follow(server, cluster, &json!(logs.job), !logs.no_follow, logs.tail)
}

/// What goes wrong here is printed, and changes nothing about the exit code.
pub(super) fn queue(server: &mut Connection<'_>, queue: &Queue) -> anyhow::Result<u8> {
    server.say("Fetching and parsing job queue...")?;
    let clusters = match queue.clusters.as_slice() {
        [] => match status(server, None)? {
            Ok(rows) => names(&rows),
            Err(refused) => return server.lament(&refused),
        },
        named => named.to_vec(),
    };
    server.say(format!("Fetching job queue for: {}", clusters.join(", ")))?;
    for cluster in clusters {
        let fields = json!({
            "cluster_name": cluster, "skip_finished": queue.skip_finished,
            "all_users": queue.all_users,
        });
        match server.ask("/queue", &fields)? {
            Ok(rows) => {
                let user = if queue.all_users { "all users" } else { "current user" };
                server.say(format!("\nJob queue of {user} on cluster {cluster}"))?;
                server.say(format!("{:<5}{:<20}STATUS", "ID", "NAME"))?;
                for row in rows.as_array().into_iter().flatten() {
                    let name = row["job_name"].as_str().unwrap_or_default();
                    let status = row["status"].as_str().unwrap_or_default();
                    server.say(format!("{:<5}{name:<20}{status}", row["job_id"].to_string()))?;
                }
            }
            Err(refused) => {
                server.say(format!("Failed to get the job queue for cluster '{cluster}'."))?;
                server.lament(&refused)?;
            }
        }
    }
    Ok(0)
}

/// A failing teardown is printed, and the exit code is 0 all the same.
pub(super) fn down(server: &mut Connection<'_>, down: &Down) -> anyhow::Result<u8> {
    const CAUGHT: [&str; 2] = ["RuntimeError", "NotSupportedError"];
    let asked = (!down.all).then_some(down.clusters.as_slice());
    let clusters = match status(server, asked)? {
        Ok(rows) => names(&rows),
        Err(refused) => return server.lament(&refused),
    };
    let clusters: Vec<_> =
        clusters.into_iter().filter(|name| !name.contains("-controller-")).collect();
    if clusters.is_empty() {
        server.say("Cluster(s) not found (tip: see `sky status`).")?;
        return Ok(0);
    }
    confirmed(down.yes)?;
    let mut failed = false;
    for cluster in clusters {
        let id = server.post(
            "/down",
            &json!({
                "cluster_name": cluster, "purge": down.purge, "graceful": false,
                "graceful_timeout": null,
            }),
        )?;
        if down.detached {
            server.submitted("sky.Terminating", &id)?;
            continue;
        }
        match server.stream_and_get(&id)? {
            Ok(_) => server.say(format!("Terminating cluster {cluster}...done."))?,
            Err(refused) if refused.is(&CAUGHT) => {
                failed = true;
                server.say(format!("Terminating cluster {cluster}...failed. "))?;
                server.say(format!("Reason: {}: {}.", refused.kind, refused.message))?;
            }
            Err(refused) => return server.lament(&refused),
        }
    }
    if failed {
        server.say(
            "Cluster(s) failed. See details above. If you want to ignore the errors and remove \
             the cluster(s) from the status table, use `sky down --purge`.",
        )?;
    }
    Ok(0)
}

fn follow(
    server: &mut Connection<'_>,
    cluster: &str,
    job: &Value,
    follow: bool,
    tail: u64,
) -> anyhow::Result<u8> {
    let fields = json!({"cluster_name": cluster, "job_id": job, "follow": follow, "tail": tail});
    server.follow("/logs", &fields)
}

/// The rows of these clusters, whoever launched them; or of this user's.
fn status(server: &mut Connection<'_>, clusters: Option<&[String]>) -> anyhow::Result<Returned> {
    let fields = json!({
        "cluster_names": clusters, "refresh": "NONE", "all_users": clusters.is_some(),
        "include_credentials": true, "summary_response": true, "include_handle": true,
    });
    server.ask("/status", &fields)
}

fn names(rows: &Value) -> Vec<String> {
    let names = rows.as_array().into_iter().flatten().filter_map(|row| row["name"].as_str());
    names.map(str::to_owned).collect()
}
