//! Scenarios wait for one another, and for nobody who is gone.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use fake_sky::FakeServer;
use skyload::clock::Timeline;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::Ended;
use skyload::record::write_json;
use skyload::scenario::Family;
use skyload::scenario::ScenarioId::{ApiStatus, ApiValidate, CliApiStatus};
use skyload::traffic;

use super::Scene;
use super::scene::{counts, until};

#[tokio::test]
async fn a_wave_begins_when_the_last_has_come() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?.waves(2);
    let scene = scene.set()?;
    let late = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let came = Timeline::start().now();
        (came, scene.drive(ApiValidate).await)
    };
    let (early, (came, late)) = tokio::join!(scene.drive(ApiStatus), late);
    let (early, late) = (early?, late?);
    // Clocks of two timelines may differ by what passes between two readings.
    let earliest = came.as_micros() - 10_000;
    assert!(early.waves[0].began.as_micros() >= earliest);
    // The quick one's second wave waits until the slow one's first is over.
    assert!(late.waves[1].began.as_micros() + 10_000 >= early.waves[0].ended.as_micros());
    assert!(late.waves[0].ended < early.waves[0].ended);
    Ok(())
}

#[tokio::test]
async fn a_family_waits_for_its_turn_and_not_for_the_other() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, CliApiStatus])?;
    let scene = scene.planned(|plan| plan.phase_peaks = true).set()?;
    let conductor = async {
        scene.begun(CliApiStatus).await?;
        fs::write(scene.run.turn(Family::Api), "")?;
        until(|| traffic::has_ended(&scene.run, ApiStatus)).await?;
        let ended = Timeline::start().now();
        fs::write(scene.run.turn(Family::Cli), "")?;
        anyhow::Ok(ended)
    };
    let (api, cli, ended) =
        tokio::join!(scene.drive(ApiStatus), scene.drive(CliApiStatus), conductor);
    let (api, cli, ended) = (api?, cli?, ended?);
    assert_eq!((counts(&api.waves[0]), counts(&cli.waves[0])), ((3, 0, 0), (3, 0, 0)));
    // Clocks of two timelines may differ by what passes between two readings.
    assert!(cli.waves[0].began.as_micros() + 10_000 >= ended.as_micros());
    Ok(())
}

#[tokio::test]
async fn a_scenario_that_died_at_the_start_line_is_not_waited_for() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?.waves(2);
    let scene = scene.set()?;
    let mut other = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
    let identity = ProcessIdentity::of(other.id());
    other.kill()?;
    other.wait()?;
    let identity = identity.context("it lived when it was looked up")?;
    write_json(&scene.run.start_line().join("0-api-validate.json"), &identity)?;
    let outcome = scene.drive(ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.waves.len()), (Ended::Finished, 2));
    assert!(outcome.waves.iter().all(|wave| counts(wave) == (3, 0, 0)));
    Ok(())
}

#[tokio::test]
async fn the_time_limit_holds_at_the_start_line_too() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?
        .waves(2)
        .planned(|plan| plan.scenario_timeout = Duration::from_secs(3));
    let scene = scene.set()?;
    // The other one lives, and never comes to its second wave.
    let place = scene.run.start_line().join("0-api-validate.json");
    write_json(&place, &ProcessIdentity::current())?;
    let outcome = scene.drive(ApiStatus).await?;
    assert_eq!(outcome.ended, Ended::TimedOut);
    assert!(outcome.waves.len() <= 1, "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_ramp_spreads_the_starts_and_latency_counts_from_each() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiValidate])?;
    let scene = scene.users(4, 4).planned(|plan| plan.ramp = Duration::from_secs(8));
    let offsets = scene.plan().start_offsets(ApiValidate, 0);
    assert_eq!(offsets, [0, 2, 4, 6].map(Duration::from_secs));
    let outcome = scene.play().await?;
    let wave = &outcome.waves[0];
    assert_eq!(counts(wave), (4, 0, 0));
    let whole = wave.ended.since(wave.began);
    assert!(whole >= Duration::from_secs(6), "{wave:?}");
    // Counted from the beginning of the wave, the last would have taken all of it.
    let longest = wave.turns.max().context("there are latencies")?;
    assert!(longest < whole, "{longest:?} of {whole:?}");
    Ok(())
}

#[tokio::test]
async fn a_load_that_is_stopped_starts_nobody_any_more() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiValidate])?;
    let mut ended = Command::new("true").stdin(Stdio::null()).spawn()?;
    let nobody = ProcessIdentity { pid: ended.id(), started: 0 };
    ended.wait()?;
    // Scenarios end when the process has that runs the plan.
    let scene = scene.users(2, 2).planned(|plan| {
        plan.ramp = Duration::from_secs(600);
        plan.conductor = Some(nobody);
    });
    let outcome = scene.play().await?;
    assert_eq!((outcome.ended, outcome.waves[0].failed), (Ended::Stopped, 0));
    Ok(())
}
