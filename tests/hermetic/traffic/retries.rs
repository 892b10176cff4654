//! What SkyPilot's SDK sends again, and what it doesn't: an iteration fails where its user would
//! have seen an error, and every further try is counted.

use std::sync::{Arc, Mutex, PoisonError};

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::plan::ServerTarget;
use skyload::record::outcome::SegmentOutcome;
use skyload::scenario::ScenarioId::{self, ApiLaunchDryrun, ApiStatus, ApiTailLogs};

use super::Scene;
use super::scene::{counts, kinds};
use super::script::Reaction::{self, Answer, CutAfter, CutOff, HangUp};
use super::script::{HEALTHY, serve};

const DONE: Reaction = Answer(200, r#"{"status":"SUCCEEDED","return_value":"[]"}"#);
const BUSY: Reaction = Answer(503, r#"{"detail":"The server has exhausted its workers."}"#);
const OOPS: Reaction = Answer(500, r#"{"detail":"Internal Server Error"}"#);
const INTERRUPTED: Reaction = Answer(
    500,
    r#"{"detail":{"status":"FAILED","error":"{\"type\":\"RequestInterruptedError\",\"message\":\"m\"}"}}"#,
);
/// The server restarts, and says so.
const RETRY: Reaction = Answer(200, "<sky-payload>\"<retry></retry>\"</sky-payload>\n");
const HEARTBEAT: Reaction = CutAfter("<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n");
const LINE: Reaction = CutAfter("the same line\n");

/// One user of a scenario upon a server that answers everything, and reacts to the calls of
/// one path in this order, the last of them ever after. Returns the segment, and all calls.
async fn play(
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
            "/validate" => Answer(200, "null"),
            _ => DONE,
        }
    });
    let url: url::Url = url.await?.parse()?;
    let outcome = Scene::of(&server, &[id])?
        .users(1, 1)
        .planned(|plan| {
            if remote {
                plan.server = ServerTarget::Remote(url.clone());
            }
        })
        .found(|environment| {
            environment.client.endpoint = url.clone();
            version.clone_into(&mut environment.server.version);
        })
        .play()
        .await?;
    let segment = outcome.segments.into_iter().next().expect("there is a segment");
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((segment, calls))
}

#[rstest]
#[case::health_that_finds_no_server(ApiStatus, "/api/health", &[BUSY, HEALTHY], 1)]
#[case::a_validation_that_finds_none(ApiLaunchDryrun, "/validate", &[BUSY, Answer(200, "null")], 1)]
#[case::a_launch_that_finds_none(ApiLaunchDryrun, "/launch", &[BUSY, DONE], 1)]
#[case::a_log_that_is_cut_off(ApiStatus, "/api/stream", &[CutOff, DONE], 1)]
#[case::a_log_that_is_cut_off_twice(ApiStatus, "/api/stream", &[CutOff, HangUp, DONE], 2)]
#[case::a_result_that_is_cut_off(ApiStatus, "/api/get", &[CutOff, DONE], 1)]
#[case::a_result_that_is_no_json(ApiStatus, "/api/get", &[Answer(200, "<html>"), DONE], 1)]
#[case::a_log_of_a_server_that_restarts(ApiStatus, "/api/stream", &[RETRY, DONE], 1)]
#[case::a_request_of_a_server_that_restarts(ApiStatus, "/api/get", &[INTERRUPTED, DONE], 1)]
#[case::a_log_that_cannot_be_read(ApiStatus, "/api/stream", &[OOPS], 0)]
#[case::a_log_that_goes_on_each_time(
    ApiStatus, "/api/stream", &[LINE, LINE, LINE, LINE, HEARTBEAT, HEARTBEAT, DONE], 6
)]
#[tokio::test]
async fn what_the_sdk_sends_again_is_no_failure_and_counted(
    #[case] id: ScenarioId,
    #[case] path: &'static str,
    #[case] reactions: &'static [Reaction],
    #[case] retries: u64,
) -> anyhow::Result<()> {
    let (segment, calls) = play(id, "0.14.1", path, reactions, true).await?;
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
#[case::a_submission_whose_connection_breaks("0.14.1", "/status", &[HangUp, DONE], 0)]
#[case::a_submission_that_is_an_error("0.14.1", "/status", &[OOPS, DONE], 0)]
#[case::a_log_that_finds_no_server("0.14.1", "/api/stream", &[BUSY, DONE], 0)]
#[case::a_result_that_finds_no_server("0.14.1", "/api/get", &[BUSY, DONE], 0)]
#[case::health_elsewhere_whose_connection_breaks("0.14.1", "/api/health", &[HangUp, HEALTHY], 0)]
#[case::a_log_that_breaks_three_times("0.14.1", "/api/stream", &[CutOff, CutOff, CutOff, DONE], 2)]
#[case::a_request_that_is_interrupted_for_good("0.14.1", "/api/get", &[INTERRUPTED], 2)]
// Before 0.13 only lines that were new counted as progress: the first one here.
#[case::a_log_that_repeats_itself_in_old_releases(
    "0.12.0", "/api/stream", &[LINE, LINE, LINE, LINE, DONE], 3
)]
#[tokio::test]
async fn what_the_sdk_gives_up_is_a_failure(
    #[case] version: &str,
    #[case] path: &'static str,
    #[case] reactions: &'static [Reaction],
    #[case] retries: u64,
) -> anyhow::Result<()> {
    let (segment, calls) = play(ApiStatus, version, path, reactions, true).await?;
    assert_eq!(
        (counts(&segment), segment.retries),
        ((0, 0, 1), retries),
        "{:?} {calls:?}",
        segment.tally
    );
    Ok(())
}

#[tokio::test]
async fn health_on_this_machine_is_looked_at_twice() -> anyhow::Result<()> {
    // Before it starts a server, the SDK makes sure that there is none.
    let (segment, _) = play(ApiStatus, "0.14.1", "/api/health", &[HangUp, HEALTHY], false).await?;
    assert_eq!((counts(&segment), segment.retries), ((1, 0, 0), 1), "{:?}", segment.tally);
    Ok(())
}

#[tokio::test]
async fn the_time_of_a_step_is_that_of_all_its_tries() -> anyhow::Result<()> {
    let (segment, _) = play(ApiStatus, "0.14.1", "/api/stream", &[CutOff, DONE], true).await?;
    let streamed = &segment.steps["status/stream"];
    // The pause is a second, give or take 40 %.
    let at_least = std::time::Duration::from_millis(599);
    assert_eq!(streamed.count(), 1);
    assert!(streamed.min() >= Some(at_least), "{:?}", streamed.min());
    Ok(())
}

#[rstest]
#[case::that_is_cut_off("FAKE_SKY_CUT", "/logs:1!")]
#[case::whose_connection_breaks("FAKE_SKY_RESET", "/logs:1!")]
#[case::whose_exit_code_is_cut_off("FAKE_SKY_RESET", "/api/get:3!")]
#[tokio::test]
async fn the_output_of_a_job_is_read_again(
    #[case] setting: &str,
    #[case] value: &str,
) -> anyhow::Result<()> {
    let server = super::launching::server(&[(setting, value)])?;
    let segment = super::launching::play(&server, ApiTailLogs).await?;
    assert_eq!((counts(&segment), kinds(&segment)), ((3, 0, 0), vec![]), "{:?}", segment.tally);
    assert_eq!(segment.retries, 1);
    Ok(())
}

#[rstest]
#[case::with_503("FAKE_SKY_UNAVAILABLE", "/api/status:1!")]
#[case::by_a_broken_connection("FAKE_SKY_RESET", "/api/status:1!")]
#[tokio::test]
async fn a_question_of_our_own_that_fails_once_is_no_users_failure(
    #[case] setting: &str,
    #[case] value: &str,
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[(setting, value)])?;
    let outcome = Scene::of(&server, &[ScenarioId::CliStatus])?.play().await?;
    let segment = &outcome.segments[0];
    assert_eq!((segment.failed, segment.retries), (0, 0), "{:?}", segment.tally);
    Ok(())
}

#[tokio::test]
async fn a_shared_resource_is_set_up_though_a_call_finds_no_server_once() -> anyhow::Result<()> {
    let server = super::launching::server(&[("FAKE_SKY_UNAVAILABLE", "/launch:1!")])?;
    let segment = super::launching::play(&server, ApiTailLogs).await?;
    assert_eq!(counts(&segment), (3, 0, 0), "{:?}", segment.tally);
    Ok(())
}
