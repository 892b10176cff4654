//! Activity over time that scenarios record: its sums are those of the segments.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::record::outcome::{Activity, ActivityWindow, ScenarioOutcome};
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::shapes::timed;

fn sum(activity: &Activity, of: impl Fn(&ActivityWindow) -> u64) -> u64 {
    activity.windows.iter().map(of).sum()
}

/// Activity whose counts and longest latency are those of the segments.
fn consistent(outcome: &ScenarioOutcome) -> Activity {
    let activity = outcome.activity.clone().expect("there was activity");
    let total = |of: fn(&skyload::record::outcome::SegmentOutcome) -> u64| -> u64 {
        outcome.segments.iter().map(of).sum()
    };
    assert_eq!(
        sum(&activity, |window| window.ended),
        total(|segment| segment.completed() + segment.client_failed),
        "{activity:?}"
    );
    assert_eq!(sum(&activity, |window| window.failed), total(|segment| segment.failed));
    assert_eq!(sum(&activity, |one| one.dropped), total(|segment| segment.dropped.unwrap_or(0)));
    let longest = activity.windows.iter().filter_map(|window| window.latency).map(|one| one.max);
    let of_segments = outcome.segments.iter().filter_map(|one| one.iteration_duration.max());
    assert_eq!(longest.max(), of_segments.max());
    activity
}

#[rstest]
#[case::over_http(ScenarioId::ApiStatus)]
#[case::of_processes(ScenarioId::CliStatus)]
#[tokio::test]
async fn a_burst_is_counted_when_it_starts_and_ends(#[case] id: ScenarioId) -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_FAIL", "sky.status:2!"), ("FAKE_SKY_SERVICE_MS", "1200")];
    let server = FakeServer::start(&settings)?;
    let test = TestRun::of(&server, &[id])?.iterations(2).write()?;
    let (outcome, last) = test.drive_followed(id).await?;
    let activity = consistent(&outcome);
    assert_eq!(activity.window.as_secs(), 1);
    assert_eq!((sum(&activity, |one| one.started), sum(&activity, |one| one.failed)), (6, 1));
    assert!(activity.windows.len() > 1, "{activity:?}");
    assert_eq!((last.started, last.ended, last.failed, last.active), (6, 6, 1, 0));
    Ok(())
}

#[tokio::test]
async fn dropped_arrivals_are_counted_when_they_are_due() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1500")])?;
    let test = TestRun::of(&server, &[ScenarioId::ApiStatus])?.shaped(timed("4/s for 2s", "0s"), 2);
    let activity = consistent(&test.run().await?);
    assert!(sum(&activity, |window| window.dropped) > 0, "{activity:?}");
    Ok(())
}
