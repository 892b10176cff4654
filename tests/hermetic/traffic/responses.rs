//! Responses of the server, right and wrong, and their counts.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::record::outcome::{Ended, ScenarioOutcome};
use skyload::record::read;
use skyload::scenario::ScenarioId;
use skyload::traffic::TrafficError;

use super::TestRun;
use super::test_run::{counts, kinds};

#[tokio::test]
async fn every_user_runs_every_iteration_and_the_outcome_is_on_disk() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.iterations(2);
    let test = test.write()?;
    let outcome = test.drive(ScenarioId::ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.segments.len()), (Ended::Finished, 2));
    for segment in &outcome.segments {
        assert_eq!((segment.scheduled, counts(segment)), (3, (3, 0, 0)));
        assert_eq!((segment.iteration_duration.count(), segment.send_lateness.count()), (3, 3));
        assert!(segment.tally.kinds().is_empty() && segment.ended > segment.began);
    }
    assert!(outcome.segments[1].began >= outcome.segments[0].ended);
    let read: ScenarioOutcome = read(&test.dir.outcome(ScenarioId::ApiStatus))?;
    assert_eq!(read.process, skyload::ids::ProcessIdentity::current());
    assert_eq!(read.segments[1].iteration_duration.count(), 3);
    server.finish()
}

#[rstest]
#[case::status(
    ScenarioId::ApiStatus,
    &["health", "status/get", "status/queue+run", "status/stream", "status/submit"]
)]
#[case::validate(ScenarioId::ApiValidate, &["health", "validate"])]
#[case::api_status(ScenarioId::ApiApiStatus, &["api_status"])]
#[case::status_refresh(
    ScenarioId::ApiStatusRefresh,
    &["health", "status_refresh/get", "status_refresh/queue+run", "status_refresh/stream",
      "status_refresh/submit"]
)]
#[case::jobs_queue(
    ScenarioId::ApiJobsQueue,
    &["health", "jobs_queue/get", "jobs_queue/queue+run", "jobs_queue/stream", "jobs_queue/submit"]
)]
#[tokio::test]
async fn steps_are_those_of_the_sdk(
    #[case] id: ScenarioId,
    #[case] steps: &[&str],
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[id])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (3, 0, 0), "{:?}", segment.tally);
    assert_eq!(segment.steps.keys().collect::<Vec<_>>(), steps);
    assert!(segment.steps.values().all(|step| step.count() == 3));
    Ok(())
}

#[tokio::test]
async fn queue_and_run_time_comes_from_the_server() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "300")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiStatus])?.run().await?;
    let segment = &outcome.segments[0];
    let shortest = |step: &str| segment.steps[step].min().expect("there are some");
    assert!(shortest("status/queue+run") >= Duration::from_millis(299));
    assert!(
        segment.iteration_duration.min().expect("there are some") >= shortest("status/queue+run")
    );
    Ok(())
}

#[tokio::test]
async fn failures_are_counted_by_kind_and_in_latencies() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_FAIL", "sky.status:3")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.iterations(2);
    let outcome = test.run().await?;
    assert_eq!(outcome.ended, Ended::Finished);
    for segment in &outcome.segments {
        assert_eq!(counts(segment), (2, 0, 1));
        assert_eq!(kinds(segment), [(Some(500), "ValueError", 1)]);
        assert_eq!(
            (segment.iteration_duration.count(), segment.steps["status/get"].count()),
            (3, 3)
        );
        let failure = &segment.tally.kinds()[0].example;
        assert_eq!(failure.step, "status");
        assert!(failure.message.ends_with("of sky.status is made to fail"), "{failure}");
    }
    Ok(())
}

#[rstest]
#[case::cancelled("FAKE_SKY_CANCEL", Some(200), "cancelled")]
#[case::unexpected_value("FAKE_SKY_WRONG_VALUE", Some(200), "unexpected-response")]
#[case::traceback_as_text("FAKE_SKY_TEXT_500", Some(500), "sqlite3.OperationalError")]
#[tokio::test]
async fn every_response_but_success_is_a_failure(
    #[case] setting: &str,
    #[case] status: Option<u16>,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[(setting, "sky.status:1")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 3));
    assert_eq!(kinds(segment), [(status, error_type, 3)]);
    assert_eq!(segment.iteration_duration.count(), 3);
    Ok(())
}

#[tokio::test]
async fn an_unreachable_server_fails_every_iteration_and_not_the_driver() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?;
    server.finish()?;
    let outcome = test.run().await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(None, "connect-error", 3)]);
    Ok(())
}

#[tokio::test]
async fn a_server_that_dies_during_the_load_fails_active_iterations() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "60000"), ("FAKE_SKY_DIE_AFTER_MS", "300")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiStatus])?.run().await?;
    assert_eq!((outcome.ended, counts(&outcome.segments[0])), (Ended::Finished, (0, 0, 3)));
    assert!(kinds(&outcome.segments[0]).iter().all(|(status, ..)| status.is_none()));
    Ok(())
}

#[tokio::test]
async fn driving_a_scenario_that_is_not_planned_is_an_error() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.write()?;
    let driven = test.drive(ScenarioId::ApiValidate).await;
    assert!(matches!(driven, Err(TrafficError::NotPlanned(ScenarioId::ApiValidate))));
    assert!(!test.dir.outcome(ScenarioId::ApiValidate).exists());
    Ok(())
}
