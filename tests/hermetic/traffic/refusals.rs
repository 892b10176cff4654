//! Failures that are the right answer, and when they are not.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::fact::Fact;
use skyload::scenario::ScenarioId;

use super::Scene;
use super::scene::{counts, kinds};

/// All three users are refused something, and nothing else goes wrong.
const REFUSED: (u64, u64, u64) = (0, 3, 0);
const FAILED: (u64, u64, u64) = (0, 0, 3);

#[rstest]
#[case::on_a_bare_server_it_is_right(false, REFUSED)]
#[case::where_there_is_a_cloud_it_is_not(true, FAILED)]
#[tokio::test]
async fn a_launch_without_a_cloud_is_refused(
    #[case] has_infrastructure: bool,
    #[case] expected: (u64, u64, u64),
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiLaunchDryrun])?
        .found(|environment| {
            environment.infrastructure =
                has_infrastructure.then(|| "slurm/loop".to_owned()).into_iter().collect();
        })
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), expected);
    assert_eq!(kinds(segment), [(Some(500), "NoCloudAccessError", 3)]);
    assert_eq!(segment.tally.kinds()[0].expected_because.is_some(), !has_infrastructure);
    assert_eq!(
        (segment.iteration_duration.count(), segment.steps["launch_dryrun/get"].count()),
        (3, 3)
    );
    Ok(())
}

#[rstest]
#[case::without_consolidation_it_is_right(Fact::No, REFUSED)]
#[case::with_consolidation_it_is_not(Fact::Yes, FAILED)]
#[case::where_nobody_knows_it_is_neither(Fact::Unknown, (0, 0, 0))]
#[tokio::test]
async fn a_queue_without_a_jobs_controller_is_refused(
    #[case] consolidation: Fact,
    #[case] expected: (u64, u64, u64),
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiJobsQueue])?
        .found(|environment| environment.server.consolidation = consolidation)
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.completed()), (expected, 3));
    assert_eq!(segment.unjudged, if consolidation == Fact::Unknown { 3 } else { 0 });
    assert_eq!(kinds(segment), [(Some(500), "ClusterNotUpError", 3)]);
    Ok(())
}

#[tokio::test]
async fn a_refused_request_does_not_end_the_iteration() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiCliStatus])?.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), kinds(segment)), (REFUSED, vec![(Some(500), "RuntimeError", 3)]));
    assert_eq!(segment.steps["status/get"].count(), 3);
    Ok(())
}

#[tokio::test]
async fn an_iteration_with_a_refusal_and_a_failure_has_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:1")])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiCliStatus])?.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), FAILED);
    let expected = [(Some(500), "RuntimeError", 3), (Some(500), "ValueError", 3)];
    assert_eq!(kinds(segment), expected);
    Ok(())
}

#[tokio::test]
async fn another_failure_of_a_request_that_may_be_refused_is_a_failure() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.launch:1")])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiLaunchDryrun])?.play().await?;
    assert_eq!(counts(&outcome.segments[0]), FAILED);
    assert_eq!(kinds(&outcome.segments[0]), [(Some(500), "ValueError", 3)]);
    Ok(())
}
