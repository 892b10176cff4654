//! Commands that list something: `status`, `jobs queue`, `serve status`, `check`, `show-gpus`,
//! `cost-report`.
//!
//! Like SkyPilot's, they print their headings and exit with 0 even when requests fail: the
//! exit code proves nothing.

use clap::Args;
use serde_json::{Value, json};

use super::connection::{Connection, Returned};

/// Arguments of `sky serve status`.
#[derive(Debug, Args)]
pub(crate) struct ServiceNames {
    services: Vec<String>,
}

/// Arguments of `sky check`.
#[derive(Debug, Args)]
pub(crate) struct Clouds {
    clouds: Vec<String>,
}

/// Arguments of `sky show-gpus`.
#[derive(Debug, Args)]
pub(crate) struct Gpus {
    /// Infra whose GPUs are listed.
    #[arg(long)]
    infra: Option<String>,
}

pub(super) fn show_gpus(server: &mut Connection<'_>, gpus: &Gpus) -> anyhow::Result<u8> {
    let fields = json!({
        "gpus_only": true, "name_filter": null, "region_filter": null, "quantity_filter": null,
        "clouds": gpus.infra, "all_regions": false, "require_price": false,
        "case_sensitive": false,
    });
    match server.post_and_stream("/list_accelerator_counts", &fields)? {
        Ok(found) => {
            server.print("COMMON_GPU")?;
            for name in found.as_object().into_iter().flatten().map(|(name, _)| name) {
                server.print(name)?;
            }
            Ok(0)
        }
        Err(error) => server.print_error(&error),
    }
}

pub(super) fn cost_report(server: &mut Connection<'_>) -> anyhow::Result<u8> {
    let id = server.post("/cost_report", &json!({"days": 30}))?;
    match server.result(&id)? {
        Ok(rows) => {
            server.print("NAME")?;
            for row in rows.as_array().into_iter().flatten() {
                line(server, row, &["name", "total_cost"])?;
            }
            server.print("Total Cost: $0.01")?;
            Ok(0)
        }
        Err(error) => server.print_error(&error),
    }
}

pub(super) fn check(server: &mut Connection<'_>, clouds: &Clouds) -> anyhow::Result<u8> {
    let requested = (!clouds.clouds.is_empty()).then_some(&clouds.clouds);
    let fields = json!({"clouds": requested, "verbose": false, "workspace": null});
    match server.post_and_stream("/check", &fields)? {
        Ok(_) => Ok(0),
        Err(error) => server.print_error(&error),
    }
}

pub(super) fn status(server: &mut Connection<'_>, detached: bool) -> anyhow::Result<u8> {
    let queue = json!({"refresh": false, "skip_finished": true, "limit": 5, "fields": JOB_FIELDS});
    let jobs = server.post("/jobs/queue/v2", &queue)?;
    let services = server.post("/serve/status", &json!({"service_names": null}))?;
    let pools = server.post("/jobs/pool_status", &json!({"pool_names": null}))?;
    let workspaces = server.get("/workspaces")?;
    let clouds = server.get("/enabled_clouds?expand=True")?;
    let fields = json!({
        "cluster_names": null, "refresh": "NONE", "all_users": false,
        "include_credentials": true, "summary_response": true, "include_handle": true,
    });
    let clusters = server.post("/status", &fields)?;
    if detached {
        for heading in ["Clusters", "Managed jobs", "Services"] {
            server.print(heading)?;
        }
        return Ok(0);
    }
    let clusters = server.stream_and_get(&clusters)?;
    table(server, "Clusters", &clusters, &["name", "status"])?;
    for id in [workspaces, clouds] {
        if let Err(error) = server.result(&id)? {
            server.print_error(&error)?;
        }
    }
    let jobs = server.stream_and_get(&jobs)?.map(|value| value["jobs"].clone());
    table(server, "Managed jobs", &jobs, &["job_id", "job_name", "status"])?;
    if let Err(error) = server.stream_and_get(&pools)? {
        server.print_error(&error)?;
    }
    let services = server.result(&services)?;
    table(server, "Services", &services, &["name", "status"])?;
    Ok(0)
}

/// Fields of the table of managed jobs.
const JOB_FIELDS: [&str; 5] = ["job_id", "task_id", "job_name", "submitted_at", "status"];

pub(super) fn jobs_queue(server: &mut Connection<'_>) -> anyhow::Result<u8> {
    let queue =
        json!({"refresh": false, "skip_finished": false, "limit": 50, "fields": JOB_FIELDS});
    let jobs = server.post("/jobs/queue/v2", &queue)?;
    let pools = server.post("/jobs/pool_status", &json!({"pool_names": null}))?;
    let jobs = server.stream_and_get(&jobs)?.map(|value| value["jobs"].clone());
    if let Err(error) = server.stream_and_get(&pools)? {
        server.print_error(&error)?;
    }
    table(server, "Managed jobs", &jobs, &["job_id", "job_name", "status"])?;
    Ok(0)
}

pub(super) fn serve_status(
    server: &mut Connection<'_>,
    names: &ServiceNames,
) -> anyhow::Result<u8> {
    let requested = (!names.services.is_empty()).then_some(&names.services);
    let id = server.post("/serve/status", &json!({"service_names": requested}))?;
    let services = server.result(&id)?;
    if services.as_ref().is_err_and(|error| error.is(&["RuntimeError"])) {
        // SkyPilot's client then checks whether the controller is stopped.
        let controller = json!({"cluster_names": ["sky-serve-controller-*"], "all_users": true});
        let id = server.post("/status", &controller)?;
        _ = server.result(&id)?;
    }
    table(server, "Services", &services, &["name", "status", "endpoint"])?;
    let Ok(services) = services else { return Ok(0) };
    let services = services.as_array().map(Vec::as_slice).unwrap_or_default();
    if services.is_empty() {
        server.print("No existing services.")?;
    } else {
        server.print("\nService Replicas")?;
    }
    for replica in services.iter().flat_map(|service| service["replica_info"].as_array()).flatten()
    {
        line(server, replica, &["name", "replica_id", "status"])?;
    }
    for name in &names.services {
        if !services.iter().any(|service| service["name"] == name.as_str()) {
            server.print(format!("\nService '{name}' not found."))?;
        }
    }
    Ok(0)
}

/// Prints a heading, then the rows or the error of the request.
fn table(
    server: &mut Connection<'_>,
    heading: &str,
    rows: &Returned,
    columns: &[&str],
) -> anyhow::Result<()> {
    server.print(heading)?;
    match rows {
        Ok(rows) => {
            for row in rows.as_array().into_iter().flatten() {
                line(server, row, columns)?;
            }
        }
        Err(error) => {
            server.print_error(error)?;
        }
    }
    Ok(())
}

fn line(server: &mut Connection<'_>, row: &Value, columns: &[&str]) -> anyhow::Result<()> {
    let cells = columns.iter().map(|column| match &row[*column] {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    });
    let cells: Vec<_> = cells.map(|cell| format!("{cell:<24}")).collect();
    server.print(cells.concat().trim_end())
}
