//! Scenarios that launch or use clusters, managed jobs and services, against a stand-in with
//! an infra, and the shared resources of these scenarios.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::api::{ApiClient, ClientIdentity};
use skyload::credentials::Credentials;
use skyload::record::outcome::{Ended, SegmentOutcome};
use skyload::record::resources::ResourceLog;
use skyload::record::{read, write_json};
use skyload::resources::{self, Requests, TeardownMode};
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::test_run::{counts, kinds};

pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Server that can launch on AWS, where a job's second of sleep takes 20 ms.
pub(super) fn server(settings: &[(&str, &str)]) -> anyhow::Result<FakeServer> {
    let mut all = vec![("FAKE_SKY_INFRA", "aws")];
    if !settings.iter().any(|(name, _)| *name == "FAKE_SKY_SLEEP_MS") {
        all.push(("FAKE_SKY_SLEEP_MS", "20"));
    }
    all.extend(settings);
    FakeServer::start(&all)
}

pub(super) fn requests(test: &TestRun, server: &FakeServer) -> anyhow::Result<Requests> {
    let identity = ClientIdentity {
        user_id: test.dir.id().new_user(),
        command: "test".to_owned(),
        variables: Vec::new(),
        remote: false,
    };
    Ok(Requests::new(ApiClient::new(&server.url().parse()?, &identity, None, &Credentials::None)?))
}

/// Run with one scenario on AWS, whose shared resources are set up.
pub(super) async fn set_up(server: &FakeServer, id: ScenarioId) -> anyhow::Result<TestRun> {
    set_up_all(server, &[id]).await
}

pub(super) async fn set_up_all(server: &FakeServer, ids: &[ScenarioId]) -> anyhow::Result<TestRun> {
    set_up_test(server, TestRun::of(server, ids)?.on(&["aws"]).write()?).await
}

/// Run whose shared resources are set up.
pub(super) async fn set_up_test(server: &FakeServer, test: TestRun) -> anyhow::Result<TestRun> {
    let requests = requests(&test, server)?;
    let log = resources::set_up(&requests, &test.dir.id(), test.plan(), None, LIMIT).await;
    write_json(&test.dir.resources(), &log)?;
    Ok(test)
}

/// First segment of a scenario on AWS.
pub(super) async fn first_segment(
    server: &FakeServer,
    id: ScenarioId,
) -> anyhow::Result<SegmentOutcome> {
    let outcome = set_up(server, id).await?.drive(id).await?;
    assert_eq!(outcome.ended, Ended::Finished);
    Ok(outcome.segments.into_iter().next().expect("there is a segment"))
}

pub(super) async fn tear_down(
    server: &FakeServer,
    test: &TestRun,
    mode: TeardownMode,
    limit: Duration,
) -> anyhow::Result<ResourceLog> {
    let requests = requests(test, server)?;
    let mut log: ResourceLog = read(&test.dir.resources())?;
    let (id, plan) = (test.dir.id(), test.plan());
    resources::tear_down(&requests, &id, plan, mode, limit, &mut log).await;
    Ok(log)
}

#[rstest]
#[case::launch_and_logs(ScenarioId::ApiLaunchAndLogs)]
#[case::tail_logs(ScenarioId::ApiTailLogs)]
#[case::exec(ScenarioId::ApiExec)]
#[case::cluster_queue(ScenarioId::ApiClusterQueue)]
#[case::jobs_launch(ScenarioId::ApiJobsLaunch)]
#[case::jobs_logs(ScenarioId::ApiJobsLogs)]
#[case::check(ScenarioId::ApiCheck)]
#[case::show_gpus(ScenarioId::ApiShowGpus)]
#[case::optimize(ScenarioId::ApiOptimize)]
#[case::storage_ls(ScenarioId::ApiStorageLs)]
#[case::cost_report(ScenarioId::ApiCostReport)]
#[case::cluster_refresh(ScenarioId::ApiClusterRefresh)]
#[case::start_stop(ScenarioId::ApiStartStop)]
#[case::autostop(ScenarioId::ApiAutostop)]
#[case::cli_check(ScenarioId::CliCheck)]
#[case::cli_launch(ScenarioId::CliLaunch)]
#[case::cli_logs(ScenarioId::CliLogs)]
#[case::cli_jobs(ScenarioId::CliJobs)]
#[case::cli_serve(ScenarioId::CliServe)]
#[tokio::test]
async fn every_user_succeeds_and_nothing_is_left(#[case] id: ScenarioId) -> anyhow::Result<()> {
    let server = server(&[])?;
    let test = set_up(&server, id).await?;
    let segment = test.drive(id).await?.segments.remove(0);
    assert_eq!((counts(&segment), kinds(&segment)), ((3, 0, 0), vec![]), "{:?}", segment.tally);
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert_eq!(log.failed().count(), 0, "{log:?}");
    Ok(())
}

#[rstest]
#[case::launch(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_INFRA_FAIL", "sky.launch:3"), "ResourcesUnavailableError")]
#[case::launch_by_cli(ScenarioId::CliLaunch, ("FAKE_SKY_INFRA_FAIL", "sky.launch:3"), "exit status: 1")]
#[case::job(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_JOB_FAILED", "sky.launch:3"), "unexpected-response")]
#[tokio::test]
async fn a_failure_counts_for_one_user_only(
    #[case] id: ScenarioId,
    #[case] setting: (&str, &str),
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = server(&[setting])?;
    let segment = first_segment(&server, id).await?;
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, error_type);
    Ok(())
}

#[tokio::test]
async fn a_launch_that_exceeds_the_sdk_timeout_has_failed() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LATE", "sky.launch:3")])?;
    let segment = first_segment(&server, ScenarioId::ApiLaunchAndLogs).await?;
    assert_eq!((counts(&segment), kinds(&segment)), ((2, 0, 1), vec![(None, "timeout", 1)]));
    Ok(())
}

#[rstest]
#[case::of_a_cluster(ScenarioId::ApiTailLogs, "logs")]
#[case::managed(ScenarioId::ApiJobsLogs, "jobs_logs")]
#[tokio::test]
async fn the_first_line_of_a_jobs_output_is_a_step(
    #[case] id: ScenarioId,
    #[case] call: &str,
) -> anyhow::Result<()> {
    let server = server(&[])?;
    let segment = first_segment(&server, id).await?;
    let step = |name: &str| &segment.steps[&format!("{call}/{name}")];
    assert_eq!(step("first-line").count(), 3);
    assert!(step("first-line").max() <= step("stream").max(), "{:?}", segment.steps);
    Ok(())
}

#[tokio::test]
async fn an_async_launch_is_judged_by_its_result() -> anyhow::Result<()> {
    let server =
        server(&[("FAKE_SKY_LAUNCH_MS", "3000"), ("FAKE_SKY_INFRA_FAIL", "sky.launch:3")])?;
    let test = set_up(&server, ScenarioId::CliLaunch)
        .await?
        .with_plan(|plan| plan.run_async = true)
        .write()?;
    let segment = test.drive(ScenarioId::CliLaunch).await?.segments.remove(0);
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(kinds(&segment), [(Some(500), "ResourcesUnavailableError", 1)]);
    let slowest = segment.steps["sky launch"].max().expect("three were measured");
    assert!(slowest < Duration::from_millis(2500), "{slowest:?} is longer than the process ran");
    Ok(())
}

#[tokio::test]
async fn without_a_shared_resource_every_user_fails_with_the_setups_error() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_INFRA_FAIL", "sky.launch:1")])?;
    let test = set_up(&server, ScenarioId::ApiExec).await?;
    let (outcome, progress) = test.drive_followed(ScenarioId::ApiExec).await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 3));
    assert_eq!(kinds(segment), [(Some(500), "ResourcesUnavailableError", 3)]);
    assert_eq!((progress.ended, progress.failed, progress.active), (3, 3, 0));
    Ok(())
}

#[tokio::test]
async fn users_are_spread_over_all_infras_with_separate_steps() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "aws,kubernetes")])?;
    let (infras, id) = (["aws", "kubernetes"], ScenarioId::ApiTailLogs);
    let test = TestRun::of(&server, &[id])?.on(&infras).users(4, 4).write()?;
    let requests = requests(&test, &server)?;
    let log = resources::set_up(&requests, &test.dir.id(), test.plan(), None, LIMIT).await;
    assert_eq!((log.steps.len(), log.failed().count()), (2, 0), "a cluster on each");
    write_json(&test.dir.resources(), &log)?;
    let segment = test.drive(id).await?.segments.remove(0);
    assert_eq!(counts(&segment), (4, 0, 0), "{:?}", segment.tally);
    for infra in infras {
        assert_eq!(segment.steps[&format!("logs/stream @{infra}")].count(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_shared_resource_is_set_up_only_where_a_scenario_needs_it() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "aws,kubernetes")])?;
    let ids = [ScenarioId::ApiExec, ScenarioId::CliLaunch];
    let test = TestRun::of(&server, &ids)?
        .on(&["aws", "kubernetes"])
        .with_plan(|plan| {
            plan.scenarios[0].infras = vec!["kubernetes".to_owned()];
            plan.scenarios[1].infras = vec!["aws".to_owned()];
        })
        .write()?;
    let requests = requests(&test, &server)?;
    let log = resources::set_up(&requests, &test.dir.id(), test.plan(), None, LIMIT).await;
    let set_up: Vec<_> = log.steps.iter().map(|step| step.infra.as_str()).collect();
    assert_eq!(set_up, ["kubernetes"], "{log:?}");
    write_json(&test.dir.resources(), &log)?;
    // Together, since each waits for the other.
    let (exec, launch) = tokio::join!(test.drive(ids[0]), test.drive(ids[1]));
    for outcome in [exec?, launch?] {
        let segment = &outcome.segments[0];
        assert_eq!(counts(segment), (3, 0, 0), "{:?}", segment.tally);
    }
    Ok(())
}

#[rstest]
#[case::cluster(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_SURVIVOR", "sky.down:1"), "cluster skyload-run-api-launch")]
#[case::service(ScenarioId::CliServe, ("FAKE_SKY_SURVIVOR", "sky.serve.down:1"), "service skyload-run-service")]
#[tokio::test]
async fn a_resource_that_survives_its_teardown_is_reported_as_left(
    #[case] id: ScenarioId,
    #[case] setting: (&str, &str),
    #[case] left: &str,
) -> anyhow::Result<()> {
    let server = server(&[setting])?;
    let test = set_up(&server, id).await?;
    test.drive(id).await?;
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, Duration::from_secs(4)).await?;
    assert!(log.left.iter().any(|name| name.starts_with(left)), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn a_failed_teardown_is_logged_with_its_error() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_INFRA_FAIL", "sky.down:1")])?;
    let test = set_up(&server, ScenarioId::ApiExec).await?;
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, Duration::from_secs(3)).await?;
    let (step, failure) = log.failed().next().expect("it failed");
    assert_eq!(
        (step.what.as_str(), failure.error_type.as_str()),
        ("cluster skyload-run-cluster", "RuntimeError",)
    );
    assert_eq!(log.left, ["cluster skyload-run-cluster"]);
    Ok(())
}

#[tokio::test]
async fn a_managed_job_that_fails_after_it_was_submitted_is_a_failure() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_JOB_FAILED", "sky.jobs.launch:3")])?;
    let test = set_up(&server, ScenarioId::ApiJobsLaunch).await?;
    let segment = test.drive(ScenarioId::ApiJobsLaunch).await?.segments.remove(0);
    assert_eq!(counts(&segment), (3, 0, 0), "all were submitted");
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    let failed: Vec<&str> = log.failed().map(|(_, f)| f.error_type.as_str()).collect();
    assert_eq!(failed, ["failed"]);
    Ok(())
}

#[tokio::test]
async fn managed_jobs_of_a_stopped_run_are_cancelled() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_SLEEP_MS", "60000")])?;
    let test = set_up(&server, ScenarioId::ApiJobsLaunch).await?;
    test.drive(ScenarioId::ApiJobsLaunch).await?;
    let log = tear_down(&server, &test, TeardownMode::CancelJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert_eq!(log.failed().count(), 0, "a cancelled job is no failure: {log:?}");
    Ok(())
}

#[tokio::test]
async fn clusters_of_others_are_not_torn_down() -> anyhow::Result<()> {
    let server = server(&[])?;
    let test = set_up(&server, ScenarioId::ApiTailLogs).await?;
    let (requests, other) = (requests(&test, &server)?, "skyload-other");
    let names_of_other = skyload::scenario::IterationNames {
        shared: skyload::scenario::SharedNames {
            infra: "aws".to_owned(),
            cluster: other.to_owned(),
            job: String::new(),
            service: String::new(),
            long_job: String::new(),
        }
        .into(),
        own: String::new(),
        ..skyload::scenario::IterationNames::none()
    };
    let launch = &skyload::scenario::shared_calls::LAUNCH_CLUSTER;
    requests.ask(launch, &names_of_other).await.map_err(anyhow::Error::msg)?;
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty());
    let rows = requests.ask(&skyload::scenario::shared_calls::CLUSTERS, &names_of_other).await;
    let names: Vec<String> = rows
        .map_err(anyhow::Error::msg)?
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, [other]);
    Ok(())
}

#[tokio::test]
async fn an_active_launch_whose_user_timed_out_is_cancelled() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LATE", "sky.launch:1"), ("FAKE_SKY_LAUNCH_MS", "20000")])?;
    let test = set_up(&server, ScenarioId::ApiLaunchAndLogs).await?;
    let segment = test.drive(ScenarioId::ApiLaunchAndLogs).await?.segments.remove(0);
    assert_eq!(kinds(&segment), [(None, "timeout", 3)]);
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let cancelled = log.steps.iter().filter(|step| step.what.starts_with("request "));
    assert_eq!(cancelled.count(), 3, "{log:?}");
    Ok(())
}

#[tokio::test]
async fn clusters_are_torn_down_although_jobs_cannot_be_listed() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_FAIL", "sky.jobs.queue:1")])?;
    let ids = [ScenarioId::ApiTailLogs, ScenarioId::ApiJobsLaunch];
    let test = set_up_all(&server, &ids).await?;
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, Duration::from_secs(8)).await?;
    assert!(log.steps.iter().any(|step| step.what == "cluster skyload-run-cluster"));
    assert!(log.left.is_empty() && !log.verified, "jobs were not listed: {log:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_does_not_end_is_cancelled_before_the_teardown_times_out() -> anyhow::Result<()>
{
    let server = server(&[("FAKE_SKY_SLEEP_MS", "60000")])?;
    let test = set_up(&server, ScenarioId::ApiJobsLaunch).await?;
    test.drive(ScenarioId::ApiJobsLaunch).await?;
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, Duration::from_secs(25)).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let failed: Vec<&str> = log.failed().map(|(_, f)| f.error_type.as_str()).collect();
    assert_eq!(failed, ["job-not-finished"; 3]);
    Ok(())
}
