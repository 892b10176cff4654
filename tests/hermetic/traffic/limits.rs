//! How many are at it at once, and what ends a scenario before its time.

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

use super::Scene;
use super::scene::{ENDLESS, counts, kinds};

#[rstest]
#[case::one_by_one(3, 1)]
#[case::two_by_two(5, 2)]
#[tokio::test]
async fn users_beyond_at_once_wait_for_a_place_and_all_run(
    #[case] users: u32,
    #[case] concurrency: u32,
) -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400"), ("FAKE_SKY_SHORT_POOL", "8")])?;
    let scene = Scene::of(&server, &[ScenarioId::ApiStatus])?.users(users, concurrency);
    let outcome = scene.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.scheduled, counts(segment)), (users.into(), (users.into(), 0, 0)));
    let lasted = segment.ended.since(segment.began);
    assert!(lasted >= Duration::from_millis(400) * users.div_ceil(concurrency), "{lasted:?}");
    // An iteration counts from when its place was free, and not from the segment's start.
    let whole = segment.iteration_duration.mean().context("there are iterations")? * users;
    assert!(whole < (lasted + Duration::from_millis(300)) * concurrency, "{whole:?}");
    // The daemon's, and one for each place: a request more would have had its own.
    assert_eq!(server.executors().len(), 1 + usize::try_from(concurrency)?);
    Ok(())
}

#[tokio::test]
async fn users_that_all_fit_are_served_side_by_side() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400"), ("FAKE_SKY_SHORT_POOL", "8")])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiStatus])?.users(5, 5).play().await?;
    assert_eq!(counts(&outcome.segments[0]), (5, 0, 0));
    assert_eq!(server.executors().len(), 1 + 5);
    Ok(())
}

#[tokio::test]
async fn iterations_that_the_time_limit_cuts_off_have_failed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let scene = Scene::of(&server, &[ScenarioId::ApiStatus])?
        .iterations(2)
        .planned(|plan| plan.scenario_timeout = Duration::from_secs(1));
    let scene = scene.set()?;
    let outcome = scene.drive(ScenarioId::ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.segments.len()), (Ended::TimedOut, 1));
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(None, "unfinished", 3)]);
    assert!(scene.run.outcome(ScenarioId::ApiStatus).exists());
    Ok(())
}

#[rstest]
#[case::that_have_begun(3, 3)]
#[case::but_not_those_that_never_had_a_place(2, 2)]
#[tokio::test]
async fn latencies_include_iterations_that_were_cut_off(
    #[case] concurrency: u32,
    #[case] begun: u64,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let outcome = Scene::of(&server, &[ScenarioId::ApiStatus])?
        .users(3, concurrency)
        .planned(|plan| plan.scenario_timeout = Duration::from_secs(2))
        .play()
        .await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.iteration_duration.count()), ((0, 0, 3), begun));
    // They took at least from the segment's beginning to its end, to three digits.
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
    let identity = identity.context("it lived when it was looked up")?;
    let scene = Scene::of(&server, &[ScenarioId::ApiStatus])?.coordinated_by(identity).set()?;
    let outcome = scene.drive(ScenarioId::ApiStatus).await?;
    assert_eq!(outcome.ended, Ended::Stopped);
    assert!(scene.run.outcome(ScenarioId::ApiStatus).exists());
    // They were neither answered nor given too little time: nobody's fault.
    assert!(outcome.segments.iter().all(|segment| counts(segment) == (0, 0, 0)));
    Ok(())
}

#[tokio::test]
async fn a_signal_stops_a_scenario_that_writes_its_outcome_all_the_same() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let scene = Scene::of(&server, &[ScenarioId::ApiStatus])?.set()?;
    let send = async {
        // Only a process whose driver listens survives it; and nextest gives each
        // test a process, so that it stops no other test's driver.
        scene.begun(ScenarioId::ApiStatus).await?;
        anyhow::Ok(kill(Pid::this(), Signal::SIGTERM)?)
    };
    let (outcome, sent) = tokio::join!(scene.drive(ScenarioId::ApiStatus), send);
    sent?;
    assert_eq!(outcome?.ended, Ended::Stopped);
    assert!(scene.run.outcome(ScenarioId::ApiStatus).exists());
    Ok(())
}
