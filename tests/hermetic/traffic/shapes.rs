//! Shapes of a load: closed loops, arrival rates, stages, and what is lost of them.

use std::time::Duration;

use fake_sky::FakeServer;
use skyload::record::outcome::{Ended, ScenarioOutcome, SegmentKind, SegmentOutcome};
use skyload::scenario::ScenarioId::{ApiShowGpus, ApiStatus, ApiValidate};
use skyload::shape::{LoadShape, Model, Pause, StageList, Timed};

use super::TestRun;
use super::test_run::{ENDLESS, counts, kinds};

/// Load in these stages.
pub(super) fn timed(stages: &str, pause: &str) -> Timed {
    let model = match stages.parse().expect("stages") {
        StageList::Users(stages) => {
            Model::Users { stages, pause: pause.parse::<Pause>().expect("a pause") }
        }
        StageList::Rates(stages) => Model::Arrivals { stages },
    };
    Timed { model, warm_up: Duration::ZERO, graceful_stop: Duration::from_secs(30) }
}

impl TestRun {
    /// Changes the shape of each scenario, and the most users at a time.
    pub(super) fn shaped(self, timed: Timed, users: u32) -> Self {
        let shape = LoadShape::Timed(timed);
        self.users(users, users).with_plan(|plan| {
            plan.scenarios.iter_mut().for_each(|planned| planned.shape = shape.clone());
        })
    }
}

fn stage(number: u32, text: &str) -> SegmentKind {
    SegmentKind::Stage { number, text: text.to_owned() }
}

fn kinds_of_segments(outcome: &ScenarioOutcome) -> Vec<SegmentKind> {
    outcome.segments.iter().map(|segment| segment.kind.clone()).collect()
}

fn succeeded(segment: &SegmentOutcome) -> u64 {
    assert_eq!(counts(segment), (segment.succeeded, 0, 0), "{:?}", kinds(segment));
    assert_eq!(
        segment.scheduled,
        segment.succeeded + segment.dropped.unwrap_or(0) + segment.interrupted
    );
    segment.succeeded
}

#[tokio::test]
async fn users_of_a_closed_loop_start_an_iteration_when_the_one_before_has_ended()
-> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "200")])?;
    let test = TestRun::of(&server, &[ApiStatus])?.shaped(timed("2 for 3s", "0s"), 2);
    let outcome = test.run().await?;
    assert_eq!(
        (outcome.ended, kinds_of_segments(&outcome)),
        (Ended::Finished, vec![stage(1, "2 for 3s")])
    );
    let segment = &outcome.segments[0];
    // Each takes 200 ms at least, and the last one of each user may end after the 3 s.
    let iterations = succeeded(segment);
    assert!((4..=2 * 16).contains(&iterations), "{iterations}");
    // One at a time for each user, until 3 s have passed and the last one has ended.
    let mean = segment.iteration_duration.mean().unwrap_or_default();
    let longest = segment.iteration_duration.max().unwrap_or_default();
    let busy = mean * u32::try_from(iterations)?;
    assert!(busy <= (Duration::from_millis(3_100) + longest) * 2, "{busy:?}");
    Ok(())
}

#[tokio::test]
async fn users_pause_between_their_iterations() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiValidate])?.shaped(timed("2 for 3s", "1s"), 2);
    let outcome = test.run().await?;
    // At 0, 1 and 2 s; a slow machine has fewer.
    let iterations = succeeded(&outcome.segments[0]);
    assert!((2..=6).contains(&iterations), "{iterations}");
    Ok(())
}

#[tokio::test]
async fn a_stage_has_the_iterations_that_began_in_it() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let timed = timed("10/s for 1s, 30/s for 1s, 0/s in 1s", "0s");
    let outcome = TestRun::of(&server, &[ApiValidate])?.shaped(timed, 500).run().await?;
    let stages = [stage(1, "10/s for 1s"), stage(2, "30/s for 1s"), stage(3, "0/s in 1s")];
    assert_eq!(kinds_of_segments(&outcome), stages);
    let scheduled: Vec<u64> = outcome.segments.iter().map(succeeded).collect();
    assert_eq!(scheduled, [10, 30, 15]);
    let began = |number: usize| outcome.segments[number].began.since(outcome.segments[0].began);
    assert_eq!([1, 2].map(began), [1, 2].map(Duration::from_secs));
    Ok(())
}

#[tokio::test]
async fn an_arrival_rate_shows_a_stall_in_every_iteration_of_its_time() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_STALL_MS", "2000")])?;
    let test = TestRun::of(&server, &[ApiValidate, ApiStatus])?;
    let test = test.users(1, 1).with_plan(|plan| {
        plan.scenarios[0].shape = LoadShape::Timed(timed("20/s for 4s", "0s"));
        (plan.scenarios[0].users, plan.scenarios[0].concurrency) = (500, 500);
    });
    let test = test.write()?;
    // Its queued request makes the server stall.
    let (validate, status) = tokio::join!(test.drive(ApiValidate), test.drive(ApiStatus));
    status?;
    let validate = validate?;
    let segment = &validate.segments[0];
    assert_eq!(succeeded(segment), 80);
    // 40 requests were due meanwhile, with latencies from 0 to 2 s. A closed loop would have sent
    // one.
    let slow = segment.iteration_duration.percentile(60.0);
    assert!(slow >= Some(Duration::from_millis(300)), "{:?}", segment.iteration_duration);
    assert!(segment.iteration_duration.max() >= Some(Duration::from_millis(1500)));
    // The load generator was on time, so the server is to blame.
    assert!(segment.send_lateness.percentile(50.0) < Some(Duration::from_millis(500)));
    Ok(())
}

#[tokio::test]
async fn arrivals_beyond_the_most_at_a_time_are_dropped_and_counted() -> anyhow::Result<()> {
    let server =
        FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "60000"), ("FAKE_SKY_SHORT_POOL", "8")])?;
    let mut timed = timed("10/s for 2s", "0s");
    timed.graceful_stop = Duration::from_millis(300);
    let outcome = TestRun::of(&server, &[ApiStatus])?.shaped(timed, 3).run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.scheduled, segment.dropped, segment.interrupted), (20, Some(17), 3));
    assert_eq!((outcome.ended, segment.completed()), (Ended::Finished, 0));
    Ok(())
}

#[tokio::test]
async fn iterations_that_outlast_the_graceful_stop_are_interrupted() -> anyhow::Result<()> {
    let server = FakeServer::start(&[ENDLESS])?;
    let mut timed = timed("2 for 1s", "0s");
    timed.graceful_stop = Duration::from_millis(500);
    let outcome = TestRun::of(&server, &[ApiStatus])?.shaped(timed, 2).run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, segment.interrupted), (Ended::Finished, 2));
    // They say nothing about the server: neither a failure nor a latency.
    assert_eq!((counts(segment), segment.iteration_duration.count()), ((0, 0, 0), 0));
    Ok(())
}

#[tokio::test]
async fn iterations_of_the_warm_up_are_a_segment_of_their_own() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let mut timed = timed("10/s for 1s, 10/s for 1s", "0s");
    timed.warm_up = Duration::from_secs(1);
    let outcome = TestRun::of(&server, &[ApiValidate])?.shaped(timed, 500).run().await?;
    assert_eq!(kinds_of_segments(&outcome), [SegmentKind::WarmUp, stage(1, "10/s for 1s")]);
    assert_eq!(outcome.segments.iter().map(succeeded).collect::<Vec<_>>(), [10, 10]);
    Ok(())
}

#[tokio::test]
async fn loops_of_sky_processes_are_judged_by_their_requests() -> anyhow::Result<()> {
    use skyload::scenario::ScenarioId::CliStatus;
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[CliStatus])?.shaped(timed("1 for 1s, 1 for 1s", "100ms"), 1);
    let outcome = test.run().await?;
    assert_eq!(kinds_of_segments(&outcome), [stage(1, "1 for 1s"), stage(2, "1 for 1s")]);
    // This server has no jobs controller, which is an expected error.
    let has_passed = |segment: &SegmentOutcome| segment.failed == 0 && segment.completed() >= 1;
    assert!(outcome.segments.iter().all(has_passed), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_that_the_ramp_delays_goes_on_for_as_long_as_the_others() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let test = TestRun::of(&server, &[ApiValidate])?.shaped(timed("2 for 1s", "200ms"), 2);
    // Longer than the time itself.
    let test = test.with_plan(|plan| plan.ramp = Duration::from_secs(4));
    assert_eq!(test.plan().start_offsets(ApiValidate, 0), [0, 2].map(Duration::from_secs));
    let outcome = test.run().await?;
    assert_eq!(outcome.ended, Ended::Finished);
    // With the first user alone, it would be 5 at most.
    let iterations = succeeded(&outcome.segments[0]);
    assert!((6..=10).contains(&iterations), "{iterations}");
    // Of all that time is the throughput. The last pause would outlast it, so it may be cut off.
    let took = outcome.segments[0].ended.since(outcome.segments[0].began);
    let whole = Duration::from_millis(2_800)..=Duration::from_secs(3);
    assert!(whole.contains(&took), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_that_is_busy_when_it_is_needed_again_is_not_late() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "2500")])?;
    let timed = timed("1 for 1s, 0 for 500ms, 1 for 2s", "0s");
    let outcome = TestRun::of(&server, &[ApiStatus])?.shaped(timed, 1).run().await?;
    let last = outcome.segments.last().expect("there are stages");
    assert_eq!(succeeded(last), 1, "{outcome:#?}");
    // From 1.5 s, when its window begins, it would be more than 3.5 s.
    assert!(last.iteration_duration.max() < Some(Duration::from_millis(3400)), "{last:?}");
    assert!(last.send_lateness.max() < Some(Duration::from_millis(900)), "{last:?}");
    Ok(())
}

#[tokio::test]
async fn a_stage_lasts_as_long_as_planned_whenever_its_last_iteration_ends() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1500")])?;
    let outcome =
        TestRun::of(&server, &[ApiStatus])?.shaped(timed("2 for 1s", "0s"), 2).run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(succeeded(segment), 2);
    assert_eq!(segment.ended.since(segment.began), Duration::from_secs(1));
    Ok(())
}

#[tokio::test]
async fn arrivals_alternate_between_infras_however_fast_they_end() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "aws,gcp")])?;
    let test = TestRun::of(&server, &[ApiShowGpus])?.on(&["aws", "gcp"]);
    let outcome = test.shaped(timed("6/s for 1s", "0s"), 6).run().await?;
    let segment = &outcome.segments[0];
    assert_eq!(succeeded(segment), 6);
    let on = |infra: &str| segment.steps[&format!("health @{infra}")].count();
    assert_eq!((on("aws"), on("gcp")), (3, 3));
    Ok(())
}
