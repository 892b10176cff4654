//! CLI scenarios and scripts on a server that records the user of a login, which all of its clients
//! share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::plan::ServerTarget;
use skyload::record::outcome::Ended;
use skyload::record::resources::ResourceLog;
use skyload::resources::TeardownMode;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::launching::{LIMIT, server, set_up, set_up_test, tear_down};
use super::scripts::test_of;
use super::test_run::{counts, kinds};

/// Setting for a server that records this user for every request.
const LOGIN: (&str, &str) = ("FAKE_SKY_LOGIN_USER", "sa-1");

#[rstest]
#[case::status(ScenarioId::CliStatus, (0, 3, 0))]
#[case::jobs_queue(ScenarioId::CliJobsQueue, (0, 3, 0))]
#[tokio::test]
async fn requests_of_processes_are_found_under_another_user(
    #[case] id: ScenarioId,
    #[case] expected: (u64, u64, u64),
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[LOGIN])?;
    let outcome = TestRun::of(&server, &[id])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, expected), "{segment:?}");
    Ok(())
}

#[tokio::test]
async fn a_failed_request_counts_for_its_process_only() -> anyhow::Result<()> {
    let server = FakeServer::start(&[LOGIN, ("FAKE_SKY_FAIL", "sky.status:2!")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment).2, 1, "{:?}", segment.tally);
    Ok(())
}

#[tokio::test]
async fn a_request_of_another_client_is_not_taken_for_that_of_a_process() -> anyhow::Result<()> {
    let (server, folder) = (FakeServer::start(&[LOGIN])?, tempfile::tempdir()?);
    // The process of one user sends its request, and one without a user of skyload's.
    let script = format!(
        "#!/bin/sh\nmkdir {}/first 2>/dev/null || unset SKYPILOT_SKYLOAD_USER\n\
         exec {} \"$@\"\n",
        folder.path().display(),
        fake_sky::executable().display()
    );
    let sky = folder.path().join("sky");
    fs::write(&sky, script)?;
    fs::set_permissions(&sky, fs::Permissions::from_mode(0o755))?;
    let test = TestRun::of(&server, &[ScenarioId::CliStatus])?.users(2, 2);
    let outcome = test.with_environment(|environment| environment.client.sky = sky).run().await?;
    let segment = &outcome.segments[0];
    let not_found =
        segment.tally.kinds().iter().find(|kind| kind.example.error_type == "request-not-found");
    assert_eq!(not_found.map(|kind| kind.count), Some(1), "{:?}", segment.tally);
    assert_eq!(counts(segment), (0, 1, 1), "{:?}", segment.tally);
    Ok(())
}

/// Output of a `sky` command of another client with the same login.
fn run_as_other(server: &FakeServer, args: &[&str]) -> anyhow::Result<()> {
    let output = server.client().args(args).output()?;
    anyhow::ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// Teardown after a script that two users ran beside another client of the same login.
async fn torn_down(server: &FakeServer, script: &str) -> anyhow::Result<ResourceLog> {
    let folder = tempfile::tempdir()?;
    let test = test_of(server, folder.path(), script)?
        .with_plan(|plan| plan.server = ServerTarget::System);
    let test = set_up_test(server, test.write()?).await?;
    run_as_other(server, &["launch", "-y", "-c", "others", "--infra", "aws", "echo hi"])?;
    let segment = test.drive(ScenarioId::CliScript).await?.segments.remove(0);
    assert_eq!(counts(&segment), (2, 0, 0), "{:?}", segment.tally);
    tear_down(server, &test, TeardownMode::WaitForJobs, LIMIT).await
}

#[tokio::test]
async fn what_scripts_leave_is_torn_down_and_what_others_of_the_login_have_stays()
-> anyhow::Result<()> {
    let server = server(&[LOGIN])?;
    let log =
        torn_down(&server, "sky launch -y -c bench-$BENCHMARK_THREAD_ID --infra aws 'echo hi'\n")
            .await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let mut found = log.of_scripts.clone();
    found.sort_unstable();
    assert_eq!(found, ["cluster bench-0", "cluster bench-1"], "{log:?}");
    let status = server.client().arg("status").output()?;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("others") && !status.contains("bench-"), "{status}");
    Ok(())
}

#[tokio::test]
async fn an_active_launch_of_the_run_is_cancelled_and_that_of_others_is_not() -> anyhow::Result<()>
{
    let late = ("FAKE_SKY_LATE", "sky.launch:1");
    let server = server(&[LOGIN, late, ("FAKE_SKY_LAUNCH_MS", "20000")])?;
    let test = set_up(&server, ScenarioId::ApiLaunchAndLogs).await?;
    let segment = test.drive(ScenarioId::ApiLaunchAndLogs).await?.segments.remove(0);
    assert_eq!(kinds(&segment), [(None, "timeout", 3)]);
    run_as_other(
        &server,
        &["launch", "-y", "-c", "others", "--infra", "aws", "--async", "echo hi"],
    )?;
    let limit = Duration::from_secs(15);
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, limit).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let cancelled = log.steps.iter().filter(|step| step.what.starts_with("request "));
    assert_eq!(cancelled.count(), 3, "{log:?}");
    Ok(())
}
