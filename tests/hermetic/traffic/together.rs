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
use skyload::scenario::Group;
use skyload::scenario::ScenarioId::{ApiStatus, ApiValidate, CliApiStatus};
use skyload::traffic;

use super::Scene;
use super::scene::{counts, until};

#[tokio::test]
async fn a_segment_begins_when_the_last_has_come() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?.iterations(2);
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
    assert!(early.segments[0].began.as_micros() >= earliest);
    // The quick one's second segment waits until the slow one's first is over.
    assert!(late.segments[1].began.as_micros() + 10_000 >= early.segments[0].ended.as_micros());
    assert!(late.segments[0].ended < early.segments[0].ended);
    Ok(())
}

#[tokio::test]
async fn a_group_waits_for_its_start_and_not_for_the_other() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, CliApiStatus])?;
    let scene = scene.planned(|plan| plan.phase_peaks = true).set()?;
    let coordinator = async {
        scene.begun(CliApiStatus).await?;
        fs::write(scene.run.group_start(Group::Api), "")?;
        until(|| traffic::has_ended(&scene.run, ApiStatus)).await?;
        let ended = Timeline::start().now();
        fs::write(scene.run.group_start(Group::Cli), "")?;
        anyhow::Ok(ended)
    };
    let (api, cli, ended) =
        tokio::join!(scene.drive(ApiStatus), scene.drive(CliApiStatus), coordinator);
    let (api, cli, ended) = (api?, cli?, ended?);
    assert_eq!((counts(&api.segments[0]), counts(&cli.segments[0])), ((3, 0, 0), (3, 0, 0)));
    // Clocks of two timelines may differ by what passes between two readings.
    assert!(cli.segments[0].began.as_micros() + 10_000 >= ended.as_micros());
    Ok(())
}

#[tokio::test]
async fn a_scenario_that_died_at_the_start_line_is_not_waited_for() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?.iterations(2);
    let scene = scene.set()?;
    let mut other = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
    let identity = ProcessIdentity::of(other.id());
    other.kill()?;
    other.wait()?;
    let identity = identity.context("it lived when it was looked up")?;
    write_json(&scene.run.barrier().join("0-api-validate.json"), &identity)?;
    let outcome = scene.drive(ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.segments.len()), (Ended::Finished, 2));
    assert!(outcome.segments.iter().all(|segment| counts(segment) == (3, 0, 0)));
    Ok(())
}

#[tokio::test]
async fn the_time_limit_holds_at_the_start_line_too() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate])?
        .iterations(2)
        .planned(|plan| plan.scenario_timeout = Duration::from_secs(3));
    let scene = scene.set()?;
    // The other one lives, and never comes to its second segment.
    let place = scene.run.barrier().join("0-api-validate.json");
    write_json(&place, &ProcessIdentity::current())?;
    let outcome = scene.drive(ApiStatus).await?;
    assert_eq!(outcome.ended, Ended::TimedOut);
    assert!(outcome.segments.len() <= 1, "{outcome:?}");
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
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (4, 0, 0));
    let whole = segment.ended.since(segment.began);
    assert!(whole >= Duration::from_secs(6), "{segment:?}");
    // Counted from the beginning of the segment, the last would have taken all of it.
    let longest = segment.iteration_duration.max().context("there are latencies")?;
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
    let scene = scene.users(2, 2).coordinated_by(nobody);
    let scene = scene.planned(|plan| plan.ramp = Duration::from_secs(600));
    let outcome = scene.play().await?;
    assert_eq!((outcome.ended, outcome.segments[0].failed), (Ended::Stopped, 0));
    Ok(())
}
