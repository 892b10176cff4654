//! Cancellation of requests, and executors that hang after one.

use std::time::Duration;

use fake_sky::{FakeServer, http};
use serde_json::{Value, json};

use super::{result, returned, submit, wait_for, with_infra};

/// Submits the launch of a cluster.
fn launch(server: &FakeServer, cluster: &str) -> anyhow::Result<String> {
    submit(
        server,
        "/launch",
        &json!({"task": "name: t\nrun: echo hello\n", "cluster_name": cluster}),
    )
}

/// Row of a request in the server's list.
fn row(server: &FakeServer, id: &str) -> anyhow::Result<Value> {
    let rows = http::get(&format!("{}/api/status?request_ids={id}", server.url()))?.json()?;
    anyhow::ensure!(rows.as_array().is_some_and(|rows| rows.len() == 1), "{rows}");
    Ok(rows[0].clone())
}

/// Waits until a request has a status.
fn wait_until(server: &FakeServer, id: &str, status: &str) -> anyhow::Result<()> {
    wait_for(status, || (row(server, id).ok()?["status"] == status).then_some(()))
}

fn cancel(server: &FakeServer, id: &str) -> anyhow::Result<()> {
    let cancelled =
        returned(server, "/api/cancel", &json!({"request_ids": [id], "user_id": null}))?;
    assert_eq!(cancelled, Ok(json!([id])));
    Ok(())
}

#[test]
fn a_cancelled_launch_ends_at_once_and_frees_its_executor() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "600000")])?;
    let launches = ["a", "b", "c"].map(|cluster| launch(&server, cluster));
    let [first, _, third] = launches.map(|id| id.expect("it is queued"));
    wait_until(&server, &first, "RUNNING")?;
    assert_eq!(row(&server, &third)?["status"], "PENDING", "there are two long executors");
    cancel(&server, &first)?;
    let (status, ended) = result(&server, &first)?;
    assert_eq!((status, &ended["status"]), (200, &json!("CANCELLED")));
    wait_until(&server, &third, "RUNNING")?;
    cancel(&server, &third)?;
    assert_eq!(result(&server, &third)?.1["pid"], ended["pid"], "it ran in the same executor");
    server.finish()
}

#[test]
fn a_launch_that_is_cancelled_before_it_runs_never_does() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "600000")])?;
    let launches = ["a", "b", "c"].map(|cluster| launch(&server, cluster));
    let [first, _, third] = launches.map(|id| id.expect("it is queued"));
    wait_until(&server, &first, "RUNNING")?;
    cancel(&server, &third)?;
    let (_, ended) = result(&server, &third)?;
    assert_eq!((&ended["status"], &ended["pid"]), (&json!("CANCELLED"), &Value::Null));
    cancel(&server, &first)?;
    let down = returned(&server, "/down", &json!({"cluster_name": "c"}))?;
    assert!(down.is_err_and(|error| error.starts_with("ClusterDoesNotExist")));
    server.finish()
}

#[test]
fn an_executor_may_hang_with_the_request_after_a_cancelled_one() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "1500"), ("FAKE_SKY_WEDGE", "1")])?;
    let (first, other) = (launch(&server, "a")?, launch(&server, "other")?);
    wait_until(&server, &first, "RUNNING")?;
    wait_until(&server, &other, "RUNNING")?;
    cancel(&server, &first)?;
    // There is no third executor, and the other one is busy.
    let second = launch(&server, "b")?;
    wait_until(&server, &second, "RUNNING")?;
    assert_eq!(result(&server, &other)?.1["status"], "SUCCEEDED");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(row(&server, &second)?["status"], "RUNNING", "it takes 1.5 s in another executor");
    cancel(&server, &second)?;
    let pid = |id| Ok::<Value, anyhow::Error>(result(&server, id)?.1["pid"].clone());
    assert_eq!(pid(&second)?, pid(&first)?);
    // The other executor works.
    let third = launch(&server, "c")?;
    assert_eq!(result(&server, &third)?.1["status"], "SUCCEEDED");
    server.finish()
}

#[test]
fn the_list_of_requests_names_no_executor() -> anyhow::Result<()> {
    // As SkyPilot 0.14.1: `pid=None` in `readable_encode` and `encode_requests`.
    let server = with_infra(&[])?;
    let id = launch(&server, "a")?;
    let (_, ended) = result(&server, &id)?;
    let row = row(&server, &id)?;
    assert!(ended["pid"].is_number() && row["pid"].is_null(), "{ended}\n{row}");
    assert_eq!((&row["name"], &row["status"]), (&json!("sky.launch"), &json!("SUCCEEDED")));
    server.finish()
}
