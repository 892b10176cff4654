//! `cargo xtask profile`: profiles of running servers.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use fake_sky::{FakeServer, procfs};
use nix::sys::signal::Signal;
use predicates::prelude::predicate;
use skyload::analysis::{ProfileEvidence, ProfileReport};
use skyload::class::ProcessClass;
use skyload::record::profile::ProfileLine;
use skyload::record::{ProfileDir, read_log};

use crate::support::{Running, Site, signal, soon};

/// Single profile of the site.
fn only_profile(site: &Site) -> anyhow::Result<ProfileDir> {
    let made = site.profiles();
    let [path] = made.as_slice() else { anyhow::bail!("one profile was expected: {made:?}") };
    ProfileDir::open(path)?.context("it holds a profile")
}

/// Waits until the site's single profile has this number of samples.
pub(crate) fn wait_for_samples(site: &Site, count: usize) -> anyhow::Result<ProfileDir> {
    soon("there are samples", || {
        let profile = only_profile(site).ok()?;
        let lines = read_log::<ProfileLine>(&profile.files().samples).ok()?;
        let samples = lines.values.iter().filter(|line| matches!(line, ProfileLine::Sample(_)));
        (samples.count() >= count).then_some(profile)
    })
}

/// Ends a profile with a signal, and asserts that it ends cleanly.
pub(crate) fn end(
    running: Running<'_>,
    site: &Site,
    with: Signal,
) -> anyhow::Result<ProfileEvidence> {
    running.signal(with)?;
    let ended = running.finish()?;
    ended
        .assert()
        .code(0)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stderr(predicate::str::contains("Profiling: done"));
    site.assert_nothing_is_left();
    let evidence = ProfileEvidence::read(&only_profile(site)?)?;
    assert!(matches!(evidence.lines.last(), Some(ProfileLine::Footer { .. })));
    Ok(evidence)
}

fn pids_in(evidence: &ProfileEvidence) -> anyhow::Result<BTreeSet<u32>> {
    let table = evidence.processes.as_ref().context("the profiler ended cleanly")?;
    Ok(table.processes.iter().map(|record| record.identity.pid).collect())
}

#[test]
fn a_server_is_found_by_its_port_and_profiled_until_sigterm() -> anyhow::Result<()> {
    let (site, server) = (Site::new()?, FakeServer::start(&[])?);
    let port = server.port().to_string();
    let running = site.xtask(["profile", "--port", &port, "--upstream-figures"]).start()?;
    wait_for_samples(&site, 10)?;
    let evidence = end(running, &site, Signal::SIGTERM)?;
    let report = ProfileReport::assemble(&evidence);
    assert!(report.summary.as_ref().is_some_and(|summary| summary.upstream.is_some()));
    assert_eq!(report.root.map(|root| root.pid), Some(server.pid()));
    let memory = report.memory.context("it was profiled")?;
    assert!(memory.class(ProcessClass::Server).is_some());
    assert!(memory.class(ProcessClass::ShortExecutor).is_some());
    assert!(server.main().is_some(), "the server still runs");
    server.finish()
}

#[test]
fn a_wrapper_is_not_taken_for_the_server() -> anyhow::Result<()> {
    let (site, server) =
        (Site::new()?, FakeServer::start_under(&["timeout", "--signal=KILL", "600"], &[])?);
    let (outer, port) = (server.pid().to_string(), server.port().to_string());
    let inner = server.processes().into_iter().find(|process| process.parent == server.pid());
    let inner = inner.context("the server runs below it")?.pid;
    for (target, root) in [(["--port", &port], inner), (["--pid", &outer], server.pid())] {
        let line = ["profile", "--for", "1s", "--format", "json"];
        let ended = site.xtask(line.into_iter().chain(target)).run()?;
        ended.assert().code(0).stderr(predicate::str::contains(format!("on port {port} (pid")));
        let report: ProfileReport = serde_json::from_slice(&ended.output.stdout)?;
        assert_eq!(report.root.map(|root| root.pid), Some(root));
        let memory = report.memory.context("it was profiled")?;
        let main = memory.class(ProcessClass::Server).context("it is the server")?;
        assert_eq!((main.processes, main.largest.map(|main| main.pid)), (1, Some(inner)));
        assert!(memory.class(ProcessClass::ShortExecutor).is_some());
    }
    server.finish()
}

#[test]
fn only_the_processes_of_the_chosen_server_count() -> anyhow::Result<()> {
    let (site, server, other) = (Site::new()?, FakeServer::start(&[])?, FakeServer::start(&[])?);
    let running = site.xtask(["profile", "--port", &server.port().to_string()]).start()?;
    wait_for_samples(&site, 10)?;
    let pids = pids_in(&end(running, &site, Signal::SIGINT)?)?;
    assert!(server.processes().iter().all(|process| pids.contains(&process.pid)), "{pids:?}");
    assert!(other.processes().iter().all(|process| !pids.contains(&process.pid)), "{pids:?}");
    server.finish()?;
    other.finish()
}

/// Shell with a child, both killed when dropped.
struct Shell(Child);

impl Shell {
    fn start() -> anyhow::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "sleep 600 & wait"]).stdin(Stdio::null());
        Ok(Self(shell.spawn().context("starting a shell")?))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for child in procfs::descendants_of(self.0.id()) {
            procfs::kill_hard(child.pid);
        }
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn any_process_is_profiled_by_its_pid_for_a_given_time() -> anyhow::Result<()> {
    let (site, shell) = (Site::new()?, Shell::start()?);
    let pid = shell.0.id().to_string();
    let child = soon("the shell has a child", || {
        procfs::descendants_of(shell.0.id()).first().map(|child| child.pid)
    })?;
    let line = ["profile", "--pid", &pid, "--for", "300ms", "--interval", "10ms"];
    let ended = site.xtask(line.into_iter().chain(["--format", "json"])).run()?;
    ended
        .assert()
        .code(0)
        .stderr(predicate::str::contains(format!("Attached to pid {pid} and its descendants")))
        .stderr(predicate::str::contains("time limit reached"));
    let printed: ProfileReport = serde_json::from_slice(&ended.output.stdout)?;
    let profile = only_profile(&site)?;
    let evidence = ProfileEvidence::read(&profile)?;
    let again = site.xtask(["report", profile.id().as_str(), "--format", "json"]).run()?;
    again.assert().code(0).stderr("");
    assert_eq!(
        again.output.stdout, ended.output.stdout,
        "the directory alone gives the same report"
    );
    let series = site.xtask(["report", profile.id().as_str(), "--out-series", "csv"]).run()?;
    let mistake = format!("--out-series: expected a run, got the profile {}", profile.id());
    series.assert().code(2).stderr(predicate::str::contains(mistake));
    let interval = printed.profiler.map(|profiler| profiler.interval);
    assert_eq!(interval, Some(Duration::from_millis(10)));
    assert_eq!(pids_in(&evidence)?, BTreeSet::from([shell.0.id(), child]));
    let latest = profile.path().with_file_name("latest");
    assert_eq!(latest.canonicalize()?, profile.path().canonicalize()?);
    Ok(())
}

#[test]
fn the_end_of_the_server_ends_its_profile() -> anyhow::Result<()> {
    let (site, server) = (Site::new()?, FakeServer::start(&[])?);
    let running = site.xtask(["profile", "--port", &server.port().to_string()]).start()?;
    wait_for_samples(&site, 5)?;
    server.finish()?;
    let ended = running.finish()?;
    ended
        .assert()
        .code(0)
        .stderr(predicate::str::contains("Profiling: the server exited"))
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stdout(predicate::str::contains("the server's main process exited after "));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_killed_profile_leaves_no_profiler_and_a_report() -> anyhow::Result<()> {
    let (site, server) = (Site::new()?, FakeServer::start(&[])?);
    let running = site.xtask(["profile", "--port", &server.port().to_string()]).start()?;
    let profile = wait_for_samples(&site, 5)?;
    running.signal(Signal::SIGKILL)?;
    running.finish()?;
    soon("nothing is left of it", || site.processes().is_empty().then_some(()))?;
    assert!(server.main().is_some(), "the server does not belong to the profile");

    let samples = profile.files().samples;
    let text = fs::read_to_string(&samples)?;
    fs::write(&samples, &text[..text.len() - 10])?;
    let id = profile.id().to_string();
    let again = site.xtask(["report", &id]).run()?;
    again
        .assert()
        .code(0)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stdout(predicate::str::contains("samples.jsonl` ends in an incomplete line"));
    server.finish()
}

#[test]
fn a_failed_last_reading_still_gives_a_report() -> anyhow::Result<()> {
    let (site, server) = (Site::new()?, FakeServer::start(&[])?);
    let running = site.xtask(["profile", "--port", &server.port().to_string()]).start()?;
    wait_for_samples(&site, 5)?;
    let profiler = running.profiler()?;
    // Ctrl-C at the moment at which the profiler dies.
    running.signal(Signal::SIGSTOP)?;
    signal(profiler, Signal::SIGKILL)?;
    running.signal(Signal::SIGINT)?;
    running.signal(Signal::SIGCONT)?;
    let ended = running.finish()?;
    ended
        .assert()
        .code(1)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stderr(predicate::str::contains("error: "));
    site.assert_nothing_is_left();
    server.finish()
}

#[test]
fn a_server_that_is_not_found_is_an_error_that_names_running_ones() -> anyhow::Result<()> {
    let (site, server) = (Site::new()?, FakeServer::start(&[])?);
    let seen = format!("port {} (pid {})", server.port(), server.pid());
    for (flag, value, message) in [
        ("--port", "9", "--port: no API server on port 9"),
        ("--pid", "4194305", "--pid: no process with pid 4194305 on this machine"),
    ] {
        let failed = site.xtask(["profile", flag, value]).run()?;
        failed
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(message))
            .stderr(predicate::str::contains(seen.as_str()))
            .stderr(predicate::str::contains("hint: "));
    }
    let both = site.xtask(["profile", "--pid", "1", "--port", "9"]).run()?;
    both.assert().code(2).stderr(predicate::str::contains("cannot be used with"));
    assert!(site.profiles().is_empty(), "no profile is created");
    server.finish()
}
