//! Setup of the shared resources before the load: all concurrently, or spread over time if
//! the load has a ramp.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::owners::Owners;
use super::requests::Requests;
use crate::ids::RunId;
use crate::plan::{LoadPlan, ServerTarget};
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep, SharedResources, Stage};
use crate::scenario::{IterationNames, Need, SharedNames, job_id, shared_calls as calls};

/// Interval at which the status of a starting service is polled.
// Each poll is a queued request, which takes an executor of the server.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Sets up the shared resources of the plan's scenarios on the infras where scenarios need them,
/// each within `limit`. `free_port` is for the services' replicas.
pub async fn set_up(
    requests: &Requests,
    run: &RunId,
    plan: &LoadPlan,
    free_port: Option<u16>,
    limit: Duration,
) -> ResourceLog {
    let mut needed: Vec<(Need, &str)> = plan.shared_resources().into_iter().collect();
    // Jobs come last: they must still run when users follow their output.
    needed.sort_by_key(|(need, _)| *need == Need::Job);
    let infras = plan.infrastructure.names();
    let names_by_infra = infras.iter().enumerate().map(|(number, infra)| IterationNames {
        shared: SharedNames::new(run, infra, number),
        own: String::new(),
        service_port: free_port,
        job_seconds: plan.shared_job_seconds(),
        ..IterationNames::none()
    });
    let names_by_infra: Vec<IterationNames> = names_by_infra.collect();
    let names_on = |infra: &str| names_by_infra.iter().find(|names| names.shared.infra == infra);
    let resources = needed.iter().filter_map(|(need, infra)| Some((names_on(infra)?, *need)));
    let interval = plan.setup_interval();
    let setups = (0..).zip(resources).map(async |(number, (names, need))| {
        tokio::time::sleep(interval * number).await;
        set_up_one(requests, names, need, limit).await
    });
    let done = join_all(setups).await;
    let mut log = ResourceLog::default();
    for names in &names_by_infra {
        let infra = names.shared.infra.clone();
        // Only the step of the managed job has an ID.
        let job = done.iter().find(|(step, id)| step.infra == infra && id.is_some());
        log.shared.push(SharedResources { infra, job_id: job.and_then(|(_, id)| *id) });
    }
    log.steps = done.into_iter().map(|(step, _)| step).collect();
    // On an isolated server there are none of others.
    if plan.script.is_some() && !matches!(plan.server, ServerTarget::Isolated { .. }) {
        log.existing = requests.list_all(&calls::CLUSTERS).await.ok().map(|rows| {
            let names = rows.iter().filter_map(|row| row.get("name")?.as_str());
            names.map(str::to_owned).collect()
        });
    }
    log
}

/// Sets up one shared resource. Returns the step for the log, and the ID of a managed job.
async fn set_up_one(
    requests: &Requests,
    names: &IterationNames,
    need: Need,
    limit: Duration,
) -> (ResourceStep, Option<u64>) {
    let start = Instant::now();
    let name = match need {
        Need::Job => &names.shared.job,
        Need::Service => &names.shared.service,
        _ => &names.shared.cluster,
    };
    let setup = async {
        match need {
            Need::Job => requests.ask(&calls::LAUNCH_JOB, names).await.map(|value| job_id(&value)),
            Need::Service => {
                requests.ask(&calls::UP_SERVICE, names).await?;
                wait_until_ready(requests, &names.shared.service).await.map(|()| None)
            }
            _ => requests.ask(&calls::LAUNCH_CLUSTER, names).await.map(|_| None),
        }
    };
    let result = match tokio::time::timeout(limit, setup).await {
        Ok(result) => result,
        Err(_) => Err(timed_out(need, limit)),
    };
    let (id, failure) = match result {
        Ok(id) => (id, None),
        Err(failure) => (None, Some(failure)),
    };
    let step = ResourceStep {
        stage: Stage::SetUp,
        need: Some(need),
        what: format!("{} ({name})", need.name()),
        infra: names.shared.infra.clone(),
        took: start.elapsed(),
        failure,
    };
    (step, id)
}

/// Waits until a service is ready or has failed.
async fn wait_until_ready(requests: &Requests, service: &str) -> Result<(), Failure> {
    loop {
        // A busy server may fail to list services now and then; the caller has a time limit.
        let rows = requests
            .list(&calls::SERVICES, &Owners::of_tag(service_tag(service)))
            .await
            .unwrap_or_default();
        let status = rows.iter().find(|row| row.name == service).map(|row| row.status.as_str());
        match status {
            Some("READY") => return Ok(()),
            Some(failed) if failed.contains("FAILED") => {
                return Err(Failure {
                    step: "serve up".to_owned(),
                    status: None,
                    error_type: failed.to_lowercase(),
                    message: format!("expected status READY of service {service}, got {failed}"),
                });
            }
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// Tag of the run, with which a service's name begins.
fn service_tag(service: &str) -> &str {
    service.rsplit_once('-').map_or(service, |(tag, _)| tag)
}

fn timed_out(need: Need, limit: Duration) -> Failure {
    Failure {
        step: "shared-resource".to_owned(),
        status: None,
        error_type: error_type::NOT_READY_IN_TIME.to_owned(),
        message: format!("{} not ready after {}", need.name(), humantime::format_duration(limit)),
    }
}
