//! Behavior of the stand-in that other tests rely on.

mod cancellation;
mod clusters;
mod command_line;
mod held_streams;
mod infra_commands;
mod infra_faults;
mod managed_jobs;
mod processes;
mod protocol;
mod server_faults;
mod services;

use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::procfs::Process;
use fake_sky::{FakeServer, http};
use serde_json::{Value, json};

/// Submits `POST path`, and returns the request id.
fn submit(server: &FakeServer, path: &str, body: &Value) -> anyhow::Result<String> {
    let response = http::post(&format!("{}{path}", server.url()), body)?;
    anyhow::ensure!(response.status == 200, "POST {path}: {response:?}");
    Ok(response.request_id()?.to_owned())
}

/// Waits for a request, and returns the HTTP status and the request.
fn result(server: &FakeServer, id: &str) -> anyhow::Result<(u16, Value)> {
    let response = http::get(&format!("{}/api/get?request_id={id}", server.url()))?;
    let body = response.json()?;
    let request = if response.status == 500 { body["detail"].clone() } else { body };
    Ok((response.status, request))
}

/// Submits a request with a body that suits every path, and waits for it.
fn submit_and_wait(server: &FakeServer, path: &str) -> anyhow::Result<(u16, Value)> {
    let body = json!({
        "task": "run: x", "cluster_name": "c", "dag": "", "request_options": null,
        "service_names": null,
    });
    result(server, &submit(server, path, &body)?)
}

/// Submits `POST path`, and returns the value or the error (`Type: message`).
fn returned(
    server: &FakeServer,
    path: &str,
    body: &Value,
) -> anyhow::Result<Result<Value, String>> {
    value_of(server, &submit(server, path, body)?)
}

/// Return value of a request, or its error (`Type: message`).
fn value_of(server: &FakeServer, id: &str) -> anyhow::Result<Result<Value, String>> {
    let (status, request) = result(server, id)?;
    if status == 500 {
        let error = error_of(&request)?;
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        return Ok(Err(format!("{}: {}", text("type"), text("message"))));
    }
    anyhow::ensure!(request["status"] == "SUCCEEDED", "{request}");
    Ok(Ok(serde_json::from_str(request["return_value"].as_str().context("no value")?)?))
}

/// Log that `POST path` streams, and the return value or error of its request.
fn followed(
    server: &FakeServer,
    path: &str,
    body: &Value,
) -> anyhow::Result<(String, Result<Value, String>)> {
    let response = http::post(&format!("{}{path}", server.url()), body)?;
    anyhow::ensure!(response.status == 200, "POST {path}: {response:?}");
    let value = value_of(server, response.request_id()?)?;
    Ok((response.body, value))
}

/// Server with an infra and short delays, and with these settings.
fn with_infra(settings: &[(&str, &str)]) -> anyhow::Result<FakeServer> {
    let fast = [
        ("FAKE_SKY_INFRA", "kubernetes"),
        ("FAKE_SKY_LAUNCH_MS", "100"),
        ("FAKE_SKY_SLEEP_MS", "100"),
        ("FAKE_SKY_SERVICE_MS", "1"),
        ("FAKE_SKY_IMPORT_MS", "0"),
        ("FAKE_SKY_STREAM_FLOOR_MS", "10"),
    ];
    FakeServer::start(&[&fast, settings].concat())
}

/// Error of a failed request.
fn error_of(request: &Value) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(request["error"].as_str().context("no error")?)?)
}

/// Waits up to 10 s until `check` returns a value; `what` names the condition in the error.
fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = check() {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "not reached within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a process has exited.
fn wait_until_gone(pid: u32) -> anyhow::Result<()> {
    wait_for("process has exited", || Process::look_up(pid).is_none().then_some(()))
}
