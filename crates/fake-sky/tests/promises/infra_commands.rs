//! The program as `sky`, against a server with an infrastructure.

use fake_sky::{FakeServer, http};

use super::with_infra;

const SERVICE: &str = "service:\n  readiness_probe: /\n  replicas: 1\nrun: python\n";

/// Runs `sky` with these words (the last one may be a whole command); its exit
/// code and what it printed.
fn sky(server: &FakeServer, words: &str, last: Option<&str>) -> anyhow::Result<(i32, String)> {
    let output = server.client().args(words.split(' ')).args(last).output()?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
}

fn assert_says(ran: &(i32, String), code: i32, words: &[&str]) {
    assert_eq!(ran.0, code, "{}", ran.1);
    for word in words {
        assert!(ran.1.contains(word), "`{word}` is not in {}", ran.1);
    }
}

#[test]
fn a_cluster_lives_through_its_commands() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = |words: &str, last| sky(&server, words, last);
    let launched = run("launch -y -c c1 --infra kubernetes --cpus 2", Some("echo hi; sleep 1"))?;
    let said =
        ["Job submitted, ID: 1", "pid=2024) hi", "Job finished (status: SUCCEEDED).", "Job ID: 1"];
    assert_says(&launched, 0, &said);
    let detached = run("launch -y -c c2 --infra k8s --async -n t", Some("echo hi"))?;
    assert_says(&detached, 0, &["Submitted sky.launch request: "]);
    assert_says(&run("exec c2", Some("exit 3"))?, 100, &["Job finished (status: FAILED)."]);
    assert_says(&run("logs c1 1", None)?, 0, &["pid=2024) hi", "status: SUCCEEDED"]);
    assert_says(&run("queue c1", None)?, 0, &["on cluster c1", "SUCCEEDED"]);
    assert_says(&run("status", None)?, 0, &["Clusters", "c1", "UP"]);
    let down = run("down -y c1 c2", None)?;
    assert_says(&down, 0, &["Terminating cluster c1...done.", "Terminating cluster c2...done."]);
    assert_says(&run("down -y c1", None)?, 0, &["Cluster(s) not found"]);
    assert_says(&run("logs c1 1", None)?, 1, &["ClusterDoesNotExist"]);
    assert_says(&run("exec c1", Some("echo"))?, 1, &["ClusterDoesNotExist"]);
    assert_says(&run("queue c1", None)?, 0, &["Failed to get the job queue"]);
    assert_says(&run("launch -y -c c3 --infra aws", Some("echo"))?, 1, &["requires aws"]);
    server.finish()
}

#[test]
fn a_command_makes_the_calls_of_the_real_one() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let yaml = directory.path().join("service.yaml");
    std::fs::write(&yaml, SERVICE)?;
    let cases: [(&str, Option<&str>, &[&str]); 5] = [
        ("launch -y -c c1", Some("echo hi"), &["sky.launch", "sky.status", "sky.logs"]),
        ("exec c1", Some("echo hi"), &["sky.exec", "sky.logs"]),
        ("down -y c1", None, &["sky.status", "sky.down"]),
        ("jobs launch -y -n j", Some("echo hi"), &["sky.jobs.launch", "sky.jobs.logs"]),
        ("serve up -y -n s", yaml.to_str(), &["sky.optimize", "sky.serve.up"]),
    ];
    let server = with_infra(&[("FAKE_SKY_DAEMONS", "0")])?;
    let mut seen = 0;
    for (words, last, calls) in cases {
        assert_says(&sky(&server, words, last)?, 0, &[]);
        let rows = http::get(&format!("{}/api/status?all_status=True", server.url()))?.json()?;
        let rows = rows.as_array().expect("a list").iter().rev();
        let names: Vec<_> = rows.skip(seen).filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, calls, "{words}");
        seen += calls.len();
    }
    server.finish()
}

#[test]
fn a_teardown_that_fails_is_told_and_exits_with_0() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_INFRA_FAIL", "sky.down:1")])?;
    sky(&server, "launch -y -c c1 -d", Some("echo hi"))?;
    let down = sky(&server, "down -y c1", None)?;
    assert_says(&down, 0, &["Terminating cluster c1...failed.", "Cluster(s) failed."]);
    server.finish()
}

#[test]
fn managed_jobs_live_through_their_commands() -> anyhow::Result<()> {
    let server = with_infra(&[])?;
    let run = |words: &str, last| sky(&server, words, last);
    let launched = run("jobs launch -n j1 -y --infra kubernetes", Some("echo hi"))?;
    let said = ["Launching managed job 'j1'", "(j1, pid=2024) hi", "Managed Job ID: 1"];
    assert_says(&launched, 0, &said);
    let detached = run("jobs launch -n j2 -y --infra kubernetes --async", Some("sleep 600"))?;
    assert_says(&detached, 0, &["Submitted sky.jobs.launch request: "]);
    assert_says(&run("jobs logs 1", None)?, 0, &["Job finished (status: SUCCEEDED)."]);
    assert_says(&run("jobs logs --no-follow -n j2", None)?, 0, &[]);
    assert_says(&run("jobs queue", None)?, 0, &["Managed jobs", "j2"]);
    assert_says(&run("jobs cancel -y 2", None)?, 0, &["Job with ID 2 is scheduled to be"]);
    assert_says(&run("jobs logs 2", None)?, 103, &["Job finished (status: CANCELLED)."]);
    assert_says(&run("jobs logs 9", None)?, 102, &["Job 9 not found."]);
    server.finish()
}

#[test]
fn a_service_lives_through_its_commands() -> anyhow::Result<()> {
    let server = with_infra(&[("FAKE_SKY_SERVE_READY_MS", "0")])?;
    let run = |words: &str, last| sky(&server, words, last);
    assert_says(&run("serve status", None)?, 0, &["Services", "No live services."]);
    let directory = tempfile::tempdir()?;
    let yaml = directory.path().join("service.yaml");
    std::fs::write(&yaml, SERVICE)?;
    let up = run("serve up -n s1 -y", yaml.to_str())?;
    assert_says(&up, 0, &["Service name: ", "Endpoint URL: ", "http://127.0.0.1:30001"]);
    assert_says(&run("serve status s1", None)?, 0, &["s1", "READY", "Service Replicas"]);
    assert_says(&run("serve status s2", None)?, 0, &["Service 's2' not found."]);
    assert_says(&run("serve down -y s1", None)?, 0, &["Service 's1' is scheduled to be"]);
    assert_says(&run("check kubernetes", None)?, 0, &["Enabled infra", "Kubernetes"]);
    assert_says(&run("check nimbus", None)?, 1, &["not a valid cloud"]);
    server.finish()
}
