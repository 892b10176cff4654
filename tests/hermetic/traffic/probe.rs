//! The health probe: it ends with the others, and counts from the schedule.

use std::time::Duration;

use fake_sky::FakeServer;
use skyload::ids::ProcessIdentity;
use skyload::record::outcome::{Ended, Latencies};
use skyload::record::write_json;
use skyload::scenario::ScenarioId::{ApiStatus, ApiValidate, ProbeHealth};
use skyload::traffic::TrafficError;

use super::Scene;
use super::scene::{counts, kinds};

/// All of them together, in seconds.
fn total(latencies: &Latencies) -> f64 {
    let mean = latencies.mean().unwrap_or_default();
    mean.as_secs_f64() * f64::from(u32::try_from(latencies.count()).expect("a few"))
}

#[tokio::test]
async fn it_asks_from_the_first_iteration_until_all_others_have_ended() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "400")])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate, ProbeHealth])?.set()?;
    let (status, validate, probe) =
        tokio::join!(scene.drive(ApiStatus), scene.drive(ApiValidate), scene.drive(ProbeHealth));
    let (status, validate, probe) = (status?, validate?, probe?);
    assert_eq!((probe.ended, probe.segments.len()), (Ended::Finished, 1));
    let [asked, slow, quick] = [&probe, &status, &validate].map(|outcome| &outcome.segments[0]);
    assert_eq!((asked.failed, asked.expected_errors), (0, 0));
    assert_eq!(
        (asked.completed(), asked.iteration_duration.count()),
        (asked.scheduled, asked.scheduled)
    );
    assert!(asked.scheduled > 1, "{asked:?}");
    // The quick one's end was not the end of all.
    assert!(slow.ended > quick.ended && asked.ended >= slow.ended);
    Ok(())
}

#[tokio::test]
async fn a_standstill_shows_in_every_request_of_its_time() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_STALL_MS", "2000")])?;
    let scene = Scene::of(&server, &[ApiStatus, ProbeHealth])?
        .planned(|plan| plan.probe_rate = 20)
        .set()?;
    let (status, probe) = tokio::join!(scene.drive(ApiStatus), scene.drive(ProbeHealth));
    assert_eq!(counts(&status?.segments[0]), (3, 0, 0), "it waits, as the SDK does");
    let probe = probe?;
    let asked = &probe.segments[0];
    assert_eq!(asked.failed, 0);
    // 40 requests of 0 to 2 s each. Who asks again only after an answer has one.
    assert!(
        total(&asked.iteration_duration) > 10.0,
        "{} requests",
        asked.iteration_duration.count()
    );
    assert!(asked.iteration_duration.max() >= Some(Duration::from_millis(1500)));
    Ok(())
}

#[tokio::test]
async fn a_starved_client_is_counted_from_the_schedule() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "2500")])?;
    let scene = Scene::of(&server, &[ApiStatus, ProbeHealth])?
        .planned(|plan| plan.probe_rate = 20)
        .set()?;
    let starve = async {
        scene.begun(ApiStatus).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // The runtime has one thread, and nothing is sent meanwhile.
        std::thread::sleep(Duration::from_secs(1));
        anyhow::Ok(())
    };
    let (status, probe, starved) =
        tokio::join!(scene.drive(ApiStatus), scene.drive(ProbeHealth), starve);
    starved?;
    assert_eq!(counts(&status?.segments[0]), (3, 0, 0));
    let probe = probe?;
    let asked = &probe.segments[0];
    // Twenty requests were due in that second, none was left out, and each of
    // them was late: ten seconds in all.
    assert_eq!(asked.send_lateness.count(), asked.scheduled);
    assert!(total(&asked.send_lateness) > 5.0, "late by {:?}", asked.send_lateness.max());
    assert!(total(&asked.iteration_duration) > 5.0, "took {:?}", asked.iteration_duration.max());
    Ok(())
}

#[tokio::test]
async fn it_asks_on_when_the_server_has_died_and_counts_what_fails() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "600000"), ("FAKE_SKY_DIE_AFTER_MS", "300")])?;
    let scene = Scene::of(&server, &[ApiStatus, ApiValidate, ProbeHealth])?.set()?;
    // One of them is at the line, and slower than the server's end.
    let place = scene.run.barrier().join("0-api-validate.json");
    write_json(&place, &ProcessIdentity::current())?;
    let load = async {
        let status = scene.drive(ApiStatus).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        scene.drive(ApiValidate).await?;
        Ok::<_, TrafficError>(status)
    };
    let (status, probe) = tokio::join!(load, scene.drive(ProbeHealth));
    let (status, probe) = (status?, probe?);
    assert_eq!((status.ended, counts(&status.segments[0])), (Ended::Finished, (0, 0, 3)));
    let asked = &probe.segments[0];
    assert_eq!((probe.ended, asked.completed()), (Ended::Finished, asked.scheduled));
    assert!(asked.failed >= 2 && asked.iteration_duration.count() == asked.scheduled, "{asked:?}");
    assert!(kinds(asked).iter().all(|(status, ..)| status.is_none()));
    Ok(())
}

#[tokio::test]
async fn it_does_not_ask_before_the_load_begins() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let scene = Scene::of(&server, &[ApiStatus, ProbeHealth])?.set()?;
    let asked = tokio::time::timeout(Duration::from_millis(500), scene.drive(ProbeHealth)).await;
    assert!(asked.is_err(), "nobody has come to the start line");
    Ok(())
}
