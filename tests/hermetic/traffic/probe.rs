//! Health probe: runs during the load, and measures from the scheduled time of each request.

use std::time::Duration;

use fake_sky::FakeServer;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::{Ended, Latencies};
use skyload::record::write_json;
use skyload::scenario::ScenarioId::{ApiStatus, ApiValidate, ProbeHealth};
use skyload::traffic::TrafficError;

use super::TestRun;
use super::test_run::{counts, kinds};

/// Sum of latencies in seconds.
fn total(latencies: &Latencies) -> f64 {
    let mean = latencies.mean().unwrap_or_default();
    mean.as_secs_f64() * f64::from(u32::try_from(latencies.count()).expect("a few"))
}

#[tokio::test]
async fn the_probe_runs_from_the_first_iteration_until_all_scenarios_have_ended()
-> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400")])?;
    let test = TestRun::of(&server, &[ApiStatus, ApiValidate, ProbeHealth])?.write()?;
    let (status, validate, probe) =
        tokio::join!(test.drive(ApiStatus), test.drive(ApiValidate), test.drive(ProbeHealth));
    let (status, validate, probe) = (status?, validate?, probe?);
    assert_eq!((probe.ended, probe.segments.len()), (Ended::Finished, 1));
    let [probed, slow, fast] = [&probe, &status, &validate].map(|outcome| &outcome.segments[0]);
    assert_eq!((probed.failed, probed.expected_errors), (0, 0));
    assert_eq!(
        (probed.completed(), probed.iteration_duration.count()),
        (probed.scheduled, probed.scheduled)
    );
    assert!(probed.scheduled > 1, "{probed:?}");
    // The probe went on after the end of the fast scenario.
    assert!(slow.ended > fast.ended && probed.ended >= slow.ended);
    Ok(())
}

#[tokio::test]
async fn a_stall_of_the_server_shows_in_every_request_of_its_time() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_STALL_MS", "2000")])?;
    let test = TestRun::of(&server, &[ApiStatus, ProbeHealth])?
        .with_plan(|plan| plan.probe_rate = 20)
        .write()?;
    let (status, probe) = tokio::join!(test.drive(ApiStatus), test.drive(ProbeHealth));
    assert_eq!(counts(&status?.segments[0]), (3, 0, 0), "users wait, as the SDK does");
    let probe = probe?;
    let probed = &probe.segments[0];
    assert_eq!(probed.failed, 0);
    // 40 requests of 0 to 2 s each. A closed loop would have sent only one.
    assert!(
        total(&probed.iteration_duration) > 10.0,
        "{} requests",
        probed.iteration_duration.count()
    );
    assert!(probed.iteration_duration.max() >= Some(Duration::from_millis(1500)));
    Ok(())
}

#[tokio::test]
async fn an_overloaded_load_generator_shows_in_send_lateness_and_latency() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "2500")])?;
    let test = TestRun::of(&server, &[ApiStatus, ProbeHealth])?
        .with_plan(|plan| plan.probe_rate = 20)
        .write()?;
    let overload = async {
        test.wait_until_started(ApiStatus).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Blocks the only thread of the runtime, so that nothing is sent for a second.
        std::thread::sleep(Duration::from_secs(1));
        anyhow::Ok(())
    };
    let (status, probe, overloaded) =
        tokio::join!(test.drive(ApiStatus), test.drive(ProbeHealth), overload);
    overloaded?;
    assert_eq!(counts(&status?.segments[0]), (3, 0, 0));
    let probe = probe?;
    let probed = &probe.segments[0];
    // 20 requests were scheduled in this second, 0 to 1 s before they were sent: 10 s in all.
    assert_eq!(probed.send_lateness.count(), probed.scheduled);
    assert!(total(&probed.send_lateness) > 5.0, "late by {:?}", probed.send_lateness.max());
    assert!(total(&probed.iteration_duration) > 5.0, "took {:?}", probed.iteration_duration.max());
    Ok(())
}

#[tokio::test]
async fn the_probe_continues_after_the_servers_death_and_counts_failures() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "600000"), ("FAKE_SKY_DIE_AFTER_MS", "300")])?;
    let test = TestRun::of(&server, &[ApiStatus, ApiValidate, ProbeHealth])?.write()?;
    // `api:validate` has arrived at the barrier, and ends after the server's death.
    let arrival = test.dir.barrier().join("0-api-validate.json");
    write_json(&arrival, &ProcessIdentity::current())?;
    let load = async {
        let status = test.drive(ApiStatus).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        test.drive(ApiValidate).await?;
        Ok::<_, TrafficError>(status)
    };
    let (status, probe) = tokio::join!(load, test.drive(ProbeHealth));
    let (status, probe) = (status?, probe?);
    assert_eq!((status.ended, counts(&status.segments[0])), (Ended::Finished, (0, 0, 3)));
    let probed = &probe.segments[0];
    assert_eq!((probe.ended, probed.completed()), (Ended::Finished, probed.scheduled));
    assert!(
        probed.failed >= 2 && probed.iteration_duration.count() == probed.scheduled,
        "{probed:?}"
    );
    assert!(kinds(probed).iter().all(|(status, ..)| status.is_none()));
    Ok(())
}

#[tokio::test]
async fn the_probe_sends_nothing_before_the_load_starts() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiStatus, ProbeHealth])?.write()?;
    let probe = tokio::time::timeout(Duration::from_millis(500), test.drive(ProbeHealth)).await;
    assert!(probe.is_err(), "the probe ended although no scenario had arrived");
    Ok(())
}
