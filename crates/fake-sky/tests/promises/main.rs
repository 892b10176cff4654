//! What the stand-in promises to the tests that build on it.

mod clusters;
mod command_line;
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

/// Submits `POST path` and returns the id to wait for.
fn submit(server: &FakeServer, path: &str, body: &Value) -> anyhow::Result<String> {
    let response = http::post(&format!("{}{path}", server.url()), body)?;
    anyhow::ensure!(response.status == 200, "POST {path}: {response:?}");
    Ok(response.request_id()?.to_owned())
}

/// Waits for a request; its HTTP status and the request itself.
fn result(server: &FakeServer, id: &str) -> anyhow::Result<(u16, Value)> {
    let response = http::get(&format!("{}/api/get?request_id={id}", server.url()))?;
    let body = response.json()?;
    let request = if response.status == 500 { body["detail"].clone() } else { body };
    Ok((response.status, request))
}

/// Submits and waits.
fn ask(server: &FakeServer, path: &str) -> anyhow::Result<(u16, Value)> {
    let body = json!({
        "task": "run: x", "cluster_name": "c", "dag": "", "request_options": null,
        "service_names": null,
    });
    result(server, &submit(server, path, &body)?)
}

/// Submits `POST path`, and what it returns; or how it failed: `Type: message`.
fn returned(
    server: &FakeServer,
    path: &str,
    body: &Value,
) -> anyhow::Result<Result<Value, String>> {
    value_of(server, &submit(server, path, body)?)
}

/// What a request returned, or how it failed.
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

/// The log that `POST path` streams, and what its request returns.
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

/// A server with an infrastructure on which everything is quick.
fn with_infra(settings: &[(&str, &str)]) -> anyhow::Result<FakeServer> {
    let quick = [
        ("FAKE_SKY_INFRA", "kubernetes"),
        ("FAKE_SKY_LAUNCH_MS", "100"),
        ("FAKE_SKY_SLEEP_MS", "100"),
        ("FAKE_SKY_SERVICE_MS", "1"),
        ("FAKE_SKY_IMPORT_MS", "0"),
        ("FAKE_SKY_STREAM_FLOOR_MS", "10"),
    ];
    FakeServer::start(&[&quick, settings].concat())
}

/// The error that a failed request carries.
fn error_of(request: &Value) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(request["error"].as_str().context("no error")?)?)
}

/// Waits for something that is bound to happen soon.
fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "not so after 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a process has ended.
fn gone(pid: u32) -> anyhow::Result<()> {
    soon("the process is gone", || Process::look_up(pid).is_none().then_some(()))
}
