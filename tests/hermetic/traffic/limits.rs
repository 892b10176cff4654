//! Concurrency of users, and the limits and signals that end a scenario early.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use fake_sky::FakeServer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::Ended;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::test_run::{ENDLESS, counts, kinds};

#[rstest]
#[case::one_by_one(3, 1)]
#[case::two_by_two(5, 2)]
#[tokio::test]
async fn users_beyond_the_concurrency_wait_for_a_slot_and_all_run(
    #[case] users: u32,
    #[case] concurrency: u32,
) -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400"), ("FAKE_SKY_SHORT_POOL", "8")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.users(users, concurrency);
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.scheduled, counts(segment)), (users.into(), (users.into(), 0, 0)));
    let lasted = segment.ended.since(segment.began);
    assert!(lasted >= Duration::from_millis(400) * users.div_ceil(concurrency), "{lasted:?}");
    // Latency counts from the moment at which a slot was free, not from the segment's start.
    let sum = segment.iteration_duration.mean().context("there are iterations")? * users;
    assert!(sum < (lasted + Duration::from_millis(300)) * concurrency, "{sum:?}");
    // One executor of the daemon, and one for each slot: each further concurrent request
    // would have started another one.
    assert_eq!(server.executors().len(), 1 + usize::try_from(concurrency)?);
    Ok(())
}

#[tokio::test]
async fn users_within_the_concurrency_run_concurrently() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400"), ("FAKE_SKY_SHORT_POOL", "8")])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiStatus])?.users(5, 5).run().await?;
    assert_eq!(counts(&outcome.segments[0]), (5, 0, 0));
    assert_eq!(server.executors().len(), 1 + 5);
    Ok(())
}

#[tokio::test]
async fn iterations_that_exceed_the_time_limit_have_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?
        .users(3, 2)
        .iterations(2)
        .with_plan(|plan| plan.scenario_timeout = Duration::from_secs(1));
    let test = test.write()?;
    let (outcome, progress) = test.drive_followed(ScenarioId::ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.segments.len()), (Ended::TimedOut, 1));
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(None, "iteration-not-finished", 3)]);
    assert!(test.dir.outcome(ScenarioId::ApiStatus).exists());
    // The third user has waited for a slot.
    assert_eq!((progress.ended, progress.failed, progress.active), (3, 3, 0));
    Ok(())
}

#[rstest]
#[case::that_have_started(3, 3)]
#[case::but_not_those_without_a_slot(2, 2)]
#[tokio::test]
async fn latencies_include_unfinished_iterations(
    #[case] concurrency: u32,
    #[case] started: u64,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let outcome = TestRun::of(&server, &[ScenarioId::ApiStatus])?
        .users(3, concurrency)
        .with_plan(|plan| plan.scenario_timeout = Duration::from_secs(2))
        .run()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.iteration_duration.count()), ((0, 0, 3), started));
    // Each is recorded with about the duration of the segment; histograms round.
    let lasted = segment.ended.since(segment.began).mul_f64(0.9);
    assert!(
        segment.iteration_duration.min() >= Some(lasted),
        "{:?} of {lasted:?}",
        segment.iteration_duration.min()
    );
    Ok(())
}

#[tokio::test]
async fn a_killed_coordinator_stops_its_scenarios() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let mut coordinator = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
    let identity = ProcessIdentity::of(coordinator.id());
    coordinator.kill()?;
    coordinator.wait()?;
    let identity = identity.context("the process was alive when its identity was read")?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.coordinated_by(identity).write()?;
    let outcome = test.drive(ScenarioId::ApiStatus).await?;
    assert_eq!(outcome.ended, Ended::Stopped);
    assert!(test.dir.outcome(ScenarioId::ApiStatus).exists());
    // Stopped iterations count neither as succeeded nor as failed.
    assert!(outcome.segments.iter().all(|segment| counts(segment) == (0, 0, 0)));
    Ok(())
}

#[tokio::test]
async fn a_signal_stops_a_scenario_which_still_writes_its_outcome() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.write()?;
    let send = async {
        // The process survives the signal only once the driver has installed its handler.
        // nextest runs each test in its own process, so no other driver gets the signal.
        test.wait_until_started(ScenarioId::ApiStatus).await?;
        anyhow::Ok(kill(Pid::this(), Signal::SIGTERM)?)
    };
    let (outcome, sent) = tokio::join!(test.drive(ScenarioId::ApiStatus), send);
    sent?;
    assert_eq!(outcome?.ended, Ended::Stopped);
    assert!(test.dir.outcome(ScenarioId::ApiStatus).exists());
    Ok(())
}
