//! Scenarios that launch something, or that ask about what was launched, against a
//! stand-in that can launch.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::api::{ApiClient, ClientIdentity};
use skyload::credentials::Credentials;
use skyload::infrastructure::Infrastructure;
use skyload::record::outcome::{Ended, SegmentOutcome};
use skyload::record::resources::ResourceLog;
use skyload::record::{read, write_json};
use skyload::resources::{self, Hurry, Requests};
use skyload::scenario::ScenarioId;

use super::Scene;
use super::scene::{counts, kinds};

const LIMIT: Duration = Duration::from_secs(60);

/// A server that can launch on AWS, where a second of sleep is short.
pub(super) fn server(settings: &[(&str, &str)]) -> anyhow::Result<FakeServer> {
    let mut all = vec![("FAKE_SKY_INFRA", "aws")];
    if !settings.iter().any(|(name, _)| *name == "FAKE_SKY_SLEEP_MS") {
        all.push(("FAKE_SKY_SLEEP_MS", "20"));
    }
    all.extend(settings);
    FakeServer::start(&all)
}

fn requests(scene: &Scene, server: &FakeServer) -> anyhow::Result<Requests> {
    let identity = ClientIdentity {
        user_id: scene.run.id().new_user(),
        command: "test".to_owned(),
        variables: Vec::new(),
        remote: false,
    };
    Ok(Requests::new(ApiClient::new(&server.url().parse()?, &identity, None, &Credentials::None)?))
}

/// A scene with one scenario on AWS, whose resources are set up.
async fn scene(server: &FakeServer, id: ScenarioId) -> anyhow::Result<Scene> {
    scene_of(server, &[id]).await
}

async fn scene_of(server: &FakeServer, ids: &[ScenarioId]) -> anyhow::Result<Scene> {
    let scene = Scene::of(server, ids)?
        .planned(|plan| plan.infrastructure = Infrastructure::Clouds(vec!["aws".to_owned()]))
        .found(|environment| environment.infrastructure = vec!["aws".to_owned()])
        .set()?;
    let requests = requests(&scene, server)?;
    let log = resources::set_up(&requests, &scene.run.id(), scene.plan(), None, LIMIT).await;
    write_json(&scene.run.resources(), &log)?;
    Ok(scene)
}

pub(super) async fn play(server: &FakeServer, id: ScenarioId) -> anyhow::Result<SegmentOutcome> {
    let outcome = scene(server, id).await?.drive(id).await?;
    assert_eq!(outcome.ended, Ended::Finished);
    Ok(outcome.segments.into_iter().next().expect("there is a segment"))
}

async fn tear_down(
    server: &FakeServer,
    scene: &Scene,
    hurry: Hurry,
    limit: Duration,
) -> anyhow::Result<ResourceLog> {
    let requests = requests(scene, server)?;
    let mut log: ResourceLog = read(&scene.run.resources())?;
    let (id, plan) = (scene.run.id(), scene.plan());
    resources::tear_down(&requests, &id, plan, hurry, limit, &mut log).await;
    Ok(log)
}

#[rstest]
#[case::launch_and_logs(ScenarioId::ApiLaunchAndLogs)]
#[case::tail_logs(ScenarioId::ApiTailLogs)]
#[case::exec(ScenarioId::ApiExec)]
#[case::cluster_queue(ScenarioId::ApiClusterQueue)]
#[case::jobs_launch(ScenarioId::ApiJobsLaunch)]
#[case::jobs_logs(ScenarioId::ApiJobsLogs)]
#[case::cli_launch(ScenarioId::CliLaunch)]
#[case::cli_logs(ScenarioId::CliLogs)]
#[case::cli_jobs(ScenarioId::CliJobs)]
#[case::cli_serve(ScenarioId::CliServe)]
#[tokio::test]
async fn every_user_succeeds_and_nothing_is_left(#[case] id: ScenarioId) -> anyhow::Result<()> {
    let server = server(&[])?;
    let scene = scene(&server, id).await?;
    let segment = scene.drive(id).await?.segments.remove(0);
    assert_eq!((counts(&segment), kinds(&segment)), ((3, 0, 0), vec![]), "{:?}", segment.tally);
    let log = tear_down(&server, &scene, Hurry::No, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert_eq!(log.failed().count(), 0, "{log:?}");
    Ok(())
}

#[rstest]
#[case::a_launch(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_INFRA_FAIL", "sky.launch:3"), "ResourcesUnavailableError")]
#[case::a_launch_by_command(ScenarioId::CliLaunch, ("FAKE_SKY_INFRA_FAIL", "sky.launch:3"), "exit status: 1")]
#[case::a_job(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_JOB_FAILED", "sky.launch:3"), "unexpected-response")]
#[tokio::test]
async fn what_fails_is_one_users_failure(
    #[case] id: ScenarioId,
    #[case] setting: (&str, &str),
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = server(&[setting])?;
    let segment = play(&server, id).await?;
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(segment.tally.kinds()[0].example.error_type, error_type);
    Ok(())
}

#[tokio::test]
async fn a_launch_that_is_answered_after_the_sdks_five_seconds_has_failed() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LATE", "sky.launch:3")])?;
    let segment = play(&server, ScenarioId::ApiLaunchAndLogs).await?;
    assert_eq!((counts(&segment), kinds(&segment)), ((2, 0, 1), vec![(None, "timeout", 1)]));
    Ok(())
}

#[tokio::test]
async fn a_launch_that_is_not_waited_for_counts_when_it_has_ended() -> anyhow::Result<()> {
    let server =
        server(&[("FAKE_SKY_LAUNCH_MS", "3000"), ("FAKE_SKY_INFRA_FAIL", "sky.launch:3")])?;
    let scene =
        scene(&server, ScenarioId::CliLaunch).await?.planned(|plan| plan.run_async = true).set()?;
    let segment = scene.drive(ScenarioId::CliLaunch).await?.segments.remove(0);
    assert_eq!(counts(&segment), (2, 0, 1), "{:?}", segment.tally);
    assert_eq!(kinds(&segment), [(Some(500), "ResourcesUnavailableError", 1)]);
    let slowest = segment.steps["sky launch"].max().expect("three were measured");
    assert!(slowest < Duration::from_millis(2500), "{slowest:?} is the process's time alone");
    Ok(())
}

#[tokio::test]
async fn without_its_resource_every_user_fails_for_the_reason_of_its_setup() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_INFRA_FAIL", "sky.launch:1")])?;
    let segment = play(&server, ScenarioId::ApiExec).await?;
    assert_eq!(counts(&segment), (0, 0, 3));
    assert_eq!(kinds(&segment), [(Some(500), "ResourcesUnavailableError", 3)]);
    Ok(())
}

#[tokio::test]
async fn users_are_spread_over_all_infrastructures_and_told_apart() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "aws,kubernetes")])?;
    let infras = || vec!["aws".to_owned(), "kubernetes".to_owned()];
    let id = ScenarioId::ApiTailLogs;
    let scene = Scene::of(&server, &[id])?
        .planned(|plan| plan.infrastructure = Infrastructure::Clouds(infras()))
        .found(|environment| environment.infrastructure = infras())
        .users(4, 4)
        .set()?;
    let requests = requests(&scene, &server)?;
    let log = resources::set_up(&requests, &scene.run.id(), scene.plan(), None, LIMIT).await;
    assert_eq!((log.steps.len(), log.failed().count()), (2, 0), "a cluster on each");
    write_json(&scene.run.resources(), &log)?;
    let segment = scene.drive(id).await?.segments.remove(0);
    assert_eq!(counts(&segment), (4, 0, 0), "{:?}", segment.tally);
    for infra in infras() {
        assert_eq!(segment.steps[&format!("logs/stream @{infra}")].count(), 2);
    }
    Ok(())
}

#[rstest]
#[case::a_cluster(ScenarioId::ApiLaunchAndLogs, ("FAKE_SKY_SURVIVOR", "sky.down:1"), "cluster skyload-run-api-launch")]
#[case::a_service(ScenarioId::CliServe, ("FAKE_SKY_SURVIVOR", "sky.serve.down:1"), "service skyload-run-service")]
#[tokio::test]
async fn what_stays_although_it_was_taken_down_is_named(
    #[case] id: ScenarioId,
    #[case] setting: (&str, &str),
    #[case] left: &str,
) -> anyhow::Result<()> {
    let server = server(&[setting])?;
    let scene = scene(&server, id).await?;
    scene.drive(id).await?;
    let log = tear_down(&server, &scene, Hurry::No, Duration::from_secs(4)).await?;
    assert!(log.left.iter().any(|name| name.starts_with(left)), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn a_teardown_that_fails_is_noted_with_its_reason() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_INFRA_FAIL", "sky.down:1")])?;
    let scene = scene(&server, ScenarioId::ApiExec).await?;
    let log = tear_down(&server, &scene, Hurry::No, Duration::from_secs(3)).await?;
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
    let scene = scene(&server, ScenarioId::ApiJobsLaunch).await?;
    let segment = scene.drive(ScenarioId::ApiJobsLaunch).await?.segments.remove(0);
    assert_eq!(counts(&segment), (3, 0, 0), "all were submitted");
    let log = tear_down(&server, &scene, Hurry::No, LIMIT).await?;
    let failed: Vec<&str> = log.failed().map(|(_, f)| f.error_type.as_str()).collect();
    assert_eq!(failed, ["failed"]);
    Ok(())
}

#[tokio::test]
async fn what_is_under_way_when_the_run_is_stopped_is_cancelled_and_taken_down()
-> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_SLEEP_MS", "60000")])?;
    let scene = scene(&server, ScenarioId::ApiJobsLaunch).await?;
    scene.drive(ScenarioId::ApiJobsLaunch).await?;
    let log = tear_down(&server, &scene, Hurry::Stopped, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert_eq!(log.failed().count(), 0, "a job that was cancelled has not failed: {log:?}");
    Ok(())
}

#[tokio::test]
async fn what_others_have_launched_is_left_alone() -> anyhow::Result<()> {
    let server = server(&[])?;
    let scene = scene(&server, ScenarioId::ApiTailLogs).await?;
    let (requests, other) = (requests(&scene, &server)?, "skyload-other");
    let theirs = skyload::scenario::IterationNames {
        shared: skyload::scenario::SharedNames {
            infra: "aws".to_owned(),
            cluster: other.to_owned(),
            job: String::new(),
            service: String::new(),
        },
        own: String::new(),
        ..skyload::scenario::IterationNames::none()
    };
    let calls = &skyload::scenario::shared_calls::LAUNCH_CLUSTER;
    requests.ask(calls, &theirs).await.map_err(anyhow::Error::msg)?;
    let log = tear_down(&server, &scene, Hurry::No, LIMIT).await?;
    assert!(log.verified && log.left.is_empty());
    let rows = requests.ask(&skyload::scenario::shared_calls::CLUSTERS, &theirs).await;
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
async fn a_launch_that_nobody_waits_for_any_more_is_ended_too() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LATE", "sky.launch:1"), ("FAKE_SKY_LAUNCH_MS", "20000")])?;
    let scene = scene(&server, ScenarioId::ApiLaunchAndLogs).await?;
    let segment = scene.drive(ScenarioId::ApiLaunchAndLogs).await?.segments.remove(0);
    assert_eq!(kinds(&segment), [(None, "timeout", 3)]);
    let log = tear_down(&server, &scene, Hurry::No, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let cancelled = log.steps.iter().filter(|step| step.what.starts_with("request "));
    assert_eq!(cancelled.count(), 3, "{log:?}");
    Ok(())
}

#[tokio::test]
async fn clusters_are_taken_down_although_jobs_cannot_be_listed() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_FAIL", "sky.jobs.queue:1")])?;
    let ids = [ScenarioId::ApiTailLogs, ScenarioId::ApiJobsLaunch];
    let scene = scene_of(&server, &ids).await?;
    let log = tear_down(&server, &scene, Hurry::No, Duration::from_secs(8)).await?;
    assert!(log.steps.iter().any(|step| step.what == "cluster skyload-run-cluster"));
    assert!(log.left.is_empty() && !log.verified, "nobody knows of jobs: {log:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_does_not_end_is_cancelled_before_the_time_is_over() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_SLEEP_MS", "60000")])?;
    let scene = scene(&server, ScenarioId::ApiJobsLaunch).await?;
    scene.drive(ScenarioId::ApiJobsLaunch).await?;
    let log = tear_down(&server, &scene, Hurry::No, Duration::from_secs(25)).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let failed: Vec<&str> = log.failed().map(|(_, f)| f.error_type.as_str()).collect();
    assert_eq!(failed, ["does not end"; 3]);
    Ok(())
}
