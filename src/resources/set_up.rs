//! Before the load: what scenarios share is launched, all of it at once or, where the
//! load's starts are spread, one after the other.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::requests::Requests;
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep, SharedResources, Stage};
use crate::scenario::{IterationNames, Need, SharedNames, job_id, shared_calls as calls};

/// How often the service is asked whether its replica is ready.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Sets up what the plan's scenarios share, each within `limit`. `free_port` is for
/// the services' replicas.
pub async fn set_up(
    requests: &Requests,
    run: &RunId,
    plan: &LoadPlan,
    free_port: Option<u16>,
    limit: Duration,
) -> ResourceLog {
    let mut needs: Vec<Need> = plan.needs().into_iter().filter(|need| need.is_shared()).collect();
    // The job last: it is followed from the load's beginning, while it runs.
    needs.sort_by_key(|need| *need == Need::Job);
    let infras = plan.infrastructure.names();
    let places = infras.iter().enumerate().map(|(number, infra)| IterationNames {
        shared: SharedNames::new(run, infra, number),
        own: String::new(),
        service_port: free_port,
        job_seconds: plan.shared_job_seconds(),
        ..IterationNames::none()
    });
    let places: Vec<IterationNames> = places.collect();
    let all = places.iter().flat_map(|names| needs.iter().map(move |need| (names, *need)));
    let interval = plan.setup_interval();
    let all = (0..).zip(all).map(async |(number, (names, need))| {
        tokio::time::sleep(interval * number).await;
        one(requests, names, need, limit).await
    });
    let done = join_all(all).await;
    let mut log = ResourceLog::default();
    for names in &places {
        let infra = names.shared.infra.clone();
        let job = done.iter().find(|(step, id)| step.infra == infra && id.is_some());
        log.shared.push(SharedResources { infra, job_id: job.and_then(|(_, id)| *id) });
    }
    log.steps = done.into_iter().map(|(step, _)| step).collect();
    log
}

async fn one(
    requests: &Requests,
    names: &IterationNames,
    need: Need,
    limit: Duration,
) -> (ResourceStep, Option<u64>) {
    let start = Instant::now();
    let what = match need {
        Need::Job => &names.shared.job,
        Need::Service => &names.shared.service,
        _ => &names.shared.cluster,
    };
    let done = async {
        match need {
            Need::Job => requests.ask(&calls::LAUNCH_JOB, names).await.map(|value| job_id(&value)),
            Need::Service => {
                requests.ask(&calls::UP_SERVICE, names).await?;
                until_ready(requests, &names.shared.service).await.map(|()| None)
            }
            _ => requests.ask(&calls::LAUNCH_CLUSTER, names).await.map(|_| None),
        }
    };
    let result = match tokio::time::timeout(limit, done).await {
        Ok(result) => result,
        Err(_) => Err(too_long(need, limit)),
    };
    let (id, failure) = match result {
        Ok(id) => (id, None),
        Err(failure) => (None, Some(failure)),
    };
    let step = ResourceStep {
        stage: Stage::SetUp,
        need: Some(need),
        what: format!("{} ({what})", need.name()),
        infra: names.shared.infra.clone(),
        took: start.elapsed(),
        failure,
    };
    (step, id)
}

async fn until_ready(requests: &Requests, service: &str) -> Result<(), Failure> {
    loop {
        // A busy server may fail to answer once; the limit is the end of patience.
        let rows = requests.list(&calls::SERVICES, service_tag(service)).await.unwrap_or_default();
        let status = rows.iter().find(|row| row.name == service).map(|row| row.status.as_str());
        match status {
            Some("READY") => return Ok(()),
            Some(failed) if failed.contains("FAILED") => {
                return Err(Failure {
                    step: "serve up".to_owned(),
                    status: None,
                    error_type: failed.to_lowercase(),
                    message: format!("service {service} came to be {failed}"),
                });
            }
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// The tag that a service's name begins with.
fn service_tag(service: &str) -> &str {
    service.rsplit_once('-').map_or(service, |(tag, _)| tag)
}

fn too_long(need: Need, limit: Duration) -> Failure {
    Failure {
        step: "shared-resource".to_owned(),
        status: None,
        error_type: error_type::NOT_READY_IN_TIME.to_owned(),
        message: format!("{} took longer than {}", need.name(), humantime::format_duration(limit)),
    }
}
