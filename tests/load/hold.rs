//! Connections that are held for the whole load.

use rstest::rstest;
use skyload::scenario::ScenarioId;

use crate::support;

#[rstest]
#[case::logs(ScenarioId::HoldLogs)]
#[case::jobs_logs(ScenarioId::HoldJobsLogs)]
#[case::stream(ScenarioId::HoldStream)]
#[tokio::test]
async fn every_connection_is_held_to_the_end(#[case] id: ScenarioId) -> anyhow::Result<()> {
    support::drive(id).await
}
