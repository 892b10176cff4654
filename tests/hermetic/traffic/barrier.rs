//! Barrier: scenarios wait for one another, but not for dead processes.

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

use super::TestRun;
use super::test_run::{counts, wait_until};

#[tokio::test]
async fn a_segment_starts_when_the_last_scenario_has_arrived() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiStatus, ApiValidate])?.iterations(2);
    let test = test.write()?;
    let late = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let arrived = Timeline::start().now();
        (arrived, test.drive(ApiValidate).await)
    };
    let (early, (arrived, late)) = tokio::join!(test.drive(ApiStatus), late);
    let (early, late) = (early?, late?);
    // Timelines of two processes may differ by the time between two clock readings.
    let earliest = arrived.as_micros() - 10_000;
    assert!(early.segments[0].began.as_micros() >= earliest);
    // The second segment of the fast scenario waits for the end of the slow one's first.
    assert!(late.segments[1].began.as_micros() + 10_000 >= early.segments[0].ended.as_micros());
    assert!(late.segments[0].ended < early.segments[0].ended);
    Ok(())
}

#[tokio::test]
async fn a_group_waits_for_its_start_and_not_for_other_groups() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiStatus, CliApiStatus])?;
    let test = test.with_plan(|plan| plan.phase_peaks = true).write()?;
    let coordinator = async {
        test.wait_until_started(CliApiStatus).await?;
        fs::write(test.dir.group_start(Group::Api), "")?;
        wait_until(|| traffic::has_ended(&test.dir, ApiStatus)).await?;
        let ended = Timeline::start().now();
        fs::write(test.dir.group_start(Group::Cli), "")?;
        anyhow::Ok(ended)
    };
    let (api, cli, ended) =
        tokio::join!(test.drive(ApiStatus), test.drive(CliApiStatus), coordinator);
    let (api, cli, ended) = (api?, cli?, ended?);
    assert_eq!((counts(&api.segments[0]), counts(&cli.segments[0])), ((3, 0, 0), (3, 0, 0)));
    // Timelines of two processes may differ by the time between two clock readings.
    assert!(cli.segments[0].began.as_micros() + 10_000 >= ended.as_micros());
    Ok(())
}

#[tokio::test]
async fn a_scenario_that_died_at_the_barrier_is_not_waited_for() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiStatus, ApiValidate])?.iterations(2);
    let test = test.write()?;
    let mut other = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn()?;
    let identity = ProcessIdentity::of(other.id());
    other.kill()?;
    other.wait()?;
    let identity = identity.context("the process was alive when its identity was read")?;
    write_json(&test.dir.barrier().join("0-api-validate.json"), &identity)?;
    let outcome = test.drive(ApiStatus).await?;
    assert_eq!((outcome.ended, outcome.segments.len()), (Ended::Finished, 2));
    assert!(outcome.segments.iter().all(|segment| counts(segment) == (3, 0, 0)));
    Ok(())
}

#[tokio::test]
async fn the_time_limit_includes_waiting_at_the_barrier() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiStatus, ApiValidate])?
        .iterations(2)
        .with_plan(|plan| plan.scenario_timeout = Duration::from_secs(3));
    let test = test.write()?;
    // The other scenario is alive, and never arrives for its second segment.
    let arrival = test.dir.barrier().join("0-api-validate.json");
    write_json(&arrival, &ProcessIdentity::current())?;
    let outcome = test.drive(ApiStatus).await?;
    assert_eq!(outcome.ended, Ended::TimedOut);
    assert!(outcome.segments.len() <= 1, "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_ramp_spreads_the_starts_and_latency_counts_from_each() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiValidate])?;
    let test = test.users(4, 4).with_plan(|plan| plan.ramp = Duration::from_secs(8));
    let offsets = test.plan().start_offsets(ApiValidate, 0);
    assert_eq!(offsets, [0, 2, 4, 6].map(Duration::from_secs));
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (4, 0, 0));
    let duration = segment.ended.since(segment.began);
    assert!(duration >= Duration::from_secs(6), "{segment:?}");
    // Counted from the start of the segment, the last iteration would take all of its time.
    let longest = segment.iteration_duration.max().context("there are latencies")?;
    assert!(longest < duration, "{longest:?} of {duration:?}");
    Ok(())
}

#[tokio::test]
async fn after_a_stop_no_user_starts() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiValidate])?;
    let mut ended = Command::new("true").stdin(Stdio::null()).spawn()?;
    let dead = ProcessIdentity { pid: ended.id(), started: 0 };
    ended.wait()?;
    // Scenarios stop when the coordinator is dead.
    let test = test.users(2, 2).coordinated_by(dead);
    let test = test.with_plan(|plan| plan.ramp = Duration::from_secs(600));
    let outcome = test.run().await?;
    assert_eq!((outcome.ended, outcome.segments[0].failed), (Ended::Stopped, 0));
    Ok(())
}
