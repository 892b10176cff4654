//! CLI scenarios: an exit code of 0 does not prove that a `sky` process succeeded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::{Ended, SegmentOutcome};
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::test_run::{ENDLESS, counts, kinds, wait_until};

/// Types of a segment's failures, without expected errors.
fn failures(segment: &SegmentOutcome) -> Vec<&str> {
    let errors = segment.tally.kinds().iter().filter(|kind| kind.is_error());
    errors.map(|kind| kind.example.error_type.as_str()).collect()
}

#[rstest]
#[case::status(ScenarioId::CliStatus, (0, 3, 0), "sky status")]
#[case::jobs_queue(ScenarioId::CliJobsQueue, (0, 3, 0), "sky jobs queue")]
#[case::api_status(ScenarioId::CliApiStatus, (3, 0, 0), "sky api status")]
#[tokio::test]
async fn a_process_with_successful_requests_and_expected_errors_has_not_failed(
    #[case] id: ScenarioId,
    #[case] expected: (u64, u64, u64),
    #[case] step: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[id])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(
        (outcome.ended, counts(segment)),
        (Ended::Finished, expected),
        "{:?}",
        segment.tally
    );
    assert!(failures(segment).is_empty());
    assert_eq!((segment.iteration_duration.count(), segment.steps[step].count()), (3, 3));
    assert!(outcome.cost.largest_child.is_some());
    Ok(())
}

#[rstest]
#[case::failed("FAKE_SKY_FAIL", "ValueError")]
#[case::cancelled("FAKE_SKY_CANCEL", "cancelled")]
#[tokio::test]
async fn an_exit_code_of_0_does_not_hide_a_failed_request(
    #[case] setting: &str,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[(setting, "sky.status:1")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 3));
    assert_eq!(failures(segment), [error_type]);
    Ok(())
}

#[tokio::test]
async fn only_the_user_whose_request_failed_has_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:3")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?.run().await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 2, 1));
    Ok(())
}

#[tokio::test]
async fn an_expected_error_is_a_failure_on_a_server_with_infra() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliJobsQueue])?
        .with_environment(|environment| environment.infrastructure = vec!["slurm/loop".to_owned()])
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), failures(segment)), ((0, 0, 3), vec!["RuntimeError"]));
    Ok(())
}

#[rstest]
#[case::that_exits_with_1("/bin/false", "exit status: 1")]
#[case::that_prints_nothing("/bin/true", "unexpected-output")]
#[tokio::test]
async fn a_program_fails_its_iteration_and_not_the_driver(
    #[case] sky: PathBuf,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?
        .with_environment(|environment| environment.client.sky = sky)
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, error_type, 3)]);
    assert_eq!(segment.iteration_duration.count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_a_fault_of_the_load_generator() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?
        .with_environment(|environment| environment.client.sky = "/nonexistent/sky".into())
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 0)));
    assert_eq!((segment.client_failed, segment.iteration_duration.count()), (3, 0));
    assert_eq!(kinds(segment), [(None, "sky-not-started", 3)]);
    Ok(())
}

#[tokio::test]
async fn an_unreachable_server_fails_the_process_by_its_exit_code() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ScenarioId::CliStatus])?;
    server.finish()?;
    let outcome = test.run().await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(None, "exit status: 1", 3)]);
    Ok(())
}

/// Shell script in the place of `sky`.
fn scripted(folder: &Path, script: &str) -> anyhow::Result<PathBuf> {
    let sky = folder.join("sky");
    fs::write(&sky, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&sky, fs::Permissions::from_mode(0o755))?;
    Ok(sky)
}

#[tokio::test]
async fn a_process_that_exceeds_the_time_limit_is_killed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let folder = tempfile::tempdir()?;
    let pids = folder.path().join("pids");
    let script = format!("echo $$ >>{}\nexec sleep 600", pids.display());
    let sky = scripted(folder.path(), &script)?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?
        .with_environment(|environment| environment.client.sky = sky)
        .with_plan(|plan| plan.scenario_timeout = Duration::from_secs(2))
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::TimedOut, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, "iteration-not-finished", 3)]);
    let pids: Vec<u32> =
        fs::read_to_string(&pids)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert!(!pids.is_empty());
    wait_until(|| pids.iter().all(|&pid| ProcessIdentity::of(pid).is_none())).await
}

#[tokio::test]
async fn a_request_that_outlives_its_process_has_failed_and_is_not_waited_for() -> anyhow::Result<()>
{
    let (server, folder) = (FakeServer::start(&[ENDLESS])?, tempfile::tempdir()?);
    let script = format!("exec {} status --async", fake_sky::executable().display());
    let sky = scripted(folder.path(), &script)?;
    let test = TestRun::of(&server, &[ScenarioId::CliStatus])?;
    let outcome = test.with_environment(|environment| environment.client.sky = sky).run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, "request-not-finished", 3)]);
    Ok(())
}
