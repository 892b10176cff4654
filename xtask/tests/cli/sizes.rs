//! Servers of a stated size, held to it by control groups of this machine, where it grants some.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use fake_sky::kernel_features::{KernelFeature, skip_test};
use nix::sys::signal::Signal;
use predicates::prelude::predicate;
use skyload::analysis::{KilledProcess, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::limits::server_group::{self, Place, ServerGroup};
use skyload::machine_size::MachineSize;
use skyload::record::environment::Environment;
use skyload::record::profile::ProfilerLevel;
use skyload::record::{HeldTo, RunDir, read};
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use crate::support::{Site, Xtask, assert_finding, signal, soon};

/// Whether this machine grants control groups with a limit of memory; said if not.
fn grants_groups(test: &str) -> bool {
    let name = format!("skyload-test-{test}-{}", std::process::id());
    let size = MachineSize { cpus: 1, memory: ByteSize::gib(1) };
    let mut refusals = Vec::new();
    for place in Place::candidates(&name) {
        match ServerGroup::create(place, size, None) {
            Ok(group) => return server_group::remove(&group.folders()).is_ok(),
            Err(refusal) => refusals.push(refusal.to_string()),
        }
    }
    skip_test(KernelFeature::ControlGroups, refusals.join("; "));
    false
}

/// Load of a server of a size in deploy mode, whose module is started by the stand-in under the
/// name of a Python.
fn load<'a>(site: &'a Site, args: &[&str]) -> anyhow::Result<Xtask<'a>> {
    let python = site.path("python");
    if !python.exists() {
        symlink(fake_sky::executable(), &python)?;
    }
    Ok(site.load(args).fake("PYTHON", python.display()))
}

fn folder(report: &Report) -> PathBuf {
    match report.server_size.as_ref().map(|size| &size.group) {
        Some(HeldTo::Group { folder, .. }) => folder.into(),
        other => panic!("expected a control group, got {other:?}"),
    }
}

#[test]
fn a_server_that_fits_is_held_to_its_size_and_passes() -> anyhow::Result<()> {
    if !grants_groups("fits") {
        return Ok(());
    }
    let site = Site::new()?;
    let run = load(&site, &["--size", "1x0.5"])?.run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    run.assert()
        .stderr(predicate::str::contains("Server size: 1 CPU, 0.5 GiB, deploy mode"))
        .stderr(predicate::str::contains("Server held to 1 CPU, 0.5 GiB by /"))
        .stdout(predicate::str::contains("SERVER SIZE"));
    let size = report.server_size.as_ref().expect("it is on record");
    let figures = size.group.figures().expect("the kernel counts");
    assert_eq!((size.kills, figures.oom_kills), (0, Some(0)));
    let peak = figures.peak.expect("the kernel keeps a peak");
    assert!(peak > ByteSize::mib(24) && peak <= ByteSize::mib(512), "{peak}");
    let environment: Environment = read(&run.run_dir()?.environment())?;
    assert_eq!(environment.sky.counted.map(|counted| counted.cpus), Some(1));
    let of_clients = environment.client.variables.iter().map(|(name, _)| name.as_str());
    assert!(!of_clients.into_iter().any(|name| name.starts_with("SKYPILOT_POD_")));
    assert!(!folder(&report).exists(), "the group is removed with its server");
    Ok(())
}

#[test]
fn a_load_that_exceeds_the_size_ends_with_a_named_kill() -> anyhow::Result<()> {
    if !grants_groups("exceeds") {
        return Ok(());
    }
    let site = Site::new()?;
    let run = load(&site, &["--size", "2x0.5", "--local", "--api", "status"])?;
    // Each request takes more than the server may have.
    let run = run.fake("SPIKE_MIB", 700).run()?;
    let report = run.expect(&site, Verdict::OverBudget)?;
    assert_finding(&report, Severity::OverBudget, "the kernel killed ");
    assert_finding(&report, Severity::OverBudget, " at the server's size of 0.5 GiB");
    assert_finding(&report, Severity::OverBudget, "iterations failed since the kernel killed");
    let size = report.server_size.as_ref().expect("it is on record");
    assert!(size.kills > 0, "{size:?}");
    if report.profiler.is_some_and(|it| it.level == ProfilerLevel::ExitRecords) {
        let is_executor = |it: &KilledProcess| it.class == ProcessClass::ShortExecutor;
        assert!(!size.killed.is_empty() && size.killed.iter().all(is_executor), "{size:?}");
    }
    run.assert()
        .code(10)
        .stderr(predicate::str::is_match("gate: FAIL .*fits_into_the_server_size")?);
    assert!(!folder(&report).exists());
    Ok(())
}

/// Folders in which the server's group of a run may be.
fn candidates(run: &RunDir) -> Vec<PathBuf> {
    let places = Place::candidates(&format!("skyload-{}", run.id())).into_iter();
    places.flat_map(|place| place.folders()).collect()
}

#[test]
fn ctrl_c_ends_the_server_and_removes_its_group() -> anyhow::Result<()> {
    if !grants_groups("interrupted") {
        return Ok(());
    }
    let site = Site::new()?;
    let run = load(&site, &["--size", "1x0.5"])?.fake("SERVICE_MS", 90_000).start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    let folders = candidates(&run.run_dir()?);
    assert!(!server_group::pids_in(&folders).is_empty(), "the server is in its group");
    run.signal(Signal::SIGINT)?;
    let report = run.finish()?.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "interrupted after ");
    let size = report.server_size.as_ref().expect("it is on record");
    assert!(size.group.figures().is_some(), "the counts up to the interruption are kept");
    assert!(!folders.iter().any(|folder| folder.exists()), "{folders:?}");
    Ok(())
}

#[test]
fn the_group_of_a_killed_run_is_removed_by_the_next() -> anyhow::Result<()> {
    if !grants_groups("killed") {
        return Ok(());
    }
    let site = Site::new()?;
    let killed = load(&site, &["--size", "1x0.5"])?.fake("SERVICE_MS", 90_000).start()?;
    killed.scenario(ScenarioId::ApiStatus)?;
    let profiler = killed.profiler()?;
    signal(profiler, Signal::SIGSTOP)?;
    killed.signal(Signal::SIGKILL)?;
    signal(profiler, Signal::SIGKILL)?;
    let killed = killed.finish()?;
    soon("the scenarios have ended by themselves", || {
        let is_load = |line: &str| line.contains("--exact") || line.contains("cargo-nextest");
        let left = site.processes();
        (!left.iter().any(|process| is_load(&process.command_line))).then_some(())
    })?;
    let folders = candidates(killed.run_dir()?);
    assert!(folders.iter().any(|folder| folder.exists()), "{folders:?}");
    let next = site.load(["--api", "validate"]).run()?;
    next.expect(&site, Verdict::Pass)?;
    assert!(!folders.iter().any(|folder| folder.exists()), "{folders:?}");
    Ok(())
}

#[test]
fn a_release_without_variables_for_its_pools_is_a_usage_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let args = ["--workers", "long=8,short=20"];
    let run = site.load(args).fake("PINS_WORKERS", "0").run()?;
    run.assert()
        .code(2)
        .stderr(predicate::str::contains("--workers: SkyPilot 0.14.1 does not read "))
        .stderr(predicate::str::contains("nightly"));
    site.load(args).run()?.expect(&site, Verdict::Pass)?;
    Ok(())
}
