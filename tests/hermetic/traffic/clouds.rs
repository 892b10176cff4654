//! Scenarios that need a cloud: responses that are failures there.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::scenario::ScenarioId;

use super::launching::{first_segment, server};
use super::test_run::counts;

#[rstest]
#[case::check(ScenarioId::ApiCheck, "sky.check")]
#[case::show_gpus(ScenarioId::ApiShowGpus, "sky.list_accelerators")]
#[case::storage_ls(ScenarioId::ApiStorageLs, "sky.storage_ls")]
#[case::cost_report(ScenarioId::ApiCostReport, "sky.cost_report")]
#[case::cluster_refresh(ScenarioId::ApiClusterRefresh, "sky.status")]
#[tokio::test]
async fn a_value_that_a_cloud_would_not_return_fails_one_user(
    #[case] id: ScenarioId,
    #[case] request: &str,
) -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_WRONG_VALUE", &format!("{request}:3"))])?;
    let segment = first_segment(&server, id).await?;
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, "unexpected-response");
    Ok(())
}

#[rstest]
#[case::optimize(ScenarioId::ApiOptimize, "sky.optimize", "ValueError")]
#[case::stop(ScenarioId::ApiStartStop, "sky.stop", "ValueError")]
#[case::start(ScenarioId::ApiStartStop, "sky.start", "ValueError")]
#[case::check_by_cli(ScenarioId::CliCheck, "sky.check", "exit status: 1")]
#[tokio::test]
async fn a_failed_request_to_a_cloud_fails_one_user(
    #[case] id: ScenarioId,
    #[case] request: &str,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_FAIL", &format!("{request}:3"))])?;
    let segment = first_segment(&server, id).await?;
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, error_type);
    Ok(())
}

#[rstest]
#[case::by_api(ScenarioId::ApiCheck, "unexpected-response")]
#[case::by_cli(ScenarioId::CliCheck, "unexpected-output")]
#[tokio::test]
async fn a_check_that_finds_the_cloud_disabled_has_failed(
    #[case] id: ScenarioId,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "kubernetes")])?;
    let segment = first_segment(&server, id).await?;
    assert_eq!(counts(&segment), (0, 0, 3), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, error_type);
    Ok(())
}
