//! Runs with invalid or incomplete measurements.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use rstest::rstest;
use skyload::analysis::{ScenarioState, Severity, Verdict};
use skyload::record::profile::Phase;
use skyload::scenario::ScenarioId;

use crate::support::{Settings, Site, assert_finding, scenario, signal, soon};

#[test]
fn a_killed_scenario_is_inconclusive() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).fake("SERVICE_MS", 2_000).start()?;
    signal(run.scenario(ScenarioId::ApiStatus)?, Signal::SIGKILL)?;
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "api:status: no result");
    assert_eq!(scenario(&report, ScenarioId::ApiStatus)?.state, ScenarioState::NoResult);
    let other = scenario(&report, ScenarioId::ApiLaunchDryrun)?;
    assert_eq!(other.state, ScenarioState::Succeeded, "the other scenarios continued");
    Ok(())
}

#[rstest]
#[case::during_the_load(Phase::Load)]
#[case::across_the_end_of_the_load(Phase::Cooldown)]
fn a_sampling_gap_is_inconclusive(#[case] until: Phase) -> anyhow::Result<()> {
    let site = Site::with(&Settings { profiler_gap: "1s", ..Settings::default() })?;
    let service = if until == Phase::Load { 6_000 } else { 1_500 };
    let run = site.load(["--api", "status"]).fake("SERVICE_MS", service).start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    let profiler = run.profiler()?;
    signal(profiler, Signal::SIGSTOP)?;
    std::thread::sleep(Duration::from_millis(2_500));
    if until == Phase::Cooldown {
        let probe = run.run_dir()?.outcome(ScenarioId::ProbeHealth);
        soon("the load is over", || probe.exists().then_some(()))?;
        std::thread::sleep(Duration::from_millis(500));
    }
    signal(profiler, Signal::SIGCONT)?;
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "sampling gap of ");
    let longest = report.coverage.gaps.iter().map(|gap| gap.length).max();
    assert!(longest >= Some(Duration::from_millis(2_300)), "{:?}", report.coverage.gaps);
    Ok(())
}

#[test]
fn a_killed_profiler_ends_the_run() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).fake("SERVICE_MS", 60_000).start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    signal(run.profiler()?, Signal::SIGKILL)?;
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "the profiler exited unexpectedly after ");
    assert_finding(
        &report,
        Severity::Inconclusive,
        "stopped before all iterations ran: api:status, ",
    );
    assert!(report.memory.is_some(), "samples until then are shown");
    Ok(())
}

#[test]
fn an_overloaded_load_generator_is_inconclusive() -> anyhow::Result<()> {
    let site = Site::with(&Settings { send_lateness_p99: "800ms", ..Settings::default() })?;
    let run = site.load(["--api", "status"]).fake("SERVICE_MS", 5_000).start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    let probe = run.probe()?;
    // More than 1 % of the probe's requests will be sent more than a second late.
    std::thread::sleep(Duration::from_millis(500));
    signal(probe, Signal::SIGSTOP)?;
    std::thread::sleep(Duration::from_secs(2));
    signal(probe, Signal::SIGCONT)?;
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "probe:health: load generator overloaded");
    Ok(())
}

#[test]
fn a_machine_below_the_memory_floor_is_not_loaded() -> anyhow::Result<()> {
    let floor = "100 TiB".to_owned();
    let site = Site::with(&Settings { memory_floor: floor, ..Settings::default() })?;
    let run = site.load([""; 0]).run()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "load stopped after ");
    assert_finding(&report, Severity::Inconclusive, "the run ended before the load: api:status, ");
    Ok(())
}

#[test]
fn a_load_that_reaches_the_memory_floor_is_stopped() -> anyhow::Result<()> {
    // Several attempts, since other processes may free memory at the wrong moment.
    for _ in 0..3 {
        let floor = format!("{} KiB", available_kib()? - (400 << 10));
        let site = Site::with(&Settings { memory_floor: floor, ..Settings::default() })?;
        let run = site
            .load(["--api", "status", "-n", "8"])
            .fake("EXECUTOR_MIB", 250)
            .fake("BURST", 4)
            .fake("SERVICE_MS", 3_000)
            .run()?;
        if run.stderr().contains("Load: stopped, memory floor reached") {
            let report = run.expect(&site, Verdict::Inconclusive)?;
            let (grave, words) = (Severity::Inconclusive, "load stopped after ");
            assert_finding(&report, grave, words);
            assert_finding(&report, grave, "stopped before all iterations ran: api:status");
            return Ok(());
        }
    }
    anyhow::bail!("no load reached the memory floor in three attempts")
}

fn available_kib() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.context("finding the available memory")?.trim().trim_end_matches(" kB");
    Ok(number.parse()?)
}
