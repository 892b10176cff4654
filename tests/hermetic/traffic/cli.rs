//! Iterations that are `sky` processes, whose exit code proves nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::{Ended, SegmentOutcome};
use skyload::scenario::ScenarioId;

use super::Scene;
use super::scene::{ENDLESS, counts, kinds, until};

fn failures(segment: &SegmentOutcome) -> Vec<&str> {
    let wrong = segment.tally.kinds().iter().filter(|kind| kind.is_error());
    wrong.map(|kind| kind.example.error_type.as_str()).collect()
}

#[rstest]
#[case::status(ScenarioId::CliStatus, (0, 3, 0), "sky status")]
#[case::jobs_queue(ScenarioId::CliJobsQueue, (0, 3, 0), "sky jobs queue")]
#[case::api_status(ScenarioId::CliApiStatus, (3, 0, 0), "sky api status")]
#[tokio::test]
async fn a_process_whose_requests_end_as_they_should_is_right(
    #[case] id: ScenarioId,
    #[case] expected: (u64, u64, u64),
    #[case] step: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[id])?.play().await?;
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
#[case::it_failed("FAKE_SKY_FAIL", "ValueError")]
#[case::it_was_cancelled("FAKE_SKY_CANCEL", "cancelled")]
#[tokio::test]
async fn an_exit_code_of_0_does_not_hide_what_became_of_the_request(
    #[case] setting: &str,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[(setting, "sky.status:1")])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 3));
    assert_eq!(failures(segment), [error_type]);
    Ok(())
}

#[tokio::test]
async fn only_the_user_whose_request_failed_has_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:3")])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?.play().await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 2, 1));
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_wrong_where_there_is_infrastructure() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliJobsQueue])?
        .found(|environment| environment.infrastructure = vec!["slurm/loop".to_owned()])
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), failures(segment)), ((0, 0, 3), vec!["RuntimeError"]));
    Ok(())
}

#[rstest]
#[case::that_fails("/bin/false", "exit status: 1")]
#[case::that_prints_nothing("/bin/true", "unexpected-output")]
#[tokio::test]
async fn a_program_is_a_failure_and_no_error(
    #[case] sky: PathBuf,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?
        .found(|environment| environment.client.sky = sky)
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, error_type, 3)]);
    assert_eq!(segment.iteration_duration.count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_no_failure_of_the_server() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?
        .found(|environment| environment.client.sky = "/nonexistent/sky".into())
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 0)));
    assert_eq!((segment.client_failed, segment.iteration_duration.count()), (3, 0));
    assert_eq!(kinds(segment), [(None, "sky-not-started", 3)]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_by_the_exit_code() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ScenarioId::CliStatus])?;
    server.finish()?;
    let outcome = scene.play().await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(None, "exit status: 1", 3)]);
    Ok(())
}

/// A `sky` that is a shell script.
fn scripted(folder: &Path, script: &str) -> anyhow::Result<PathBuf> {
    let sky = folder.join("sky");
    fs::write(&sky, format!("#!/bin/sh\n{script}\n"))?;
    fs::set_permissions(&sky, fs::Permissions::from_mode(0o755))?;
    Ok(sky)
}

#[tokio::test]
async fn a_process_that_the_time_limit_cuts_off_is_killed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let folder = tempfile::tempdir()?;
    let pids = folder.path().join("pids");
    let script = format!("echo $$ >>{}\nexec sleep 600", pids.display());
    let sky = scripted(folder.path(), &script)?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?
        .found(|environment| environment.client.sky = sky)
        .planned(|plan| plan.scenario_timeout = Duration::from_secs(2))
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::TimedOut, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, "unfinished", 3)]);
    let pids: Vec<u32> =
        fs::read_to_string(&pids)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert!(!pids.is_empty());
    until(|| pids.iter().all(|&pid| ProcessIdentity::of(pid).is_none())).await
}

#[tokio::test]
async fn a_request_that_outlives_its_process_is_no_success_and_not_waited_for() -> anyhow::Result<()>
{
    let (server, folder) = (FakeServer::start(&[ENDLESS])?, tempfile::tempdir()?);
    let script = format!("exec {} status --async", fake_sky::executable().display());
    let sky = scripted(folder.path(), &script)?;
    let scene = Scene::of(&server, &[ScenarioId::CliStatus])?;
    let outcome = scene.found(|environment| environment.client.sky = sky).play().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, "request-not-finished", 3)]);
    Ok(())
}
