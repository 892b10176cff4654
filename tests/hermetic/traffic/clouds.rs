//! Scenarios that need a cloud: responses that are failures there.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::record::outcome::Ended;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::launching::{first_segment, server};
use super::test_run::{counts, kinds};

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
#[case::autostop(ScenarioId::ApiAutostop, "sky.autostop", "ValueError")]
#[case::status_after_autostop(ScenarioId::ApiAutostop, "sky.status", "ValueError")]
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

#[tokio::test]
async fn a_cluster_that_does_not_stop_itself_fails_its_user_at_the_time_limit() -> anyhow::Result<()>
{
    let server = server(&[("FAKE_SKY_SURVIVOR", "sky.autostop:3")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiAutostop])?.on(&["aws"]);
    let test = test.with_plan(|plan| plan.scenario_timeout = Duration::from_secs(10));
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::TimedOut, (2, 0, 1)));
    assert_eq!(kinds(segment), [(None, "iteration-not-finished", 1)]);
    assert_eq!(segment.steps["stopped"].count(), 2);
    Ok(())
}
