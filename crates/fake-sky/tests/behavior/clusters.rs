//! Clusters and the jobs on them, over HTTP.

use std::time::{Duration, Instant};

use fake_sky::FakeServer;
use serde_json::{Value, json};

use super::{followed, result, returned, submit, value_of, wait_for, with_infra};

fn launch(run: &str) -> Value {
    json!({"task": format!("name: t\nrun: {run}\n"), "cluster_name": "c"})
}

fn statuses(server: &FakeServer, names: &Value) -> anyhow::Result<Vec<String>> {
    let rows = returned(server, "/status", &json!({"cluster_names": names}))?;
    let rows = rows.map_err(anyhow::Error::msg)?;
    let rows = rows.as_array().into_iter().flatten();
    Ok(rows.map(|row| format!("{} {}", row["name"], row["status"]).replace('"', "")).collect())
}

#[test]
fn a_cluster_comes_up_runs_jobs_and_goes_down() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "1000")])?;
    let begun = Instant::now();
    let id = submit(&server, "/launch", &launch("echo hello"))?;
    let is_init = || (statuses(&server, &Value::Null).ok()? == ["c INIT"]).then_some(());
    wait_for("the cluster is INIT", is_init)?;
    let value = value_of(&server, &id)?.expect("the launch succeeds");
    assert!(begun.elapsed() >= Duration::from_millis(1000));
    assert_eq!(value["job_id"], 1);
    assert!(value["handle"].is_string());
    let (_, request) = result(&server, &id)?;
    assert_eq!(request["schedule_type"], "long");

    // Job ids count per cluster, and an exec submits the next job.
    let value = returned(&server, "/exec", &launch("echo again"))?.expect("the cluster is UP");
    assert_eq!(value["job_id"], 2);
    assert_eq!(statuses(&server, &json!(["c", "d"]))?, ["c UP"]);
    assert_eq!(statuses(&server, &json!(["d"]))?, [""; 0]);

    let (log, code) = followed(&server, "/logs", &json!({"cluster_name": "c", "job_id": 1}))?;
    assert!(log.contains("(t, pid=2024) hello\n"), "{log}");
    assert!(log.contains("✓ Job finished (status: SUCCEEDED)."), "{log}");
    assert_eq!(code, Ok(json!(0)));

    assert_eq!(returned(&server, "/down", &json!({"cluster_name": "c"}))?, Ok(Value::Null));
    assert_eq!(statuses(&server, &Value::Null)?, [""; 0]);
    server.finish()
}

#[test]
fn requests_for_a_missing_cluster_fail() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let body = json!({"cluster_name": "c", "task": "run: x", "job_id": 1});
    for path in ["/exec", "/queue", "/down"] {
        let error = returned(&server, path, &body)?.expect_err(path);
        assert!(error.starts_with("ClusterDoesNotExist"), "{path}: {error}");
    }
    let (log, error) = followed(&server, "/logs", &body)?;
    assert_eq!(log, "");
    assert!(error.is_err_and(|error| error.starts_with("ClusterDoesNotExist")));
    server.finish()
}

#[test]
fn a_queue_shows_the_states_of_jobs() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    for run in ["echo done", "sleep 600", "exit 1"] {
        returned(&server, "/launch", &launch(run))?.expect("the launch succeeds");
    }
    let queue = |skip_finished| -> anyhow::Result<Vec<String>> {
        let body = json!({"cluster_name": "c", "skip_finished": skip_finished});
        let rows = returned(&server, "/queue", &body)?.map_err(anyhow::Error::msg)?;
        let rows = rows.as_array().into_iter().flatten();
        Ok(rows.map(|row| format!("{} {}", row["job_id"], row["status"])).collect())
    };
    assert_eq!(queue(false)?, ["3 \"FAILED\"", "2 \"RUNNING\"", "1 \"SUCCEEDED\""]);
    assert_eq!(queue(true)?, ["2 \"RUNNING\""]);
    for (job, code) in [(3, 100), (9, 102)] {
        let body = json!({"cluster_name": "c", "job_id": job});
        assert_eq!(followed(&server, "/logs", &body)?.1, Ok(json!(code)), "job {job}");
    }
    server.finish()
}

#[test]
fn a_log_is_followed_until_the_job_ends_or_not_at_all() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = "echo a; sleep 20; echo b";
    returned(&server, "/launch", &launch(run))?.expect("the launch succeeds");
    let body = json!({"cluster_name": "c", "job_id": null, "follow": false});
    let (log, code) = followed(&server, "/logs", &body)?;
    assert!(log.contains("a\n") && !log.contains("b\n") && code == Ok(json!(0)), "{log}");
    let begun = Instant::now();
    let body = json!({"cluster_name": "c", "job_id": 1, "tail": 1});
    let (log, _) = followed(&server, "/logs", &body)?;
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(log.starts_with("(t, pid=2024) a\n(t, pid=2024) b\n"), "{log}");
    server.finish()
}

#[test]
fn an_exec_waits_for_the_launch_of_its_cluster() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "500")])?;
    submit(&server, "/launch", &launch("echo a"))?;
    let value = returned(&server, "/exec", &launch("echo b"))?.expect("the exec has waited");
    assert_eq!(value["job_id"], 2);
    server.finish()
}

#[test]
fn a_cancelled_launch_leaves_its_cluster_and_a_down_removes_both() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_LAUNCH_MS", "1500")])?;
    for ended_by in ["/api/cancel", "/down"] {
        let id = submit(&server, "/launch", &launch("echo a"))?;
        let is_init = || (statuses(&server, &Value::Null).ok()? == ["c INIT"]).then_some(());
        wait_for("the cluster is INIT", is_init)?;
        let body = json!({"request_ids": [id], "cluster_name": "c"});
        returned(&server, ended_by, &body)?.expect(ended_by);
        assert_eq!(result(&server, &id)?.1["status"], "CANCELLED", "{ended_by}");
        let remaining = if ended_by == "/down" { vec![] } else { vec!["c INIT"] };
        // Longer than the launch would have taken.
        std::thread::sleep(Duration::from_millis(1600));
        assert_eq!(statuses(&server, &Value::Null)?, remaining, "{ended_by}");
    }
    server.finish()
}

#[test]
fn a_dry_run_launches_nothing_and_requires_an_enabled_infra() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let mut dry_run = launch("echo a");
    dry_run["dryrun"] = json!(true);
    let value = returned(&server, "/launch", &dry_run)?.expect("the dry run succeeds");
    assert_eq!(value["job_id"], Value::Null);
    assert_eq!(statuses(&server, &Value::Null)?, [""; 0]);

    let on_aws = json!({"task": "resources:\n  infra: aws\nrun: x\n", "cluster_name": "c"});
    let error = returned(&server, "/launch", &on_aws)?.expect_err("aws is not enabled");
    assert!(error.starts_with("ResourcesUnavailableError: Task requires aws"), "{error}");
    assert_eq!(statuses(&server, &Value::Null)?, [""; 0]);

    let check = |clouds: Value| returned(&server, "/check", &json!({"clouds": clouds}));
    let enabled = json!({"default": {"Kubernetes": ["compute"]}});
    assert_eq!(check(Value::Null)?, Ok(enabled.clone()));
    assert_eq!(check(json!(["kubernetes"]))?, Ok(enabled));
    assert_eq!(check(json!(["aws"]))?, Ok(json!({"default": {}})));
    assert!(check(json!(["nimbus"]))?.is_err_and(|error| error.starts_with("ValueError")));
    server.finish()
}

#[test]
fn users_list_their_own_clusters() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let mut body = launch("echo a");
    body["env_vars"] = json!({"SKYPILOT_USER_ID": "abcd0001", "SKYPILOT_USER": "me"});
    body["all_users"] = json!(false);
    returned(&server, "/launch", &body)?.expect("the launch succeeds");
    let count = |body: &Value| -> anyhow::Result<Option<usize>> {
        Ok(returned(&server, "/status", body)?.ok().and_then(|rows| Some(rows.as_array()?.len())))
    };
    assert_eq!(count(&body)?, Some(1));
    assert_eq!(count(&json!({"all_users": false}))?, Some(0));
    assert_eq!(count(&json!({"all_users": true}))?, Some(1));
    server.finish()
}

#[test]
fn a_cluster_is_stopped_and_started_again() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_INFRA", "aws")])?;
    value_of(&server, &submit(&server, "/launch", &launch("echo hello"))?)?.expect("it launches");
    let cluster = json!({"cluster_name": "c"});
    returned(&server, "/stop", &cluster)?.map_err(anyhow::Error::msg)?;
    assert_eq!(statuses(&server, &Value::Null)?, ["c STOPPED"]);
    assert!(returned(&server, "/queue", &cluster)?.is_err(), "a stopped cluster lists no jobs");
    returned(&server, "/start", &cluster)?.map_err(anyhow::Error::msg)?;
    assert_eq!(statuses(&server, &Value::Null)?, ["c UP"]);
    assert!(returned(&server, "/stop", &json!({"cluster_name": "nosuch"}))?.is_err());
    Ok(())
}

#[test]
fn a_cluster_stops_itself_when_it_is_idle() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_INFRA", "aws"), ("FAKE_SKY_SLEEP_MS", "600000")])?;
    let autostop = |minutes: i32| json!({"cluster_name": "c", "idle_minutes": minutes});
    for (run, expected) in [("sleep 1", "c UP"), ("echo hello", "c STOPPED")] {
        value_of(&server, &submit(&server, "/launch", &launch(run))?)?.expect("it launches");
        returned(&server, "/autostop", &autostop(0))?.map_err(anyhow::Error::msg)?;
        assert_eq!(statuses(&server, &Value::Null)?, [expected], "{run}");
        returned(&server, "/down", &json!({"cluster_name": "c"}))?.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

#[test]
fn a_cluster_on_kubernetes_is_not_stopped() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    value_of(&server, &submit(&server, "/launch", &launch("echo hello"))?)?.expect("it launches");
    for (path, body) in [
        ("/stop", json!({"cluster_name": "c"})),
        ("/autostop", json!({"cluster_name": "c", "idle_minutes": 0})),
    ] {
        let error = returned(&server, path, &body)?.expect_err("Kubernetes cannot stop");
        assert!(error.starts_with("NotSupportedError: "), "{error}");
    }
    assert_eq!(statuses(&server, &Value::Null)?, ["c UP"]);
    Ok(())
}
