//! Health probe, which runs during every load.

use rstest::rstest;
use skyload::scenario::ScenarioId;

use crate::support;

#[rstest]
#[case::health(ScenarioId::ProbeHealth)]
#[tokio::test]
async fn the_server_responds_to_the_health_probe(#[case] id: ScenarioId) -> anyhow::Result<()> {
    support::drive(id).await
}
