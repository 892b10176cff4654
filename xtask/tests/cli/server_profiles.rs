//! Remote servers with a profile from their machine (`--server-profile`).
//!
//! Two sites stand for two machines: one profiles the server, the other runs the load.

use std::fs;
use std::path::Path;

use fake_sky::FakeServer;
use nix::sys::signal::Signal;
use predicates::prelude::predicate;
use serde_json::Value;
use skyload::analysis::{LimitState, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::Metric;
use skyload::record::ProfileDir;

use crate::profiles::{end, wait_for_samples};
use crate::support::{Running, Site, assert_finding};

/// Starts a profile of the server on its machine.
fn profile<'a>(there: &'a Site, server: &FakeServer) -> anyhow::Result<(Running<'a>, ProfileDir)> {
    let running = there.xtask(["profile", "--port", &server.port().to_string()]).start()?;
    let profile = wait_for_samples(there, 5)?;
    Ok((running, profile))
}

#[test]
fn a_remote_server_is_checked_against_budgets_by_the_profile_of_its_machine() -> anyhow::Result<()>
{
    let (here, there) = (Site::new()?, Site::new()?);
    let server = FakeServer::start(&[])?;
    let (profiling, profile) = profile(&there, &server)?;
    let path = profile.path().display().to_string();
    let line = ["--server", &server.url(), "--server-profile", &path];

    let run = here.load(line).run()?;
    let report = run.expect(&here, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "its profile was shifted by that");
    assert!(report.memory.is_some_and(|memory| memory.class(ProcessClass::Server).is_some()));
    let short = Metric::max_peak(ProcessClass::ShortExecutor);
    let check = report.budgets.iter().find(|check| check.metric == short);
    assert_eq!(check.map(|check| check.state), Some(LimitState::Within));
    run.assert()
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stderr(predicate::str::contains("Merging the server's profile: done"));

    let over = here.load(line.into_iter().chain(["--budget", "short-executor=8MiB"])).run()?;
    let report = over.expect(&here, Verdict::OverBudget)?;
    assert_finding(&report, Severity::OverBudget, "short-executor: 24.");
    end(profiling, &there, Signal::SIGTERM)?;
    server.finish()
}

#[test]
fn a_profile_that_ends_before_the_run_is_inconclusive() -> anyhow::Result<()> {
    let (here, there) = (Site::new()?, Site::new()?);
    let server = FakeServer::start(&[])?;
    let (profiling, profile) = profile(&there, &server)?;
    end(profiling, &there, Signal::SIGTERM)?;
    // An hour back, which exceeds any tolerance.
    shift_clock(&profile, -3_600)?;
    let file = profile.files().samples.display().to_string();
    let run = here.load(["--server", &server.url(), "--server-profile", &file]).run()?;
    let report = run.expect(&here, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "does not cover baseline to cooldown");
    assert_finding(&report, Severity::Inconclusive, "--server-profile PATH`");
    server.finish()
}

#[test]
fn a_profile_by_the_servers_clock_is_shifted_to_the_coordinators() -> anyhow::Result<()> {
    let (here, there) = (Site::new()?, Site::new()?);
    let server = FakeServer::start(&[("FAKE_SKY_CLOCK_AHEAD_MS", "300000")])?;
    let (profiling, profile) = profile(&there, &server)?;
    let run = here.load(["--server", &server.url()]).run()?;
    let report = run.expect(&here, Verdict::Pass)?;
    assert!(report.memory.is_none() && report.budgets.is_empty());
    end(profiling, &there, Signal::SIGTERM)?;

    let id = report.run.to_string();
    let path = profile.path().display().to_string();
    let line = ["report", &id, "--server-profile", &path];
    // The profile was written by this machine's clock, 300 s behind the server's.
    let unshifted = here.xtask(line).run()?;
    unshifted.assert().code(12).stdout(predicate::str::contains("does not cover baseline to"));

    shift_clock(&profile, 300)?;
    let shifted = here.xtask(line).run()?;
    shifted
        .assert()
        .code(0)
        .stdout(predicate::str::is_match(r"the server's clock is (299\.9|300\.0)\d+ s ahead")?)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stdout(predicate::str::contains("short-executor"));
    // The run has the profile now.
    here.xtask(["report", &id]).run()?.assert().code(0);
    server.finish()
}

#[test]
fn a_run_that_profiled_its_server_accepts_no_other_profile() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let path = run.run_dir()?.path().display().to_string();
    let line = ["report", report.run.as_str(), "--server-profile", &path];
    let failed = site.xtask(line).run()?;
    failed.assert().code(2).stderr(predicate::str::contains("already has a profile"));
    Ok(())
}

/// Rewrites a finished profile as if written by a clock that is this many seconds ahead.
fn shift_clock(profile: &ProfileDir, seconds: i64) -> anyhow::Result<()> {
    let files = profile.files();
    let text = fs::read_to_string(&files.samples)?;
    let lines = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line)?;
        shift(&mut line, seconds * 1_000_000);
        Ok(line.to_string() + "\n")
    });
    fs::write(&files.samples, lines.collect::<serde_json::Result<String>>()?)?;
    shift_file(&files.processes, seconds * 1_000_000)
}

fn shift_file(path: &Path, micros: i64) -> anyhow::Result<()> {
    let mut table: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    shift(&mut table, micros);
    Ok(fs::write(path, table.to_string())?)
}

fn shift(value: &mut Value, micros: i64) {
    const MOMENTS: [&str; 4] = ["at", "until", "first-seen", "last-read"];
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            match value.as_i64().filter(|_| MOMENTS.contains(&name.as_str())) {
                Some(moment) => *value = (moment + micros).into(),
                None => shift(value, micros),
            }
        }),
        Value::Array(values) => values.iter_mut().for_each(|value| shift(value, micros)),
        _ => {}
    }
}
