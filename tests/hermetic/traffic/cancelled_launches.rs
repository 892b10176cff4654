//! Launches that are cancelled, probe launches, and executors that hang after a cancellation.

use std::time::Duration;

use fake_sky::{FakeServer, http};
use serde_json::json;
use skyload::analysis::{ScenarioState, state};
use skyload::plan::{Cancellations, ServerTarget};
use skyload::record::outcome::{
    LimitedSince, RequestExecutor, RequestRecord, ScenarioOutcome, SuspectedWedge,
};
use skyload::record::write_json;
use skyload::resources::TeardownMode;
use skyload::scenario::ScenarioId::ApiLaunchCancel;
use skyload::shape::{LoadShape, Model, StageList, Timed};

use super::TestRun;
use super::launching::{LIMIT, server, set_up_test, tear_down};
use super::sequence::calls;
use super::test_run::{counts, kinds};

/// Run of so many users and iterations each. One of `probe_every` launches is a probe.
fn launches(
    server: &FakeServer,
    (users, iterations): (u32, u32),
    cancel_after: &str,
    probe_every: u32,
) -> anyhow::Result<TestRun> {
    let cancellations = Cancellations {
        cancel_after: cancel_after.parse()?,
        probe_every,
        stuck_after: Duration::from_secs(20),
    };
    let test = TestRun::of(server, &[ApiLaunchCancel])?.on(&["aws"]).users(users, users);
    Ok(test.iterations(iterations).with_plan(|plan| {
        plan.scenarios[0].cancellations = Some(cancellations);
    }))
}

/// Changes the time after which a request is stuck.
fn stuck_after(test: TestRun, time: Duration) -> TestRun {
    test.with_plan(|plan| {
        let cancellations = plan.scenarios[0].cancellations.as_mut().expect("there are some");
        cancellations.stuck_after = time;
    })
}

/// Number of times that a step was recorded.
fn count(outcome: &ScenarioOutcome, step: &str) -> u64 {
    let steps = outcome.segments.iter().filter_map(|segment| segment.steps.get(step));
    steps.map(|durations| durations.count()).sum()
}

fn suspects(outcome: &ScenarioOutcome) -> Vec<&SuspectedWedge> {
    outcome.segments.iter().flat_map(|segment| &segment.suspected_wedges).collect()
}

#[tokio::test]
async fn launches_are_cancelled_probes_finish_and_nothing_is_left() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "1500"), ("FAKE_SKY_BURST", "8")])?;
    let test = launches(&server, (3, 2), "0s..200ms", 3)?.write()?;
    let test = set_up_test(&server, test).await?;
    let outcome = test.drive(ApiLaunchCancel).await?;
    for segment in &outcome.segments {
        assert_eq!((counts(segment), kinds(segment)), ((3, 0, 0), vec![]), "{:?}", segment.tally);
    }
    assert_eq!(state(&outcome, test.plan()), ScenarioState::Succeeded);
    assert_eq!((count(&outcome, "launch"), count(&outcome, "cancel")), (2, 4));
    assert_eq!(count(&outcome, "launch/submit"), 6);
    assert_eq!(count(&outcome, "down") + count(&outcome, "down/no-cluster"), 6);
    let of_probes = &outcome.segments[0].steps["launch"];
    assert!(of_probes.min() >= Some(Duration::from_millis(1500)), "no cancelled one is in it");
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.steps.is_empty(), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn a_launch_that_ends_before_its_cancellation_is_a_step_of_its_own() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "10")])?;
    let outcome = launches(&server, (1, 2), "2s", 2)?.run().await?;
    assert_eq!((count(&outcome, "launch"), count(&outcome, "cancel")), (1, 0));
    assert_eq!(count(&outcome, "launch/ended-before-cancel"), 1);
    assert_eq!(count(&outcome, "down"), 2);
    assert!(outcome.segments.iter().all(|segment| segment.succeeded == 1), "{outcome:#?}");
    Ok(())
}

#[tokio::test]
async fn a_launch_that_fails_before_its_cancellation_has_failed() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "10"), ("FAKE_SKY_FAIL", "sky.launch:1")])?;
    let outcome = launches(&server, (1, 1), "2s", 2)?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), kinds(segment)), ((0, 0, 1), vec![(Some(500), "ValueError", 1)]));
    Ok(())
}

#[tokio::test]
async fn a_launch_that_is_cancelled_in_the_queue_leaves_no_cluster() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "600000")])?;
    // There are two long executors.
    for cluster in ["a", "b"] {
        let body = json!({"task": "run: echo hello", "cluster_name": cluster});
        http::post(&format!("{}/launch", server.url()), &body)?.request_id()?;
    }
    let outcome = launches(&server, (1, 1), "500ms", 2)?.run().await?;
    assert_eq!((outcome.segments[0].succeeded, suspects(&outcome).len()), (1, 0), "{outcome:#?}");
    assert_eq!((count(&outcome, "down"), count(&outcome, "down/no-cluster")), (0, 1));
    Ok(())
}

/// Load in which the probe launch gets an executor that a cancellation has wedged.
fn wedged(server: &FakeServer) -> anyhow::Result<TestRun> {
    let test = launches(server, (1, 2), "500ms", 2)?;
    Ok(stuck_after(test, Duration::from_secs(4)))
}

const WEDGING: [(&str, &str); 2] = [("FAKE_SKY_LAUNCH_MS", "1500"), ("FAKE_SKY_WEDGE", "1")];

#[tokio::test]
async fn a_probe_in_a_wedged_executor_is_a_suspect_with_what_was_cancelled_there()
-> anyhow::Result<()> {
    let server = server(&WEDGING)?;
    let test = set_up_test(&server, wedged(&server)?.write()?).await?;
    let outcome = test.drive(ApiLaunchCancel).await?;
    let [first, second] = &outcome.segments[..] else { panic!("two iterations") };
    assert_eq!(counts(first), (1, 0, 0), "{:?}", first.tally);
    assert_eq!((counts(second), kinds(second)), ((0, 0, 1), vec![(None, "suspected-wedge", 1)]));
    let [wedge] = suspects(&outcome)[..] else { panic!("one suspect: {outcome:#?}") };
    assert_eq!((wedge.name.as_str(), wedge.user), ("sky.launch", 0));
    assert_eq!(wedge.record, RequestRecord::Listed { status: "RUNNING".to_owned() });
    assert_eq!((wedge.limit, wedge.since), (Duration::from_secs(4), LimitedSince::Submission));
    let RequestExecutor::Process(executor) = wedge.executor else { panic!("{wedge}") };
    let [cancelled] = &wedge.cancelled_before[..] else { panic!("{wedge}") };
    assert!(cancelled.ran_in(executor) && cancelled.request_id != wedge.request_id, "{wedge:?}");
    assert!(wedge.to_string().contains("1 request was cancelled there before: "), "{wedge}");
    // The suspect is left as it is, to be examined.
    assert!(executor.is_alive());
    let log = server.log();
    let downs = calls(&log).iter().filter(|call| **call == "POST /down").count();
    assert_eq!(downs, 1, "of the launch before");
    // An error rate that is allowed does not excuse a wedge.
    let mut plan = test.plan().clone();
    plan.thresholds.push("api:launch_cancel error-rate < 100%".parse()?);
    assert_eq!(state(&outcome, &plan), ScenarioState::Failed);
    // The teardown cancels the request, and removes its cluster.
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert!(log.steps.iter().any(|step| step.what.starts_with("request ")), "{log:?}");
    Ok(())
}

#[tokio::test]
async fn the_executor_of_a_remote_server_is_unknown_and_all_cancelled_requests_are_named()
-> anyhow::Result<()> {
    let server = server(&WEDGING)?;
    let url = server.url().parse()?;
    let test = wedged(&server)?.with_plan(|plan| plan.server = ServerTarget::Remote(url));
    let outcome = test.run().await?;
    let [wedge] = suspects(&outcome)[..] else { panic!("one suspect: {outcome:#?}") };
    assert_eq!((wedge.executor, wedge.cancelled_before.len()), (RequestExecutor::Unknown, 1));
    let cancelled = &wedge.cancelled_before[0];
    // The pid is in the record of the request that has ended.
    assert!(cancelled.pid.is_some() && cancelled.started.is_none(), "{cancelled:?}");
    Ok(())
}

#[tokio::test]
async fn a_launch_that_no_executor_takes_is_a_suspect_in_no_executor() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "600000")])?;
    for cluster in ["a", "b"] {
        let body = json!({"task": "run: echo hello", "cluster_name": cluster});
        http::post(&format!("{}/launch", server.url()), &body)?.request_id()?;
    }
    let test = launches(&server, (2, 1), "10s", 2)?;
    // User 1 has the probe.
    let outcome = stuck_after(test, Duration::from_secs(3)).run().await?;
    let [wedge] = suspects(&outcome)[..] else { panic!("one suspect: {outcome:#?}") };
    assert_eq!((wedge.user, wedge.executor), (1, RequestExecutor::NoProcess));
    assert!(wedge.to_string().contains("PENDING, in no executor; no request was"), "{wedge}");
    Ok(())
}

/// Numbers of launches that were cancelled in time, and too late, of 20 arrivals in a second.
async fn drawn(launch_ms: &str, seed: u64) -> anyhow::Result<(u64, u64)> {
    let server = server(&[("FAKE_SKY_LAUNCH_MS", launch_ms), ("FAKE_SKY_BURST", "30")])?;
    let StageList::Rates(stages) = "20/s for 1s".parse()? else { anyhow::bail!("a rate") };
    let shape = LoadShape::Timed(Timed {
        model: Model::Arrivals { stages },
        warm_up: Duration::ZERO,
        graceful_stop: Duration::from_secs(60),
    });
    let test = launches(&server, (50, 1), "0s 10s", 5)?.with_plan(|plan| {
        plan.seed = seed;
        plan.scenarios[0].shape = shape;
    });
    let outcome = test.run().await?;
    assert_eq!(count(&outcome, "launch"), 4, "each fifth is a probe");
    Ok((count(&outcome, "cancel"), count(&outcome, "launch/ended-before-cancel")))
}

#[tokio::test]
async fn two_runs_with_one_seed_cancel_after_the_same_delays() -> anyhow::Result<()> {
    // A launch takes longer than no delay, and less than 10 s.
    let (first, same, other) = tokio::join!(drawn("2500", 7), drawn("3500", 7), drawn("2500", 8));
    let (first, same, other) = (first?, same?, other?);
    assert_eq!(first.0 + first.1, 16, "{first:?}");
    assert_eq!(first, same);
    assert_ne!(first, other);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_the_server_repeats_is_in_no_suspect() -> anyhow::Result<()> {
    let server = server(&WEDGING)?;
    let test = wedged(&server)?.write()?;
    let mut outcome = test.drive(ApiLaunchCancel).await?;
    let credentials = skyload::credentials::Credentials::Token("RUNNING".to_owned());
    outcome.hide(&credentials);
    write_json(&test.dir.outcome(ApiLaunchCancel), &outcome)?;
    let text = std::fs::read_to_string(test.dir.outcome(ApiLaunchCancel))?;
    assert!(text.contains("suspected-wedges") && !text.contains("RUNNING"), "{text}");
    Ok(())
}
