//! Errors between client and server. They are counted by kind, and the latency of a failed
//! step is recorded.

use std::time::Duration;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::record::outcome::{Ended, ScenarioOutcome};
use skyload::scenario::ScenarioId::{self, ApiLaunchDryrun, ApiStatus};

use super::TestRun;
use super::script::Reaction::{CutOff, HangUp, Respond, Silence};
use super::script::{HEALTHY, Reaction, serve};
use super::test_run::{counts, kinds};

const DONE: Reaction = Respond(200, r#"{"status":"SUCCEEDED","return_value":"[]"}"#);
const BUSY: Reaction = Respond(503, r#"{"detail":"The server has exhausted its workers."}"#);

/// Outcome of three users against a server that serves all calls, except for those of `path`,
/// to which `react` returns the reaction.
async fn run_with_reaction(
    id: ScenarioId,
    path: &'static str,
    mut react: impl FnMut(u32) -> Reaction + Send + 'static,
) -> anyhow::Result<ScenarioOutcome> {
    let server = FakeServer::start(&[])?;
    let url = serve(move |called, count| match called {
        called if called == path => react(count),
        "/api/health" => HEALTHY,
        "/validate" => Respond(200, "null"),
        _ => DONE,
    });
    let url = url.await?.parse()?;
    let test = TestRun::of(&server, &[id])?;
    test.with_environment(|environment| environment.client.endpoint = url).run().await
}

#[rstest]
#[case::submission_with_a_closed_connection(
    ApiStatus,
    "/status",
    HangUp,
    "status/submit",
    "connection-lost"
)]
#[case::log_cut_off(ApiStatus, "/api/stream", CutOff, "status/stream", "connection-lost")]
#[case::result_cut_off(ApiStatus, "/api/get", CutOff, "status/get", "connection-lost")]
#[case::launch_without_a_response(
    ApiLaunchDryrun,
    "/launch",
    Silence,
    "launch_dryrun/submit",
    "timeout"
)]
#[case::validation_cut_off(ApiLaunchDryrun, "/validate", CutOff, "validate", "connection-lost")]
#[tokio::test]
async fn a_step_with_a_transport_error_fails_the_iteration_and_is_its_last(
    #[case] id: ScenarioId,
    #[case] path: &'static str,
    #[case] reaction: Reaction,
    #[case] step: &str,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let outcome = run_with_reaction(id, path, move |_| reaction).await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 3)));
    assert_eq!(kinds(segment), [(None, error_type, 3)]);
    assert_eq!((segment.iteration_duration.count(), segment.steps[step].count()), (3, 3));
    let sent_after = |later: &&String| later.ends_with("/get") && *later != step;
    assert_eq!(segment.steps.keys().find(sent_after), None);
    Ok(())
}

#[tokio::test]
async fn health_that_exceeds_the_sdk_timeout_fails_the_iteration() -> anyhow::Result<()> {
    let outcome = run_with_reaction(ApiStatus, "/api/health", |_| Silence).await?;
    let segment = &outcome.segments[0];
    assert_eq!(kinds(segment), [(None, "timeout", 3)]);
    let message = &segment.tally.kinds()[0].example.message;
    assert!(message.ends_with("(tried 3x)"), "{message}");
    // The only request is health, and the time of all three attempts counts.
    assert_eq!(segment.steps.keys().collect::<Vec<_>>(), ["health"]);
    assert!(
        segment.iteration_duration.min() >= Some(Duration::from_millis(7_499)),
        "{:?}",
        segment.iteration_duration.min()
    );
    Ok(())
}

#[tokio::test]
async fn health_that_succeeds_at_the_second_attempt_is_no_failure() -> anyhow::Result<()> {
    let react = |count| if count == 1 { HangUp } else { HEALTHY };
    let outcome = run_with_reaction(ApiStatus, "/api/health", react).await?;
    assert_eq!(counts(&outcome.segments[0]), (3, 0, 0), "{:?}", outcome.segments[0].tally);
    Ok(())
}

#[tokio::test]
async fn a_request_without_a_free_worker_is_retried_and_its_wait_counts() -> anyhow::Result<()> {
    // The first call of each of the three users.
    let react = |count| if count <= 3 { BUSY } else { DONE };
    let outcome = run_with_reaction(ApiStatus, "/status", react).await?;
    let segment = &outcome.segments[0];
    assert_eq!((counts(segment), segment.retries), ((3, 0, 0), 3));
    let submitted = &segment.steps["status/submit"];
    // The pause is 5 s, plus or minus 40 %.
    assert!(submitted.min() >= Some(Duration::from_millis(2_999)), "{:?}", submitted.min());
    Ok(())
}

#[rstest]
#[case::of_an_unknown_request(
    Respond(404, r#"{"detail":"Request '7' not found"}"#),
    Some(404),
    "untyped-error"
)]
#[case::that_is_not_a_request(Respond(200, "[]"), Some(200), "unexpected-response")]
#[case::whose_value_is_not_json(
    Respond(200, r#"{"status":"SUCCEEDED","return_value":"b'..'"}"#),
    Some(200),
    "unexpected-response"
)]
#[tokio::test]
async fn an_unusable_result_is_a_failure(
    #[case] reaction: Reaction,
    #[case] status: Option<u16>,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let outcome = run_with_reaction(ApiStatus, "/api/get", move |_| reaction).await?;
    assert_eq!(counts(&outcome.segments[0]), (0, 0, 3));
    assert_eq!(kinds(&outcome.segments[0]), [(status, error_type, 3)]);
    Ok(())
}
