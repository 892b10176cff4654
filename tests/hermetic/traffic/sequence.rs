//! What the server sees of an iteration: the calls of SkyPilot's SDK, in its order.

use fake_sky::FakeServer;
use rstest::rstest;
use skyload::scenario::ScenarioId;

use super::Scene;

const HEALTH: &str = "GET /api/health";
const STREAM: &str = "GET /api/stream";
const GET: &str = "GET /api/get";

/// The calls that the server has logged, without their queries.
fn calls(log: &str) -> Vec<&str> {
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
async fn one_users_iteration_is_the_sdks_sequence(
    #[case] id: ScenarioId,
    #[case] sequence: &[&str],
) -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let before = calls(&server.log()).len();
    Scene::of(&server, &[id])?.users(1, 1).play().await?;
    assert_eq!(calls(&server.log())[before..], *sequence);
    Ok(())
}

#[tokio::test]
async fn requests_are_followed_in_the_order_in_which_they_were_sent() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    Scene::of(&server, &[ScenarioId::ApiCliStatus])?.users(1, 1).play().await?;
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
        let answer = fake_sky::http::get(&url)?.json()?;
        let request = answer.get("detail").unwrap_or(&answer);
        Ok(request["name"].as_str().unwrap_or_default().to_owned())
    };
    let names = got.iter().map(name_of).collect::<anyhow::Result<Vec<_>>>()?;
    assert_eq!(names, ["sky.jobs.queue", "sky.serve.status", "sky.status"]);
    Ok(())
}
