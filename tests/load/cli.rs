//! CLI scenarios: real `sky` processes.

use rstest::rstest;
use skyload::scenario::ScenarioId;

use crate::support;

#[rstest]
#[case::status(ScenarioId::CliStatus)]
#[case::jobs_queue(ScenarioId::CliJobsQueue)]
#[case::api_status(ScenarioId::CliApiStatus)]
#[case::launch(ScenarioId::CliLaunch)]
#[case::logs(ScenarioId::CliLogs)]
#[case::jobs(ScenarioId::CliJobs)]
#[case::serve(ScenarioId::CliServe)]
#[case::check(ScenarioId::CliCheck)]
#[case::session(ScenarioId::CliSession)]
#[case::script(ScenarioId::CliScript)]
#[tokio::test]
async fn every_command_succeeds(#[case] id: ScenarioId) -> anyhow::Result<()> {
    support::drive(id).await
}
