//! Streams that a client holds: their limit, and the fault that ends them.

use std::thread;
use std::time::{Duration, Instant};

use fake_sky::{FakeServer, http};
use serde_json::{Value, json};

use super::{returned, with_infra};

/// Cluster with a job that prints without end.
fn launch_endless_job(server: &FakeServer) -> anyhow::Result<Value> {
    let task = "run: while true; do echo tick; sleep 1; done\n";
    let launched = returned(server, "/launch", &json!({"task": task, "cluster_name": "c"}))?;
    launched.map_err(anyhow::Error::msg)?;
    Ok(json!({"cluster_name": "c", "job_id": 1}))
}

#[test]
fn the_output_of_a_job_without_end_is_streamed_until_the_fault_ends_it() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_DROP_STREAMS_MS", "500")])?;
    let body = launch_endless_job(&server)?;
    let begun = Instant::now();
    let response = http::post(&format!("{}/logs", server.url()), &body)?;
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    let ticks = response.body.matches("tick").count();
    // One each 100 ms; a slow machine sends fewer in time.
    assert!(response.status == 200 && (1..=6).contains(&ticks), "{response:?}");
    server.finish()
}

#[test]
fn calls_beyond_the_limit_of_log_threads_are_answered_503_until_one_is_free() -> anyhow::Result<()>
{
    let server =
        with_infra(&[("FAKE_SKY_LOG_THREADS", "1"), ("FAKE_SKY_DROP_STREAMS_MS", "1500")])?;
    let body = launch_endless_job(&server)?;
    let url = format!("{}/logs", server.url());
    let statuses = thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| http::post(&url, &body)));
        calls.map(|call| call.join().expect("no panic").map(|response| response.status))
    });
    let mut statuses = statuses.into_iter().collect::<anyhow::Result<Vec<u16>>>()?;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);
    assert!(http::is_healthy(&server.url()), "other paths have no such limit");
    assert_eq!(http::post(&url, &body)?.status, 200, "the first stream has ended");
    server.finish()
}

#[test]
fn the_log_of_a_daemon_request_grows_without_end() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_DAEMON_LINE_MS", "100"),
        ("FAKE_SKY_DROP_STREAMS_MS", "500"),
    ])?;
    let id = "skypilot-status-refresh-daemon";
    let query = format!("request_id={id}&follow=True&format=console");
    let response = http::get(&format!("{}/api/stream?{query}", server.url()))?;
    let lines = response.body.lines().count();
    assert!(response.status == 200 && (1..=6).contains(&lines), "{response:?}");
    server.finish()
}
