//! Sequence of calls that the server receives in an iteration, compared with the SDK's.

use std::collections::BTreeSet;

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::scenario::{Scenario, ScenarioId};

use super::TestRun;

const HEALTH: &str = "GET /api/health";
const STREAM: &str = "GET /api/stream";
const GET: &str = "GET /api/get";

/// Calls in the server's log, without their queries.
pub(super) fn calls(log: &str) -> Vec<&str> {
    let calls = log.lines().filter_map(|line| line.split_once('"')?.1.split_once(" HTTP/1.1\""));
    calls.map(|(call, _)| call.split_once('?').map_or(call, |(call, _)| call)).collect()
}

#[rstest]
#[case::status(ScenarioId::ApiStatus, &[HEALTH, "POST /status", STREAM, GET])]
#[case::cli_status(
    ScenarioId::ApiCliStatus,
    &[HEALTH, "POST /jobs/queue", "POST /serve/status", "POST /status",
      STREAM, GET, STREAM, GET, STREAM, GET]
)]
#[case::validate(ScenarioId::ApiValidate, &[HEALTH, "POST /validate"])]
#[case::api_status(ScenarioId::ApiApiStatus, &["GET /api/status"])]
#[case::jobs_queue(ScenarioId::ApiJobsQueue, &[HEALTH, "POST /jobs/queue", STREAM, GET])]
#[case::status_refresh(ScenarioId::ApiStatusRefresh, &[HEALTH, "POST /status", STREAM, GET])]
#[case::launch_dryrun(
    ScenarioId::ApiLaunchDryrun,
    &[HEALTH, "POST /validate", "POST /launch", STREAM, GET]
)]
#[tokio::test]
async fn an_iteration_is_the_sequence_of_the_sdk(
    #[case] id: ScenarioId,
    #[case] sequence: &[&str],
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let before = calls(&server.log()).len();
    TestRun::of(&server, &[id])?.users(1, 1).run().await?;
    assert_eq!(calls(&server.log())[before..], *sequence);
    Ok(())
}

#[rstest]
#[case::check(ScenarioId::ApiCheck, &[HEALTH, "POST /check", STREAM, GET])]
#[case::show_gpus(ScenarioId::ApiShowGpus, &[HEALTH, "POST /list_accelerators", STREAM, GET])]
#[case::optimize(ScenarioId::ApiOptimize, &[HEALTH, "POST /optimize", STREAM, GET])]
#[case::storage_ls(ScenarioId::ApiStorageLs, &[HEALTH, "GET /storage/ls", STREAM, GET])]
#[case::cost_report(ScenarioId::ApiCostReport, &[HEALTH, "POST /cost_report", STREAM, GET])]
#[case::start_stop(
    ScenarioId::ApiStartStop,
    &[HEALTH, "POST /validate", "POST /launch", STREAM, GET,
      "POST /stop", STREAM, GET, "POST /start", STREAM, GET]
)]
#[tokio::test]
async fn an_iteration_on_a_cloud_is_the_sequence_of_the_sdk(
    #[case] id: ScenarioId,
    #[case] sequence: &[&str],
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_INFRA", "aws")])?;
    let before = calls(&server.log()).len();
    TestRun::of(&server, &[id])?.on(&["aws"]).users(1, 1).run().await?;
    assert_eq!(calls(&server.log())[before..], *sequence);
    Ok(())
}

#[tokio::test]
async fn requests_are_followed_in_the_order_of_their_submission() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    TestRun::of(&server, &[ScenarioId::ApiCliStatus])?.users(1, 1).run().await?;
    let log = server.log();
    let ids = |path: &str| -> Vec<String> {
        let of_path = log.lines().filter_map(|line| line.split_once(path));
        let ids = of_path.filter_map(|(_, query)| query.split_once("request_id="));
        ids.map(|(_, id)| id.chars().take(36).collect()).collect()
    };
    let (streamed, got) = (ids("GET /api/stream"), ids("GET /api/get"));
    assert_eq!((streamed.len(), &streamed), (3, &got));
    let name_of = |id: &String| -> anyhow::Result<String> {
        let url = format!("{}/api/get?request_id={id}", server.url());
        let response = fake_sky::http::get(&url)?.json()?;
        // The server returns failed requests in `detail`.
        let request = response.get("detail").unwrap_or(&response);
        Ok(request["name"].as_str().unwrap_or_default().to_owned())
    };
    let names = got.iter().map(name_of).collect::<anyhow::Result<Vec<_>>>()?;
    assert_eq!(names, ["sky.jobs.queue", "sky.serve.status", "sky.status"]);
    Ok(())
}

#[rstest]
#[case::queued(ScenarioId::ApiStatus)]
#[case::several_queued(ScenarioId::ApiCliStatus)]
#[case::inline(ScenarioId::ApiValidate)]
#[case::without_health(ScenarioId::ApiApiStatus)]
#[case::planned_launch(ScenarioId::ApiLaunchDryrun)]
#[tokio::test]
async fn recorded_steps_are_those_of_the_table(#[case] id: ScenarioId) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let outcome = TestRun::of(&server, &[id])?.run().await?;
    let recorded: BTreeSet<String> = outcome.segments[0].steps.keys().cloned().collect();
    assert_eq!(recorded, Scenario::of(id).steps());
    Ok(())
}
