//! Held connections: from the start of the load to its end, and what is lost of them.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::ids::ProcessIdentity;
use skyload::limits::OpenFiles;
use skyload::metric::{Abort, Threshold};
use skyload::record::outcome::{Ended, ScenarioOutcome, SegmentKind, SegmentOutcome};
use skyload::record::resources::{ResourceLog, ResourceStep, SharedResources, Stage};
use skyload::record::write_json;
use skyload::resources::{self, TeardownMode};
use skyload::scenario::ScenarioId::{
    self, ApiStatus, ApiValidate, HoldJobsLogs, HoldLogs, HoldStream, ProbeHealth,
};
use skyload::scenario::shared_calls::LAUNCH_LONG_MANAGED_JOB;
use skyload::scenario::{IterationNames, Need, SharedNames, job_id};
use skyload::shape::{LoadShape, Model, Pause, StageList, Timed};
use skyload::units::ByteSize;
use skyload::usage::Usage;

use super::TestRun;
use super::launching::{LIMIT, requests, server, set_up_all, set_up_test, tear_down};
use super::test_run::{counts, kinds, wait_until};

impl TestRun {
    /// Changes the time for which connections are held without another load.
    fn held_for(self, stages: &str) -> Self {
        let Ok(StageList::Users(stages)) = stages.parse() else { panic!("stages of users") };
        let model = Model::Users { stages, pause: Pause::default() };
        let (warm_up, graceful_stop) = (Duration::ZERO, Duration::ZERO);
        let shape = LoadShape::Timed(Timed { model, warm_up, graceful_stop });
        self.with_plan(|plan| {
            plan.scenarios.iter_mut().for_each(|planned| planned.shape = shape.clone());
        })
    }
}

/// Outcome of three connections to the log of a request, held for this time.
async fn held(settings: &[(&str, &str)], stages: &str) -> anyhow::Result<ScenarioOutcome> {
    let server = FakeServer::start(settings)?;
    TestRun::of(&server, &[HoldStream])?.held_for(stages).run().await
}

fn only_segment(outcome: &ScenarioOutcome) -> &SegmentOutcome {
    let [segment] = &outcome.segments[..] else { panic!("one segment: {outcome:?}") };
    segment
}

#[rstest]
#[case::output_of_a_job(HoldLogs)]
#[case::output_of_a_managed_job(HoldJobsLogs)]
#[case::log_of_a_request(HoldStream)]
#[tokio::test]
async fn connections_are_held_until_the_other_scenarios_have_ended(
    #[case] id: ScenarioId,
) -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_SERVICE_MS", "1500"), ("FAKE_SKY_DAEMON_LINE_MS", "100")])?;
    let test = set_up_all(&server, &[ApiStatus, id, ProbeHealth]).await?;
    let (status, held, probe) =
        tokio::join!(test.drive(ApiStatus), test.drive(id), test.drive(ProbeHealth));
    let (status, held, probe) = (status?, held?, probe?);
    assert_eq!(held.ended, Ended::Finished);
    let (load, segment) = (&status.segments[0], only_segment(&held));
    assert_eq!((counts(segment), kinds(segment)), ((3, 0, 0), vec![]), "{segment:?}");
    assert_eq!((segment.scheduled, segment.retries, segment.interrupted), (3, 0, 0));
    assert!(segment.ended >= load.ended && probe.segments[0].ended >= segment.ended);
    // Held for the load, which takes 1.5 s at least.
    assert!(segment.iteration_duration.min() >= Some(Duration::from_secs(1)), "{segment:?}");
    let steps: Vec<_> =
        segment.steps.iter().map(|(name, step)| (name.as_str(), step.count())).collect();
    assert_eq!(steps, [("connect", 3), ("first-line", 3), ("gap", 3)]);
    let log = tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert_eq!(log.failed().count(), 0, "a job without end is cancelled: {log:?}");
    Ok(())
}

#[tokio::test]
async fn connections_without_another_load_are_held_for_their_time() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_DAEMON_LINE_MS", "300")])?;
    let test = TestRun::of(&server, &[HoldStream])?.held_for("3 for 2s");
    // The last one connects after 600 ms.
    let test = test.with_plan(|plan| plan.ramp = Duration::from_millis(900));
    let outcome = test.run().await?;
    let segment = only_segment(&outcome);
    assert!(segment.ended.since(segment.began) > Duration::from_millis(2_500), "{segment:?}");
    let kind = SegmentKind::Stage { number: 1, text: "3 for 2s".to_owned() };
    assert_eq!((outcome.ended, &segment.kind), (Ended::Finished, &kind));
    assert_eq!(counts(segment), (3, 0, 0), "{:?}", kinds(segment));
    assert!(segment.iteration_duration.min() >= Some(Duration::from_millis(1_900)));
    // Lines come every 300 ms.
    let gap = segment.steps["gap"].min();
    assert!(
        gap >= Some(Duration::from_millis(250)) && gap < Some(Duration::from_secs(2)),
        "{gap:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_stream_that_ends_is_a_failure_and_its_user_connects_again() -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_DROP_STREAMS_MS", "500"), ("FAKE_SKY_DAEMON_LINE_MS", "100")];
    let outcome = held(&settings, "3 for 4s").await?;
    let segment = only_segment(&outcome);
    assert!(segment.failed >= 3, "{segment:?}");
    assert_eq!(kinds(segment), [(Some(200), "stream-ended", segment.failed)]);
    // The last connection of a user may be open, or not yet opened again.
    assert_eq!(segment.scheduled, segment.retries + 3);
    assert_eq!(segment.scheduled, segment.failed + segment.succeeded + segment.interrupted);
    assert!(segment.retries >= 3, "the pause is 1.4 s at most: {segment:?}");
    assert_eq!(segment.steps["first-line"].count(), segment.completed());
    Ok(())
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure() -> anyhow::Result<()> {
    let outcome = held(&[("FAKE_SKY_CUT", "/api/stream:2!")], "3 for 3s").await?;
    let segment = only_segment(&outcome);
    assert_eq!(kinds(segment), [(None, "connection-lost", 1)]);
    assert_eq!((counts(segment), segment.retries), ((3, 0, 1), 1), "{segment:?}");
    Ok(())
}

#[rstest]
#[case::a_small_limit(Some("2"), 2, 3)]
#[case::skypilots_limit(None, 128, 130)]
#[tokio::test]
async fn connections_beyond_the_servers_limit_fail_with_its_message(
    #[case] setting: Option<&str>,
    #[case] limit: u64,
    #[case] connections: u32,
) -> anyhow::Result<()> {
    let setting = setting.map(|limit| ("FAKE_SKY_LOG_THREADS", limit));
    let settings = Vec::from_iter(setting.into_iter().chain([("FAKE_SKY_SERVICE_MS", "1000")]));
    let server = server(&settings)?;
    let test = TestRun::of(&server, &[ApiStatus, HoldLogs])?.on(&["aws"]).with_plan(|plan| {
        let held = plan.scenarios.iter_mut().find(|planned| planned.id == HoldLogs);
        let held = held.expect("the test plans it");
        (held.users, held.concurrency) = (connections, connections);
    });
    let test = set_up_test(&server, test.write()?).await?;
    let (status, held) = tokio::join!(test.drive(ApiStatus), test.drive(HoldLogs));
    assert_eq!(counts(&status?.segments[0]), (3, 0, 0), "other calls have no such limit");
    let held = held?;
    let segment = only_segment(&held);
    assert_eq!((segment.succeeded, segment.failed > 0), (limit, true), "{segment:?}");
    let [kind] = segment.tally.kinds() else { panic!("one kind: {segment:?}") };
    assert_eq!(kind.example.status, Some(503));
    assert!(kind.example.message.contains("exhausted its concurrent worker limit"), "{kind:?}");
    Ok(())
}

#[tokio::test]
async fn a_connection_without_a_line_is_neither_held_nor_failed() -> anyhow::Result<()> {
    // The managed job is not waited for and never starts, so that it prints nothing.
    let server = server(&[("FAKE_SKY_LAUNCH_MS", "600000")])?;
    let test = TestRun::of(&server, &[ApiValidate, HoldJobsLogs])?.on(&["aws"]).write()?;
    let names = IterationNames {
        shared: SharedNames::new(&test.dir.id(), "aws", 0).into(),
        ..IterationNames::none()
    };
    let submitted = requests(&test, &server)?.ask(&LAUNCH_LONG_MANAGED_JOB, &names).await;
    let id = job_id(&submitted.map_err(anyhow::Error::msg)?);
    let shared =
        SharedResources { infra: "aws".to_owned(), long_managed_job_id: id, ..Default::default() };
    let step = ResourceStep {
        stage: Stage::SetUp,
        need: Some(Need::LongManagedJob),
        what: "a managed job".to_owned(),
        infra: "aws".to_owned(),
        took: Duration::ZERO,
        ended: None,
        failure: None,
    };
    let log = ResourceLog { shared: vec![shared], steps: vec![step], ..ResourceLog::default() };
    write_json(&test.dir.resources(), &log)?;
    let (_, held) = tokio::join!(test.drive(ApiValidate), test.drive(HoldJobsLogs));
    let held = held?;
    let segment = only_segment(&held);
    assert_eq!((counts(segment), segment.interrupted), ((0, 0, 0), 3), "{segment:?}");
    assert_eq!((segment.iteration_duration.count(), segment.steps.len()), (0, 0));
    Ok(())
}

/// Most memory of a held connection. (10,000 of a load took 20 KB each; of 2,000, which share less,
/// 27 KB were measured.)
const MOST_PER_CONNECTION: u64 = 40 << 10;

/// Peak of this process before and after it has held so many connections at a time.
async fn peaks_of(connections: u32) -> anyhow::Result<[ByteSize; 2]> {
    let server = FakeServer::start(&[("FAKE_SKY_DAEMON_LINE_MS", "600000")])?;
    let test = TestRun::of(&server, &[HoldStream, ApiValidate])?;
    // As in a load: what only the start of a connection takes is then not needed by all at a time.
    let test = test.with_plan(|plan| plan.ramp = Duration::from_secs(4));
    let test = test.users(connections, connections).write()?;
    // The load goes on until there is an outcome of this scenario.
    let arrival = test.dir.barrier().join("0-api-validate.json");
    write_json(&arrival, &ProcessIdentity::current())?;
    let before = Usage::own().peak;
    let end_of_load = async {
        let all = usize::try_from(connections)?;
        wait_until(|| server.log().matches("GET /api/stream").count() >= all).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        anyhow::Ok(write_json(&test.dir.outcome(ApiValidate), &())?)
    };
    let (held, ended) = tokio::join!(test.drive(HoldStream), end_of_load);
    ended?;
    let held = held?;
    let segment = only_segment(&held);
    assert_eq!(
        (segment.scheduled, segment.failed),
        (connections.into(), 0),
        "{:?}",
        kinds(segment)
    );
    Ok([before, held.cost.own_peak])
}

#[tokio::test]
async fn thousands_of_connections_are_held_in_little_memory() -> anyhow::Result<()> {
    // Both ends of a connection are on this machine.
    let files = OpenFiles::here().map_or(1_024, |limit| limit.hard);
    let connections = u32::try_from(files / 2).unwrap_or(u32::MAX).min(2_000);
    // What any load takes.
    peaks_of(1).await?;
    let [before, peak] = peaks_of(connections).await?;
    let each = peak.as_u64().saturating_sub(before.as_u64()) / u64::from(connections);
    assert!(each < MOST_PER_CONNECTION, "{each} bytes");
    Ok(())
}

#[tokio::test]
async fn a_long_job_is_submitted_only_to_a_cluster_that_is_up() -> anyhow::Result<()> {
    let server = server(&[("FAKE_SKY_INFRA_FAIL", "sky.launch:1")])?;
    let test = TestRun::of(&server, &[HoldLogs])?.on(&["aws"]).held_for("3 for 1s").write()?;
    let requests = requests(&test, &server)?;
    let log = resources::set_up(&requests, &test.dir.id(), test.plan(), None, LIMIT).await;
    let failed: Vec<_> =
        log.failed().map(|(step, failure)| (step.what.as_str(), failure)).collect();
    let [(cluster, first), (job, second)] = &failed[..] else { panic!("two steps: {log:?}") };
    assert_eq!(*cluster, "a cluster (skyload-run-cluster)");
    assert_eq!(*job, "a long job (skyload-run-cluster)");
    assert_eq!(first, second);
    write_json(&test.dir.resources(), &log)?;
    let segment = test.drive(HoldLogs).await?.segments.remove(0);
    assert_eq!(kinds(&segment), [(Some(500), "ResourcesUnavailableError", 3)]);
    Ok(())
}

#[rstest]
#[case::time_to_connect("hold:stream step connect max < 1us", true)]
#[case::silence_that_goes_on("hold:stream step gap max < 500ms", true)]
#[case::met("hold:stream step connect max < 1h", false)]
#[tokio::test]
async fn a_threshold_with_abort_is_checked_while_connections_are_open(
    #[case] threshold: &str,
    #[case] is_breached: bool,
) -> anyhow::Result<()> {
    // One line at the beginning, and then none until the end.
    let server = FakeServer::start(&[("FAKE_SKY_DAEMON_LINE_MS", "60000")])?;
    let test = TestRun::of(&server, &[HoldStream])?.held_for("3 for 4s").with_plan(|plan| {
        let abort = Some(Abort { after: Duration::from_secs(1) });
        let threshold: Threshold = threshold.parse().expect("a threshold");
        plan.thresholds.push(Threshold { abort, ..threshold });
    });
    let test = test.write()?;
    let outcome = test.drive(HoldStream).await?;
    assert_eq!(only_segment(&outcome).scheduled, 3, "no connection had ended before");
    assert_eq!(test.dir.breach().exists(), is_breached);
    Ok(())
}
