//! Managed jobs, over HTTP.

use fake_sky::FakeServer;
use serde_json::{Value, json};

use super::{followed, result, returned, submit, wait_for, with_infra};

fn launch(name: &str, run: &str) -> Value {
    // Only the header names the job.
    json!({"task": format!("name: {name}\n---\nname: t\nrun: {run}\n"), "name": "ignored"})
}

/// States of all jobs, newest first.
fn states(server: &FakeServer) -> anyhow::Result<Vec<String>> {
    let queue = returned(server, "/jobs/queue/v2", &json!({}))?.map_err(anyhow::Error::msg)?;
    let rows = queue["jobs"].as_array().into_iter().flatten();
    Ok(rows.filter_map(|row| row["status"].as_str()).map(str::to_owned).collect())
}

#[test]
fn a_job_is_pending_runs_and_succeeds() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "1000")])?;
    let id = submit(&server, "/jobs/launch", &launch("j", "echo hi; sleep 10"))?;
    let (_, request) = result(&server, &id)?;
    // In consolidation mode the request only records the job, without a launch.
    assert_eq!(request["schedule_type"], "short");
    let value: Value = serde_json::from_str(request["return_value"].as_str().unwrap_or_default())?;
    assert_eq!(value["job_id"], json!([1]));
    for state in ["PENDING", "RUNNING", "SUCCEEDED"] {
        wait_for(state, || (states(&server).ok()? == [state]).then_some(()))?;
    }
    server.finish()
}

#[test]
fn a_log_is_followed_by_id_or_by_name() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    returned(&server, "/jobs/launch", &launch("j", "echo hi; sleep 3"))?.expect("submitted");
    for body in [json!({"name": "j"}), json!({"job_id": 1}), json!({})] {
        let (log, code) = followed(&server, "/jobs/logs", &body)?;
        assert!(log.contains("(j, pid=2024) hi\n"), "{body}: {log}");
        assert!(log.contains("✓ Managed job finished: 1 (status: SUCCEEDED)."), "{log}");
        assert_eq!(code, Ok(json!(0)));
    }
    // A name only selects jobs that have not ended.
    let (log, code) = followed(&server, "/jobs/logs", &json!({"name": "j"}))?;
    assert_eq!(log, "No running managed job found with name 'j'.\n");
    assert_eq!(code, Ok(json!(102)));
    let (_, error) = followed(&server, "/jobs/logs", &json!({"name": "j", "job_id": 1}))?;
    assert!(error.is_err_and(|error| error.starts_with("ValueError")));
    server.finish()
}

#[test]
fn jobs_are_cancelled_by_id_or_by_name() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "0")])?;
    for name in ["a", "b"] {
        returned(&server, "/jobs/launch", &launch(name, "sleep 600"))?.expect("submitted");
    }
    let cancel = |body: Value| returned(&server, "/jobs/cancel", &body);
    assert_eq!(cancel(json!({"job_ids": [1]}))?, Ok(Value::Null));
    let is_cancelled = || (states(&server).ok()? == ["RUNNING", "CANCELLED"]).then_some(());
    wait_for("job 1 is CANCELLED", is_cancelled)?;
    assert_eq!(cancel(json!({"name": "b"}))?, Ok(Value::Null));
    let (_, code) = followed(&server, "/jobs/logs", &json!({"job_id": 2}))?;
    assert_eq!(code, Ok(json!(103)));
    // Cancelling jobs that have ended is no error; a body that selects no jobs is one.
    assert_eq!(cancel(json!({"job_ids": [1, 2]}))?, Ok(Value::Null));
    assert!(cancel(json!({}))?.is_err_and(|error| error.starts_with("ValueError")));
    server.finish()
}

#[test]
fn a_queue_filters_jobs_and_fields() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "0")])?;
    for run in ["exit 1", "sleep 600", "sleep 600"] {
        returned(&server, "/jobs/launch", &launch("j", run))?.expect("submitted");
    }
    let queue = |body: Value| returned(&server, "/jobs/queue/v2", &body);
    let all = queue(json!({"fields": ["job_name"], "limit": 2}))?.expect("a queue");
    assert_eq!((&all["total"], &all["total_no_filter"]), (&json!(3), &json!(3)));
    assert_eq!(all["status_counts"], json!({"FAILED": 1, "RUNNING": 2}));
    let row = json!({"job_id": 3, "task_id": 0, "job_name": "j", "status": "RUNNING"});
    assert_eq!((all["jobs"].as_array().map(Vec::len), &all["jobs"][0]), (Some(2), &row));

    let failed = queue(json!({"statuses": ["FAILED"]}))?.expect("a queue");
    assert_eq!((&failed["total"], &failed["jobs"][0]["job_id"]), (&json!(1), &json!(1)));
    let running = returned(&server, "/jobs/queue", &json!({"skip_finished": true}))?;
    assert_eq!(running.expect("a queue").as_array().map(Vec::len), Some(2));
    server.finish()
}

#[test]
fn without_consolidation_a_controller_is_launched_first() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    for path in ["/jobs/queue", "/jobs/queue/v2", "/jobs/cancel"] {
        let error = returned(&server, path, &json!({"job_ids": [1]}))?.expect_err(path);
        assert_eq!(error, "ClusterNotUpError: No in-progress managed jobs.");
    }
    let id = submit(&server, "/jobs/launch", &launch("j", "echo hi"))?;
    assert_eq!(result(&server, &id)?.1["schedule_type"], "long");
    assert_eq!(states(&server)?.len(), 1);
    let names = json!({"cluster_names": ["sky-jobs-controller-*"]});
    let rows = returned(&server, "/status", &names)?.expect("a list");
    assert_eq!(rows[0]["status"], "UP");
    server.finish()
}

#[test]
fn without_an_infra_a_job_is_accepted_and_fails() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_LAUNCH_MS", "0")])?;
    returned(&server, "/jobs/launch", &launch("j", "sleep 600"))?.expect("submitted");
    assert_eq!(states(&server)?, ["FAILED"]);
    server.finish()?;

    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    let error = returned(&server, "/jobs/launch", &launch("j", "sleep 600"))?;
    assert!(error.is_err_and(|error| error.starts_with("NoCloudAccessError")));
    server.finish()
}
