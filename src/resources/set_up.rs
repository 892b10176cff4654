//! Setup of the shared resources before the load: all concurrently, or spread over time if
//! the load has a ramp.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::requests::Requests;
use super::running;
use crate::clock::Timeline;
use crate::ids::RunId;
use crate::plan::{LoadPlan, ServerTarget};
use crate::record::outcome::{Failure, error_type};
use crate::record::resources::{ResourceLog, ResourceStep, SharedResources, Stage};
use crate::scenario::{IterationNames, Need, SharedNames, job_id, shared_calls as calls};

/// Sets up the shared resources of the plan's scenarios on the infras where scenarios need them,
/// each within `limit`. `free_port` is for the services' replicas.
pub async fn set_up(
    requests: &Requests,
    run: &RunId,
    plan: &LoadPlan,
    free_port: Option<u16>,
    limit: Duration,
) -> ResourceLog {
    let (shared, timeline) = (plan.shared_resources(), Timeline::start());
    let mut needed: Vec<(Need, &str)> = shared.iter().copied().collect();
    // The job comes last: it must still run when users follow its output.
    needed.sort_by_key(|(need, _)| *need == Need::Job);
    // Submitted to the cluster, once it is up.
    needed.retain(|(need, _)| *need != Need::LongJob);
    // Its time begins when it runs, so that nothing else may be waited for then.
    let is_alone = |need: Need| need == Need::Job && plan.follows_job_for_a_time();
    let infras = plan.infrastructure.names();
    let names_by_infra = infras.iter().enumerate().map(|(number, infra)| IterationNames {
        shared: Arc::new(SharedNames::new(run, infra, number)),
        own: String::new(),
        service_port: free_port,
        job_seconds: plan.shared_job_seconds(),
        ..IterationNames::none()
    });
    let names_by_infra: Vec<IterationNames> = names_by_infra.collect();
    let names_on = |infra: &str| names_by_infra.iter().find(|names| names.shared.infra == infra);
    let resources = needed.iter().filter_map(|(need, infra)| Some((names_on(infra)?, *need)));
    let (followed, others): (Vec<_>, Vec<_>) = resources.partition(|(_, need)| is_alone(*need));
    let interval = plan.setup_interval();
    let set_up_with_long_job = async |(number, (names, need)): (u32, (&IterationNames, Need))| {
        tokio::time::sleep(interval * number).await;
        let one = set_up_one(requests, plan, names, need, limit, &timeline).await;
        let has_long_job = shared.contains(&(Need::LongJob, names.shared.infra.as_str()));
        let long_job = match need == Need::Cluster && has_long_job {
            true => Some(set_up_long_job(requests, plan, names, &one.0, limit, &timeline).await),
            false => None,
        };
        [one].into_iter().chain(long_job)
    };
    let mut done = Vec::new();
    for stage in [others, followed] {
        let setups = (0..).zip(stage).map(&set_up_with_long_job);
        done.extend(join_all(setups).await.into_iter().flatten());
    }
    let mut log = ResourceLog::default();
    for names in &names_by_infra {
        let infra = names.shared.infra.clone();
        let id_of = |need: Need| {
            let found =
                done.iter().find(|(step, _)| step.infra == infra && step.need == Some(need));
            found.and_then(|(_, id)| *id)
        };
        log.shared.push(SharedResources {
            job_id: id_of(Need::Job),
            long_job_id: id_of(Need::LongJob),
            long_managed_job_id: id_of(Need::LongManagedJob),
            infra,
        });
    }
    log.steps = done.into_iter().map(|(step, _)| step).collect();
    // On an isolated server there are none of others.
    if plan.script.is_some() && !matches!(plan.server, ServerTarget::Isolated { .. }) {
        let start = Instant::now();
        match requests.list_all(&calls::CLUSTERS).await {
            Ok(rows) => {
                let names = rows.iter().filter_map(|row| row.get("name")?.as_str());
                log.existing = Some(names.map(str::to_owned).collect());
            }
            // Without the list, what scripts leave cannot be told from the clusters of others.
            Err(failure) => log.steps.push(ResourceStep {
                stage: Stage::SetUp,
                need: None,
                what: "the list of existing clusters".to_owned(),
                infra: String::new(),
                took: start.elapsed(),
                ended: Some(timeline.now()),
                failure: Some(failure),
            }),
        }
    }
    log
}

/// Submits the job of the shared cluster that runs until the teardown. Without the cluster, the
/// submission fails as its launch did.
async fn set_up_long_job(
    requests: &Requests,
    plan: &LoadPlan,
    names: &IterationNames,
    cluster: &ResourceStep,
    limit: Duration,
    timeline: &Timeline,
) -> (ResourceStep, Option<u64>) {
    match &cluster.failure {
        None => set_up_one(requests, plan, names, Need::LongJob, limit, timeline).await,
        Some(failure) => {
            let name = &names.shared.cluster;
            let step = ResourceStep {
                need: Some(Need::LongJob),
                what: format!("{} ({name})", Need::LongJob.name()),
                took: Duration::ZERO,
                failure: Some(failure.clone()),
                ..cluster.clone()
            };
            (step, None)
        }
    }
}

/// Sets up one shared resource. Returns the step for the log, and the ID of a job.
async fn set_up_one(
    requests: &Requests,
    plan: &LoadPlan,
    names: &IterationNames,
    need: Need,
    limit: Duration,
    timeline: &Timeline,
) -> (ResourceStep, Option<u64>) {
    let start = Instant::now();
    let name = match need {
        Need::Job => &names.shared.job,
        Need::LongManagedJob => &names.shared.long_job,
        Need::Service => &names.shared.service,
        _ => &names.shared.cluster,
    };
    let setup = async {
        match need {
            Need::Job => {
                let id = job_id(&requests.ask(&calls::LAUNCH_JOB, names).await?);
                if plan.follows_job_for_a_time() {
                    running::wait_for_job(requests, &names.shared.job, id).await?;
                }
                Ok(id)
            }
            Need::LongJob => {
                requests.ask(&calls::LAUNCH_LONG_JOB, names).await.map(|value| job_id(&value))
            }
            Need::LongManagedJob => {
                let id = job_id(&requests.ask(&calls::LAUNCH_LONG_MANAGED_JOB, names).await?);
                running::wait_for_job(requests, &names.shared.long_job, id).await?;
                Ok(id)
            }
            Need::Service => {
                requests.ask(&calls::UP_SERVICE, names).await?;
                running::wait_for_service(requests, &names.shared.service).await.map(|()| None)
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
        ended: Some(timeline.now()),
        failure,
    };
    (step, id)
}

fn timed_out(need: Need, limit: Duration) -> Failure {
    Failure {
        step: "shared-resource".to_owned(),
        status: None,
        error_type: error_type::NOT_READY_IN_TIME.to_owned(),
        message: format!("{} not ready after {}", need.name(), humantime::format_duration(limit)),
    }
}
