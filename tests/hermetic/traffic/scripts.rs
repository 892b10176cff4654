//! Programs of the user's: their steps, their failures, and what they leave on the server.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use fake_sky::FakeServer;
use skyload::plan::{Script, ScriptStart, ServerTarget};
use skyload::process::look_up;
use skyload::record::outcome::{Ended, ScenarioOutcome};
use skyload::record::resources::ResourceLog;
use skyload::resources::TeardownMode;
use skyload::scenario::ScenarioId;

use super::TestRun;
use super::launching::{LIMIT, server, set_up_test, tear_down};
use super::test_run::{counts, kinds, wait_until};

/// Run of a script by two users, with `sky` on its search path.
pub(super) fn test_of(server: &FakeServer, folder: &Path, script: &str) -> anyhow::Result<TestRun> {
    let path = folder.join("script.sh");
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let sky = folder.join("sky");
    if !sky.exists() {
        symlink(fake_sky::executable(), &sky)?;
    }
    let test = TestRun::of(server, &[ScenarioId::CliScript])?.on(&["aws"]).users(2, 2);
    let test = test.with_environment(|environment| environment.client.sky = sky);
    Ok(test.with_plan(|plan| {
        let (sha256, timeout) = ("00".repeat(32), Duration::from_secs(60));
        plan.script = Some(Script { path, sha256, start: ScriptStart::Bash, timeout });
    }))
}

async fn outcome_of(script: &str) -> anyhow::Result<ScenarioOutcome> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    test_of(&server, folder.path(), script)?.run().await
}

#[tokio::test]
async fn the_steps_that_a_script_marks_are_recorded() -> anyhow::Result<()> {
    let script = "set -eu\n\
        echo \"##BENCH_START sky_status 100.25\"\n\
        sky status --async\n\
        echo \"##BENCH_END sky_status 0 101.75\"\n\
        echo done\n";
    let outcome = outcome_of(script).await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (2, 0, 0)), "{segment:?}");
    let steps: Vec<&str> = segment.steps.keys().map(String::as_str).collect();
    assert_eq!(steps, ["script", "sky_status"]);
    let longest = segment.steps["sky_status"].max().expect("both users had it");
    assert!((1400..1600).contains(&longest.as_millis()), "{longest:?}");
    Ok(())
}

#[tokio::test]
async fn a_script_gets_the_variables_of_upstreams_workloads() -> anyhow::Result<()> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    let script = "env | grep ^BENCHMARK_ | sort\npwd\ntype sky\ntest -n \"$SKYPILOT_USER_ID\"\n";
    let test = test_of(&server, folder.path(), script)?.users(1, 1).write()?;
    let segment = test.drive(ScenarioId::CliScript).await?.segments.remove(0);
    assert_eq!(counts(&segment), (1, 0, 0), "{:?}", segment.tally);
    let log = test.dir.script_log(0, 0);
    let (output, here) = (fs::read_to_string(&log)?, folder.path().display());
    let expected = format!(
        "BENCHMARK_CLOUD=aws\nBENCHMARK_LOG_FILE={}\nBENCHMARK_REPEAT_ID=0\n\
         BENCHMARK_THREAD_ID=0\nBENCHMARK_UNIQUE_ID=skyload-run-cli-script-0-0\n{here}\n\
         sky is {here}/sky\n",
        log.display()
    );
    assert_eq!(output, expected);
    Ok(())
}

#[tokio::test]
async fn what_a_script_appends_to_its_log_stays_between_its_output() -> anyhow::Result<()> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    let script = "echo 1; echo '##BENCH_START a 1' >>\"$BENCHMARK_LOG_FILE\"; echo 3 >&2\n\
                  echo '##BENCH_END a 0 2' >>\"$BENCHMARK_LOG_FILE\"; echo 5\n";
    let test = test_of(&server, folder.path(), script)?.users(1, 1).write()?;
    let log = test.dir.script_log(0, 0);
    fs::create_dir_all(log.parent().context("the log is in a folder")?)?;
    fs::write(&log, "output of an earlier run\n")?;
    let segment = test.drive(ScenarioId::CliScript).await?.segments.remove(0);
    assert_eq!(counts(&segment), (1, 0, 0), "{:?}", segment.tally);
    let lines = "1\n##BENCH_START a 1\n3\n##BENCH_END a 0 2\n5\n";
    assert_eq!(fs::read_to_string(&log)?, lines);
    assert_eq!(segment.steps["a"].count(), 1);
    Ok(())
}

#[tokio::test]
async fn an_exit_code_is_a_failure_with_the_last_line() -> anyhow::Result<()> {
    let outcome = outcome_of("echo first; echo 'no quota' >&2; echo; exit 3\n").await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 2));
    assert_eq!(kinds(segment), [(None, "exit status: 3", 2)]);
    assert_eq!(segment.tally.kinds()[0].example.message, "last line: no quota");
    Ok(())
}

#[tokio::test]
async fn a_failed_step_fails_a_script_that_exits_with_0() -> anyhow::Result<()> {
    let script = "echo '##BENCH_START sky_launch 1'; echo '##BENCH_END sky_launch 1 2'; exit 0\n";
    let outcome = outcome_of(script).await?;
    let segment = &outcome.segments[0];
    assert_eq!(counts(segment), (0, 0, 2));
    assert_eq!(segment.tally.kinds()[0].example.step, "sky_launch");
    Ok(())
}

#[tokio::test]
async fn a_script_that_hangs_is_killed_with_its_children() -> anyhow::Result<()> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    let script = "trap '' TERM\nsleep 600 &\necho $! >>pids\n\
                  echo '##BENCH_START sky_logs 1'\nwait; wait; sleep 600\n";
    let test = test_of(&server, folder.path(), script)?.with_plan(|plan| {
        plan.script.as_mut().expect("there is one").timeout = Duration::from_secs(1);
    });
    let outcome = test.run().await?;
    let segment = &outcome.segments[0];
    assert_eq!((outcome.ended, counts(segment)), (Ended::Finished, (0, 0, 2)));
    assert_eq!(kinds(segment), [(None, "timeout", 2)]);
    let message = &segment.tally.kinds()[0].example.message;
    assert!(message.starts_with("still running after 1s, killed in step sky_logs"), "{message}");
    let pids = fs::read_to_string(folder.path().join("pids"))?;
    let pids: Vec<u32> = pids.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(pids.len(), 2);
    wait_until(|| pids.iter().all(|pid| look_up(*pid).is_none_or(|process| process.zombie))).await
}

#[tokio::test]
async fn what_a_script_has_started_ends_with_it() -> anyhow::Result<()> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    let script = "sleep 600 &\necho $! >>pids\nexit 0\n";
    let outcome = test_of(&server, folder.path(), script)?.run().await?;
    assert_eq!(counts(&outcome.segments[0]), (2, 0, 0), "{:?}", outcome.segments[0].tally);
    let pids = fs::read_to_string(folder.path().join("pids"))?;
    let pids: Vec<u32> = pids.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(pids.len(), 2);
    wait_until(|| pids.iter().all(|pid| look_up(*pid).is_none_or(|process| process.zombie))).await
}

/// Teardown after a script that launches a cluster and leaves it.
async fn torn_down(target: ServerTarget) -> anyhow::Result<ResourceLog> {
    let (server, folder) = (server(&[])?, tempfile::tempdir()?);
    let launch = "sky launch -y -c bench-$BENCHMARK_UNIQUE_ID --infra aws 'echo hi'\n";
    let others = server.client().args(["launch", "-y", "-c", "others", "echo hi"]).output()?;
    assert!(others.status.success(), "{others:?}");
    let test = test_of(&server, folder.path(), launch)?.with_plan(|plan| plan.server = target);
    let test = set_up_test(&server, test.write()?).await?;
    let segment = test.drive(ScenarioId::CliScript).await?.segments.remove(0);
    assert_eq!(counts(&segment), (2, 0, 0), "{:?}", segment.tally);
    tear_down(&server, &test, TeardownMode::WaitForJobs, LIMIT).await
}

#[tokio::test]
async fn clusters_that_a_script_leaves_are_found_and_torn_down() -> anyhow::Result<()> {
    let log = torn_down(ServerTarget::System).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    let names = ["bench-skyload-run-cli-script-0-0", "bench-skyload-run-cli-script-0-1"];
    assert_eq!(log.of_scripts.len(), 2, "not those of others: {log:?}");
    assert!(
        names.iter().all(|name| log.of_scripts.contains(&format!("cluster {name}"))),
        "{log:?}"
    );
    let removed = log.steps.iter().filter(|step| step.what.starts_with("cluster bench-"));
    assert_eq!(removed.count(), 2);
    Ok(())
}

#[tokio::test]
async fn on_an_isolated_server_all_clusters_are_of_the_scripts() -> anyhow::Result<()> {
    let log = torn_down(ServerTarget::Isolated { deploy: false }).await?;
    assert!(log.verified && log.left.is_empty(), "{log:?}");
    assert!(log.of_scripts.contains(&"cluster others".to_owned()), "{log:?}");
    Ok(())
}
