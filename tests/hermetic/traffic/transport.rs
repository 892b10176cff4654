//! What goes wrong between client and server, before there is an answer: it is
//! counted by its kind, and the step in which it went wrong keeps its time.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::record::outcome::{Ended, ScenarioOutcome};
use skyload::scenario::ScenarioId::{self, ApiLaunchDryrun, ApiStatus};

use super::Scene;
use super::scene::{counts, kinds};
use super::script::Reaction::{Answer, CutOff, HangUp, Silence};
use super::script::{HEALTHY, Reaction, serve};

const DONE: Reaction = Answer(200, r#"{"status":"SUCCEEDED","return_value":"[]"}"#);
const BUSY: Reaction = Answer(503, r#"{"detail":"The server has exhausted its workers."}"#);

/// Three users of a scenario upon a server that is healthy, answers everything,
/// and reacts to one path otherwise.
async fn play_with(
    id: ScenarioId,
    path: &'static str,
    mut react: impl FnMut(u32) -> Reaction + Send + 'static,
) -> anyhow::Result<ScenarioOutcome> {
    let server = FakeServer::start(&[])?;
    let url = serve(move |called, count| match called {
        called if called == path => react(count),
        "/api/health" => HEALTHY,
        "/validate" => Answer(200, "null"),
        _ => DONE,
    });
    let url = url.await?.parse()?;
    let scene = Scene::of(&server, &[id])?;
    scene.found(|environment| environment.client.endpoint = url).play().await
}

#[rstest]
#[case::a_connection_that_breaks_at_once(
    ApiStatus,
    "/status",
    HangUp,
    "status/submit",
    "connection-lost"
)]
#[case::a_log_that_breaks_off(ApiStatus, "/api/stream", CutOff, "status/stream", "connection-lost")]
#[case::a_result_that_breaks_off(ApiStatus, "/api/get", CutOff, "status/get", "connection-lost")]
#[case::a_launch_that_is_not_accepted_in_time(
    ApiLaunchDryrun,
    "/launch",
    Silence,
    "launch_dryrun/submit",
    "timeout"
)]
#[case::a_validation_that_breaks_off(
    ApiLaunchDryrun,
    "/validate",
    CutOff,
    "validate",
    "connection-lost"
)]
#[tokio::test]
async fn a_broken_step_fails_the_iteration_and_is_its_last(
    #[case] id: ScenarioId,
    #[case] path: &'static str,
    #[case] reaction: Reaction,
    #[case] step: &str,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let outcome = play_with(id, path, move |_| reaction).await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, error_type, 3)]);
    assert_eq!((segment.iteration_duration.count(), segment.steps[step].count()), (3, 3));
    let sent_after = |later: &&String| later.ends_with("/get") && *later != step;
    assert_eq!(segment.steps.keys().find(sent_after), None);
    Ok(())
}

#[tokio::test]
async fn a_server_that_misses_the_sdks_limits_is_not_there_to_its_user() -> anyhow::Result<()> {
    let outcome = play_with(ApiStatus, "/api/health", |_| Silence).await?;
    let segment = &outcome.segments[0];
    assert_eq!(kinds(segment), [(None, "timeout", 3)]);
    let message = &segment.tally.kinds()[0].example.message;
    assert!(message.ends_with("(tried 3x)"), "{message}");
    // Nothing but health was asked for, and the whole of it counts.
    assert_eq!(segment.steps.keys().collect::<Vec<_>>(), ["health"]);
    assert!(
        segment.iteration_duration.min() >= Some(Duration::from_millis(7_499)),
        "{:?}",
        segment.iteration_duration.min()
    );
    Ok(())
}

#[tokio::test]
async fn a_health_that_comes_at_the_second_try_is_no_failure() -> anyhow::Result<()> {
    let react = |count| if count == 1 { HangUp } else { HEALTHY };
    let outcome = play_with(ApiStatus, "/api/health", react).await?;
    assert_eq!(counts(&outcome.segments[0]), (3, 0, 0), "{:?}", outcome.segments[0].tally);
    Ok(())
}

#[tokio::test]
async fn a_request_that_finds_no_worker_is_sent_again_and_its_wait_counts() -> anyhow::Result<()> {
    // The first call of each of the three users.
    let react = |count| if count <= 3 { BUSY } else { DONE };
    let outcome = play_with(ApiStatus, "/status", react).await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.retries), ((3, 0, 0), 3));
    let submitted = &segment.steps["status/submit"];
    // The pause is five seconds, give or take 40 %.
    assert!(submitted.min() >= Some(Duration::from_millis(2_999)), "{:?}", submitted.min());
    Ok(())
}

#[rstest]
#[case::of_no_id(
    Answer(404, r#"{"detail":"Request '7' not found"}"#),
    Some(404),
    "error without a type"
)]
#[case::that_is_no_request(Answer(200, "[]"), Some(200), "unexpected-response")]
#[case::whose_value_is_no_json(
    Answer(200, r#"{"status":"SUCCEEDED","return_value":"b'..'"}"#),
    Some(200),
    "unexpected-response"
)]
#[tokio::test]
async fn a_result_is_a_failure(
    #[case] reaction: Reaction,
    #[case] status: Option<u16>,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let outcome = play_with(ApiStatus, "/api/get", move |_| reaction).await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(status, error_type, 3)]);
    Ok(())
}
