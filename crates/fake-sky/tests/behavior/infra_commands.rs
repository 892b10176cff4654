//! Program `sky` with a server that has an infra.

use fake_sky::{FakeServer, http};
use serde_json::json;

use super::{returned, with_infra};

/// Runs `sky` with `arguments`, split at spaces, and an optional last argument that may have
/// spaces. Returns the exit code and the output.
fn sky(server: &FakeServer, arguments: &str, last: Option<&str>) -> anyhow::Result<(i32, String)> {
    let output = server.client().args(arguments.split(' ')).args(last).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
}

fn assert_output((code, output): &(i32, String), expected_code: i32, expected: &[&str]) {
    assert_eq!(*code, expected_code, "{output}");
    for text in expected {
        assert!(output.contains(text), "expected `{text}` in {output}");
    }
}

#[test]
fn a_cluster_is_launched_and_its_log_shown() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = |arguments: &str, last| sky(&server, arguments, last);
    let launched = run("launch -y -c c1 --infra kubernetes --cpus 2", Some("echo hi; sleep 1"))?;
    let expected =
        ["Job submitted, ID: 1", "pid=2024) hi", "Job finished (status: SUCCEEDED).", "Job ID: 1"];
    assert_output(&launched, 0, &expected);
    let detached = run("launch -y -c c2 --infra k8s --async", Some("echo hi"))?;
    assert_output(&detached, 0, &["Submitted sky.launch request: "]);
    let failed = run("launch -y -c c1", Some("exit 3"))?;
    assert_output(&failed, 100, &["Job finished (status: FAILED)."]);
    assert_output(&run("logs c1 1", None)?, 0, &["pid=2024) hi", "status: SUCCEEDED"]);
    assert_output(&run("status", None)?, 0, &["Clusters", "c1", "UP"]);
    assert_output(&run("logs c9 1", None)?, 1, &["ClusterDoesNotExist"]);
    assert_output(&run("launch -y -c c3 --infra aws", Some("echo"))?, 1, &["requires aws"]);
    assert_output(&run("launch -c c3", Some("echo"))?, 1, &["Aborted!"]);
    server.finish()
}

#[test]
fn a_command_makes_the_calls_of_skypilots() -> anyhow::Result<()> {
    let cases: [(&str, Option<&str>, &[&str]); 2] = [
        ("launch -y -c c1", Some("echo hi"), &["sky.launch", "sky.status", "sky.logs"]),
        ("jobs launch -y -n j", Some("echo hi"), &["sky.jobs.launch", "sky.jobs.logs"]),
    ];
    let server = with_infra(&[("FAKE_SKY_DAEMONS", "0")])?;
    let mut seen = 0;
    for (arguments, last, calls) in cases {
        assert_output(&sky(&server, arguments, last)?, 0, &[]);
        let rows = http::get(&format!("{}/api/status?all_status=True", server.url()))?.json()?;
        let rows = rows.as_array().expect("a list").iter().rev();
        let names: Vec<_> = rows.skip(seen).filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, calls, "{arguments}");
        seen += calls.len();
    }
    server.finish()
}

#[test]
fn a_managed_job_is_launched_and_listed() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = |arguments: &str, last| sky(&server, arguments, last);
    let launched = run("jobs launch -n j1 -y --infra kubernetes --cpus 2", Some("echo hi"))?;
    let expected = ["Launching managed job 'j1'", "(j1, pid=2024) hi", "Managed Job ID: 1"];
    assert_output(&launched, 0, &expected);
    let detached = run("jobs launch -n j2 -y --infra kubernetes --async", Some("sleep 600"))?;
    assert_output(&detached, 0, &["Submitted sky.jobs.launch request: "]);
    assert_output(&run("jobs queue", None)?, 0, &["Managed jobs", "j1"]);
    server.finish()
}

#[test]
fn services_are_listed_with_their_replicas() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = |arguments: &str| sky(&server, arguments, None);
    assert_output(&run("serve status")?, 0, &["Services", "No live services."]);
    let up = json!({"task": "service:\n  replicas: 1\nrun: python\n", "service_name": "s1"});
    returned(&server, "/serve/up", &up)?.expect("the service is created");
    assert_output(&run("serve status s1")?, 0, &["s1", "Service Replicas"]);
    assert_output(&run("serve status s2")?, 0, &["Service 's2' not found."]);
    server.finish()
}
