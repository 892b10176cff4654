//! API scenarios: HTTP requests in the SDK's sequences.

use rstest::rstest;
use skyload::scenario::ScenarioId;

use crate::support;

#[rstest]
#[case::status(ScenarioId::ApiStatus)]
#[case::cli_status(ScenarioId::ApiCliStatus)]
#[case::validate(ScenarioId::ApiValidate)]
#[case::api_status(ScenarioId::ApiApiStatus)]
#[case::jobs_queue(ScenarioId::ApiJobsQueue)]
#[case::status_refresh(ScenarioId::ApiStatusRefresh)]
#[case::launch_dryrun(ScenarioId::ApiLaunchDryrun)]
#[case::launch_and_logs(ScenarioId::ApiLaunchAndLogs)]
#[case::tail_logs(ScenarioId::ApiTailLogs)]
#[case::exec(ScenarioId::ApiExec)]
#[case::cluster_queue(ScenarioId::ApiClusterQueue)]
#[case::jobs_launch(ScenarioId::ApiJobsLaunch)]
#[case::jobs_logs(ScenarioId::ApiJobsLogs)]
#[case::check(ScenarioId::ApiCheck)]
#[case::show_gpus(ScenarioId::ApiShowGpus)]
#[case::optimize(ScenarioId::ApiOptimize)]
#[case::storage_ls(ScenarioId::ApiStorageLs)]
#[case::cost_report(ScenarioId::ApiCostReport)]
#[case::cluster_refresh(ScenarioId::ApiClusterRefresh)]
#[case::start_stop(ScenarioId::ApiStartStop)]
#[case::autostop(ScenarioId::ApiAutostop)]
#[case::session(ScenarioId::ApiSession)]
#[case::launch_cancel(ScenarioId::ApiLaunchCancel)]
#[case::mix(ScenarioId::ApiMix)]
#[tokio::test]
async fn every_request_gets_the_expected_response(#[case] id: ScenarioId) -> anyhow::Result<()> {
    support::drive(id).await
}
