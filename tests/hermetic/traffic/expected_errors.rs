//! Expected errors, and the conditions under which they are failures.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::fact::Fact;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::test_run::{counts, kinds};

/// Counts of three iterations with expected errors only.
const ALL_EXPECTED: (u64, u64, u64) = (0, 3, 0);
/// Counts of three failed iterations.
const ALL_FAILED: (u64, u64, u64) = (0, 0, 3);

#[rstest]
#[case::expected_without_infra(false, ALL_EXPECTED)]
#[case::failure_with_infra(true, ALL_FAILED)]
#[tokio::test]
async fn no_cloud_access_is_expected_only_without_infra(
    #[case] has_infrastructure: bool,
    #[case] expected: (u64, u64, u64),
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiLaunchDryrun])?
        .with_environment(|environment| {
            environment.infrastructure =
                has_infrastructure.then(|| "slurm/loop".to_owned()).into_iter().collect();
        })
        .run()
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
#[case::expected_without_consolidation(Fact::No, ALL_EXPECTED)]
#[case::failure_with_consolidation(Fact::Yes, ALL_FAILED)]
#[case::unjudged_if_unknown(Fact::Unknown, (0, 0, 0))]
#[tokio::test]
async fn a_missing_jobs_controller_is_expected_only_without_consolidation(
    #[case] consolidation: Fact,
    #[case] expected: (u64, u64, u64),
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiJobsQueue])?
        .with_environment(|environment| environment.server.consolidation = consolidation)
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.completed()), (expected, 3));
    assert_eq!(segment.unjudged, if consolidation == Fact::Unknown { 3 } else { 0 });
    assert_eq!(kinds(segment), [(Some(500), "ClusterNotUpError", 3)]);
    Ok(())
}

#[tokio::test]
async fn an_expected_error_does_not_end_the_iteration() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiCliStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(
        (counts(segment), kinds(segment)),
        (ALL_EXPECTED, vec![(Some(500), "RuntimeError", 3)])
    );
    assert_eq!(segment.steps["status/get"].count(), 3);
    Ok(())
}

#[tokio::test]
async fn an_iteration_with_an_expected_error_and_a_failure_has_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:1")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiCliStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), ALL_FAILED);
    let expected = [(Some(500), "RuntimeError", 3), (Some(500), "ValueError", 3)];
    assert_eq!(kinds(segment), expected);
    Ok(())
}

#[tokio::test]
async fn another_error_of_a_request_with_expected_errors_is_a_failure() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.launch:1")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiLaunchDryrun])?.run().await?;
    assert_eq!(counts(&outcome.segments[0]), ALL_FAILED);
    assert_eq!(kinds(&outcome.segments[0]), [(Some(500), "ValueError", 3)]);
    Ok(())
}
