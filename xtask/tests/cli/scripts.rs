//! `--script`: programs of the user's.

use std::fs;

use fake_sky::free_port;
use skyload::analysis::{ScenarioState, Severity, Verdict};
use skyload::scenario::ScenarioId;

use crate::support::{Finished, Site, assert_finding};
use crate::system_servers::command;

/// Runs a script with these flags on an isolated server without an infra.
fn run(site: &Site, script: &str, args: &[&str]) -> anyhow::Result<Finished> {
    let path = site.path("workload.sh");
    fs::write(&path, script)?;
    let path = path.display().to_string();
    site.load([&["--script", path.as_str(), "-n", "2"], args].concat()).run()
}

#[test]
fn a_script_is_a_scenario_with_its_own_steps() -> anyhow::Result<()> {
    let site = Site::new()?;
    let script = "set -eu\n\
        echo \"##BENCH_START status $(date +%s.%N)\"\n\
        fake-sky status\n\
        echo \"##BENCH_END status $? $(date +%s.%N)\"\n";
    let threshold = ["--threshold", "cli:script step status p95 < 1m"];
    let finished = run(&site, script, &threshold)?;
    let report = finished.expect(&site, Verdict::Pass)?;
    let of_script = report.scenarios.iter().find(|it| it.id == ScenarioId::CliScript);
    let scenario = of_script.expect("it ran");
    assert_eq!((scenario.state, scenario.completed()), (ScenarioState::Succeeded, 2));
    let planned = report.plan.script.as_ref().expect("the plan names the script");
    assert_eq!(planned.sha256, skyload::hash::sha256(script.as_bytes()));
    let log = fs::read_to_string(finished.run_dir()?.script_log(1, 0))?;
    assert!(log.contains("Clusters"), "{log}");
    Ok(())
}

#[test]
fn a_script_that_fails_fails_the_run_with_its_last_line() -> anyhow::Result<()> {
    let site = Site::new()?;
    let report =
        run(&site, "echo 'no quota'; exit 3\n", &[])?.expect(&site, Verdict::ScenarioFailed)?;
    let message = "2x script: exit status: 3: last line: no quota";
    assert_finding(&report, Severity::ScenarioFailed, message);
    Ok(())
}

#[test]
fn a_script_that_hangs_is_killed_after_its_time() -> anyhow::Result<()> {
    let site = Site::new()?;
    let finished = run(&site, "sleep 600 & sleep 600\n", &["--script-timeout", "1s"])?;
    let report = finished.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "still running after 1s, killed");
    Ok(())
}

#[test]
fn a_cluster_that_a_script_leaves_is_a_note_and_is_removed() -> anyhow::Result<()> {
    let site = Site::new()?;
    let (home, path) = (site.path("home"), site.path("workload.sh"));
    fs::create_dir(&home)?;
    fs::write(
        &path,
        "sky launch -y -c bench-$BENCHMARK_UNIQUE_ID --infra $BENCHMARK_CLOUD 'echo hi'\n",
    )?;
    let path = path.display().to_string();
    let args = ["-c", "aws", "--yes", "--script", path.as_str(), "-n", "1"];
    let mut xtask = command(&site, &home, free_port()?, &args)?;
    for (setting, value) in [("INFRA", "aws"), ("LAUNCH_MS", "50"), ("SLEEP_MS", "20")] {
        xtask = xtask.fake(setting, value);
    }
    let report = xtask.run()?.expect(&site, Verdict::Pass)?;
    let message =
        "cli:script: scripts left 1 resource, which the teardown removes: cluster bench-skyload-";
    assert_finding(&report, Severity::Note, message);
    Ok(())
}
