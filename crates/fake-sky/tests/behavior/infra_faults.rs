//! Faults injected into the simulated infra.

use std::time::{Duration, Instant};

use fake_sky::http;
use serde_json::{Value, json};

use super::{followed, result, returned, with_infra};

fn launch(run: &str) -> Value {
    json!({"task": format!("run: {run}\n"), "cluster_name": "c", "name": "j"})
}

#[test]
fn every_kth_launch_finds_no_resources() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_INFRA_FAIL", "sky.launch:2")])?;
    let down = json!({"cluster_name": "c"});
    assert!(returned(&server, "/launch", &launch("x"))?.is_ok());
    assert!(returned(&server, "/down", &down)?.is_ok());
    let error = returned(&server, "/launch", &launch("x"))?.expect_err("the second launch fails");
    assert!(error.starts_with("ResourcesUnavailableError: Failed to provision"), "{error}");
    assert_eq!(returned(&server, "/status", &json!({}))?, Ok(json!([])));
    server.finish()
}

#[test]
fn a_down_may_fail_or_leave_its_cluster() -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_INFRA_FAIL", "sky.down:3"), ("FAKE_SKY_SURVIVOR", "sky.down:2")];
    let server = with_infra(&settings)?;
    let clusters = || -> anyhow::Result<usize> {
        let rows = returned(&server, "/status", &json!({}))?.map_err(anyhow::Error::msg)?;
        Ok(rows.as_array().map_or(0, Vec::len))
    };
    let down = json!({"cluster_name": "c"});
    returned(&server, "/launch", &launch("x"))?.expect("the launch succeeds");
    assert_eq!((returned(&server, "/down", &down)?, clusters()?), (Ok(Value::Null), 0));
    returned(&server, "/launch", &launch("x"))?.expect("the launch succeeds");
    assert_eq!((returned(&server, "/down", &down)?, clusters()?), (Ok(Value::Null), 1));
    let error = returned(&server, "/down", &down)?.expect_err("the third down fails");
    assert!(error.starts_with("RuntimeError"), "{error}");
    assert_eq!(clusters()?, 1);
    server.finish()
}

#[test]
fn jobs_and_services_may_survive_their_removal() -> anyhow::Result<()> {
    let survivor = ("FAKE_SKY_SURVIVOR", "sky.jobs.cancel:1,sky.serve.down:1");
    let server = with_infra(&[survivor])?;
    // Longer than cancelling a job or removing a service takes.
    let wait = || std::thread::sleep(Duration::from_millis(200));
    returned(&server, "/jobs/launch", &launch("sleep 600"))?.expect("submitted");
    returned(&server, "/jobs/cancel", &json!({"job_ids": [1]}))?.expect("cancelled");
    wait();
    let queue = returned(&server, "/jobs/queue", &json!({"skip_finished": true}))?;
    assert_eq!(queue.expect("a queue")[0]["job_id"], 1);

    let up = json!({"task": "service:\n  replicas: 1\n", "service_name": "s"});
    returned(&server, "/serve/up", &up)?.expect("the service is created");
    returned(&server, "/serve/down", &json!({"service_names": "s"}))?.expect("the down succeeds");
    wait();
    let rows = returned(&server, "/serve/status", &json!({"service_names": null}))?;
    assert_eq!(rows.expect("a list")[0]["name"], "s");
    server.finish()
}

#[test]
fn a_job_may_fail_by_an_injected_fault() -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_JOB_FAILED", "sky.launch:1,sky.jobs.launch:1")];
    let server = with_infra(&settings)?;
    returned(&server, "/launch", &launch("echo a"))?.expect("the launch succeeds");
    returned(&server, "/jobs/launch", &launch("echo a"))?.expect("submitted");
    let (log, code) = followed(&server, "/logs", &json!({"cluster_name": "c", "job_id": 1}))?;
    assert!(log.contains("Job finished (status: FAILED)."), "{log}");
    assert_eq!(code, Ok(json!(100)));
    let (log, code) = followed(&server, "/jobs/logs", &json!({"job_id": 1}))?;
    assert!(log.contains("Managed job finished: 1 (status: FAILED)."), "{log}");
    assert_eq!(code, Ok(json!(100)));
    server.finish()
}

#[test]
fn a_submission_may_be_answered_late_while_its_request_runs() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LATE", "sky.launch:1")])?;
    let begun = Instant::now();
    let response = http::post(&format!("{}/launch", server.url()), &launch("echo a"))?;
    let answered = begun.elapsed();
    assert!(answered >= Duration::from_secs(6), "{answered:?}");
    let (_, request) = result(&server, response.request_id()?)?;
    assert_eq!(request["status"], "SUCCEEDED");
    let took = |field: &str| request[field].as_f64().unwrap_or_default();
    assert!(took("finished_at") - took("created_at") < 5.0, "{request}");
    server.finish()
}
