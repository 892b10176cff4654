//! Retries of SkyPilot's SDK: an iteration fails where the SDK would have raised an error, and
//! every retry is counted.

use std::sync::{Arc, Mutex, PoisonError};

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::plan::ServerTarget;
use skyload::record::outcome::SegmentOutcome;
use skyload::scenario::ScenarioId::{self, ApiLaunchDryrun, ApiStatus, ApiTailLogs};

use super::TestRun;
use super::script::Reaction::{self, CutAfter, CutOff, HangUp, Respond};
use super::script::{HEALTHY, serve};
use super::test_run::{counts, kinds};

const DONE: Reaction = Respond(200, r#"{"status":"SUCCEEDED","return_value":"[]"}"#);
const BUSY: Reaction = Respond(503, r#"{"detail":"The server has exhausted its workers."}"#);
const INTERNAL_ERROR: Reaction = Respond(500, r#"{"detail":"Internal Server Error"}"#);
const INTERRUPTED: Reaction = Respond(
    500,
    r#"{"detail":{"status":"FAILED","error":"{\"type\":\"RequestInterruptedError\",\"message\":\"m\"}"}}"#,
);
/// Stream of a server that restarts, with SkyPilot's control message for it.
const RESTARTING: Reaction = Respond(200, "<sky-payload>\"<retry></retry>\"</sky-payload>\n");
const HEARTBEAT: Reaction = CutAfter("<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n");
const LINE: Reaction = CutAfter("the same line\n");

/// Segment of one user, and all calls that the server received. The server serves all calls,
/// except for those of `path`: it reacts to these in the order of `reactions`, and repeats the
/// last reaction.
async fn run_with_reactions(
    id: ScenarioId,
    version: &str,
    path: &'static str,
    reactions: &'static [Reaction],
    remote: bool,
) -> anyhow::Result<(SegmentOutcome, Vec<String>)> {
    let server = FakeServer::start(&[])?;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let url = serve(move |called, count| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(called.to_owned());
        match called {
            called if called == path => {
                let index = usize::try_from(count).unwrap_or(usize::MAX) - 1;
                reactions[index.min(reactions.len() - 1)]
            }
            "/api/health" => HEALTHY,
            "/validate" => Respond(200, "null"),
            _ => DONE,
        }
    });
    let url: url::Url = url.await?.parse()?;
    let outcome = TestRun::of(&server, &[id])?
        .users(1, 1)
        .with_plan(|plan| {
            if remote {
                plan.server = ServerTarget::Remote(url.clone());
            }
        })
        .with_environment(|environment| {
            environment.client.endpoint = url.clone();
            version.clone_into(&mut environment.server.version);
        })
        .run()
        .await?;
    let segment = outcome.segments.into_iter().next().expect("there is a segment");
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((segment, calls))
}

#[rstest]
#[case::health_with_503(ApiStatus, "/api/health", &[BUSY, HEALTHY], 1)]
#[case::validation_with_503(ApiLaunchDryrun, "/validate", &[BUSY, Respond(200, "null")], 1)]
#[case::launch_with_503(ApiLaunchDryrun, "/launch", &[BUSY, DONE], 1)]
#[case::log_cut_off(ApiStatus, "/api/stream", &[CutOff, DONE], 1)]
#[case::log_cut_off_twice(ApiStatus, "/api/stream", &[CutOff, HangUp, DONE], 2)]
#[case::result_cut_off(ApiStatus, "/api/get", &[CutOff, DONE], 1)]
#[case::result_that_is_not_json(ApiStatus, "/api/get", &[Respond(200, "<html>"), DONE], 1)]
#[case::log_of_a_restarting_server(ApiStatus, "/api/stream", &[RESTARTING, DONE], 1)]
#[case::request_of_a_restarting_server(ApiStatus, "/api/get", &[INTERRUPTED, DONE], 1)]
#[case::unreadable_log(ApiStatus, "/api/stream", &[INTERNAL_ERROR], 0)]
#[case::log_with_progress_in_each_attempt(
    ApiStatus, "/api/stream", &[LINE, LINE, LINE, LINE, HEARTBEAT, HEARTBEAT, DONE], 6
)]
#[tokio::test]
async fn errors_that_the_sdk_retries_are_no_failures_and_counted(
    #[case] id: ScenarioId,
    #[case] path: &'static str,
    #[case] reactions: &'static [Reaction],
    #[case] retries: u64,
) -> anyhow::Result<()> {
    let (segment, calls) = run_with_reactions(id, "0.14.1", path, reactions, true).await?;
    assert_eq!(
        (counts(&segment), segment.retries),
        ((1, 0, 0), retries),
        "{:?} {calls:?}",
        segment.tally
    );
    let sent = calls.iter().filter(|called| *called == path).count();
    assert_eq!(sent, if path == "/api/get" || retries > 0 { reactions.len() } else { 1 });
    Ok(())
}

#[rstest]
#[case::submission_with_a_lost_connection("0.14.1", "/status", &[HangUp, DONE], 0)]
#[case::submission_with_500("0.14.1", "/status", &[INTERNAL_ERROR, DONE], 0)]
#[case::log_with_503("0.14.1", "/api/stream", &[BUSY, DONE], 0)]
#[case::result_with_503("0.14.1", "/api/get", &[BUSY, DONE], 0)]
#[case::remote_health_with_a_lost_connection("0.14.1", "/api/health", &[HangUp, HEALTHY], 0)]
#[case::log_cut_off_three_times("0.14.1", "/api/stream", &[CutOff, CutOff, CutOff, DONE], 2)]
#[case::request_interrupted_each_time("0.14.1", "/api/get", &[INTERRUPTED], 2)]
// Before 0.13 only new lines count as progress: here, the line of the first attempt.
#[case::repeated_log_in_old_releases(
    "0.12.0", "/api/stream", &[LINE, LINE, LINE, LINE, DONE], 3
)]
#[tokio::test]
async fn errors_that_the_sdk_does_not_retry_are_failures(
    #[case] version: &str,
    #[case] path: &'static str,
    #[case] reactions: &'static [Reaction],
    #[case] retries: u64,
) -> anyhow::Result<()> {
    let (segment, calls) = run_with_reactions(ApiStatus, version, path, reactions, true).await?;
    assert_eq!(
        (counts(&segment), segment.retries),
        ((0, 0, 1), retries),
        "{:?} {calls:?}",
        segment.tally
    );
    Ok(())
}

#[tokio::test]
async fn health_of_a_server_on_this_machine_is_checked_twice() -> anyhow::Result<()> {
    // The SDK would start a server if there is none, and checks again before that.
    let (segment, _) =
        run_with_reactions(ApiStatus, "0.14.1", "/api/health", &[HangUp, HEALTHY], false).await?;
    assert_eq!((counts(&segment), segment.retries), ((1, 0, 0), 1), "{:?}", segment.tally);
    Ok(())
}

#[tokio::test]
async fn the_duration_of_a_step_includes_all_attempts_and_pauses() -> anyhow::Result<()> {
    let (segment, _) =
        run_with_reactions(ApiStatus, "0.14.1", "/api/stream", &[CutOff, DONE], true).await?;
    let streamed = &segment.steps["status/stream"];
    // The pause is 1 s, plus or minus 40 %.
    let at_least = std::time::Duration::from_millis(599);
    assert_eq!(streamed.count(), 1);
    assert!(streamed.min() >= Some(at_least), "{:?}", streamed.min());
    Ok(())
}

#[rstest]
#[case::cut_off("FAKE_SKY_CUT", "/logs:1!")]
#[case::with_a_lost_connection("FAKE_SKY_RESET", "/logs:1!")]
#[case::with_a_lost_connection_at_the_exit_code("FAKE_SKY_RESET", "/api/get:3!")]
#[tokio::test]
async fn the_output_of_a_job_is_read_again_after_an_error(
    #[case] setting: &str,
    #[case] value: &str,
) -> anyhow::Result<()> {
    let server = super::launching::server(&[(setting, value)])?;
    let segment = super::launching::first_segment(&server, ApiTailLogs).await?;
    assert_eq!((counts(&segment), kinds(&segment)), ((3, 0, 0), vec![]), "{:?}", segment.tally);
    assert_eq!(segment.retries, 1);
    Ok(())
}

#[rstest]
#[case::with_503("FAKE_SKY_UNAVAILABLE", "/api/status:1!")]
#[case::with_a_lost_connection("FAKE_SKY_RESET", "/api/status:1!")]
#[tokio::test]
async fn a_request_of_skyload_itself_that_fails_once_is_no_users_failure(
    #[case] setting: &str,
    #[case] value: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[(setting, value)])?;
    let outcome = TestRun::of(&server, &[ScenarioId::CliStatus])?.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.failed, segment.retries), (0, 0), "{:?}", segment.tally);
    Ok(())
}

#[tokio::test]
async fn a_shared_resource_is_set_up_although_one_call_gets_503() -> anyhow::Result<()> {
    let server = super::launching::server(&[("FAKE_SKY_UNAVAILABLE", "/launch:1!")])?;
    let segment = super::launching::first_segment(&server, ApiTailLogs).await?;
    assert_eq!(counts(&segment), (3, 0, 0), "{:?}", segment.tally);
    Ok(())
}
