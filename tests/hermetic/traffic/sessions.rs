//! Sessions: all steps of a user's work, and what a failed step ends.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::fact::Fact;
use skyload::record::environment::Environment;
use skyload::resources::TeardownMode;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::launching::{LIMIT, set_up, tear_down};
use super::sequence::calls;
use super::test_run::{counts, kinds};

/// Server that can launch on this infra, where a job's second of sleep takes 200 ms: managed jobs
/// outlast the start of the process that follows them.
fn server(infra: &str, settings: &[(&str, &str)]) -> anyhow::Result<FakeServer> {
    let own = [("FAKE_SKY_INFRA", infra), ("FAKE_SKY_SLEEP_MS", "200")];
    FakeServer::start(&[&own, settings].concat())
}

#[rstest]
#[case::api(ScenarioId::ApiSession, "exec/submit", 9, false)]
#[case::api_of_distinct_users(ScenarioId::ApiSession, "exec/submit", 9, true)]
#[case::cli(ScenarioId::CliSession, "sky exec", 9, false)]
#[tokio::test]
async fn a_whole_session_succeeds_and_leaves_nothing(
    #[case] id: ScenarioId,
    #[case] step: &str,
    #[case] count: u64,
    #[case] distinct_users: bool,
) -> anyhow::Result<()> {
    let server = server("aws", &[])?;
    // `sky status` lists services too, for which the stand-in has no controller.
    let test = set_up(&server, id).await?;
    let without_services = |it: &mut Environment| it.server.serve_consolidation = Fact::No;
    let test = test.with_environment(without_services);
    let test = test.with_plan(|plan| plan.distinct_users = distinct_users).write()?;
    let segment = test.drive(id).await?.segments.remove(0);
    assert_eq!((segment.failed, segment.completed()), (0, 3), "{:?}", segment.tally);
    assert_eq!(segment.steps[step].count(), count, "three of each user are one step");
    assert!(!test.dir.workdir().exists());
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let removed: Vec<&str> = log.steps.iter().map(|step| step.what.as_str()).collect();
    assert!(removed.is_empty(), "each session has taken down its cluster: {removed:?}");
    Ok(())
}

#[rstest]
#[case::api(ScenarioId::ApiSession, "ValueError")]
#[case::cli(ScenarioId::CliSession, "exit status: 1")]
#[tokio::test]
async fn a_failed_step_ends_the_session_and_the_teardown_removes_its_cluster(
    #[case] id: ScenarioId,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = server("aws", &[("FAKE_SKY_FAIL", "sky.exec:1")])?;
    let test = set_up(&server, id).await?;
    let segment = test.drive(id).await?.segments.remove(0);
    assert_eq!(counts(&segment), (0, 0, 3), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, error_type);
    let log = server.log();
    let sent = calls(&log);
    let count = |call| sent.iter().filter(|sent| **sent == call).count();
    assert_eq!(count("POST /exec"), 3, "no second one");
    for call in ["POST /queue", "POST /jobs/launch", "POST /down"] {
        assert_eq!(count(call), 0, "{call}");
    }
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let removed = log.steps.iter().filter(|step| step.what.starts_with("cluster "));
    assert_eq!(removed.count(), 3, "{log:?}");
    Ok(())
}

#[tokio::test]
async fn an_exit_code_of_0_hides_no_failed_request_of_a_session() -> anyhow::Result<()> {
    // The first one is of the launch, which ignores the failure.
    let server = server("aws", &[("FAKE_SKY_FAIL", "sky.queue:1")])?;
    let test = TestRun::of(&server, &[ScenarioId::CliSession])?.on(&["aws"]).users(1, 1);
    let segment = test.run().await?.segments.remove(0);
    assert_eq!(counts(&segment), (0, 0, 1), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.step, "sky queue");
    Ok(())
}

#[rstest]
#[case::without_a_cloud("slurm", 0)]
#[case::on_a_cloud("aws", 1)]
#[tokio::test]
async fn steps_that_a_cloud_serves_are_left_out_elsewhere(
    #[case] infra: &str,
    #[case] checks: usize,
) -> anyhow::Result<()> {
    let server = server(infra, &[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiSession])?.on(&[infra]).users(1, 1);
    let segment = test.run().await?.segments.remove(0);
    assert_eq!((counts(&segment), kinds(&segment)), ((1, 0, 0), vec![]));
    let log = server.log();
    let sent = calls(&log);
    assert_eq!(sent.iter().filter(|call| **call == "POST /check").count(), checks);
    assert_eq!(segment.steps.contains_key("check/get"), checks > 0);
    Ok(())
}

#[tokio::test]
async fn each_session_uploads_its_working_directory_before_the_launch() -> anyhow::Result<()> {
    let server = server("slurm", &[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiSession])?.on(&["slurm"]).users(2, 1);
    let segment = test.run().await?.segments.remove(0);
    assert_eq!((counts(&segment), kinds(&segment)), ((2, 0, 0), vec![]));
    let log = server.log();
    let wanted = ["GET /upload_v2/blob", "POST /upload_v2", "POST /launch"];
    let sent: Vec<_> = calls(&log).into_iter().filter(|call| wanted.contains(call)).collect();
    assert_eq!(sent, [wanted, wanted].concat());
    assert_eq!(segment.steps["upload"].count(), 2);
    Ok(())
}

#[tokio::test]
async fn an_upload_is_retried_as_the_sdk_does() -> anyhow::Result<()> {
    let server = server("slurm", &[("FAKE_SKY_UNAVAILABLE", "/upload_v2:2")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiSession])?.on(&["slurm"]).users(2, 1);
    let segment = test.run().await?.segments.remove(0);
    assert_eq!((counts(&segment), kinds(&segment)), ((2, 0, 0), vec![]));
    assert_eq!(segment.retries, 1, "the second upload was sent again");
    Ok(())
}

#[tokio::test]
async fn retries_of_an_upload_that_fails_are_counted() -> anyhow::Result<()> {
    let server = server("slurm", &[("FAKE_SKY_UNAVAILABLE", "/upload_v2:1")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiSession])?.on(&["slurm"]).users(1, 1);
    let segment = test.run().await?.segments.remove(0);
    assert_eq!(counts(&segment), (0, 0, 1));
    assert_eq!(segment.tally.kinds()[0].example.step, "upload");
    assert_eq!(segment.retries, 2, "three attempts");
    Ok(())
}
