//! Levels at which peaks are measured, and the phases that they belong to.

use predicates::prelude::predicate;
use skyload::analysis::{Exactness, Verdict};
use skyload::class::ProcessClass;
use skyload::profiler::check_level;
use skyload::record::profile::{LevelChoice, Phase, ProfilerLevel, Window};
use skyload::scenario::{Group, ScenarioId};
use skyload::units::ByteSize;

use crate::support::{Site, scenario};

#[test]
fn each_phase_and_each_group_has_its_own_peaks() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site
        .load(["--api", "status", "-r", "api_status", "--phase-peaks"])
        // Its spike would be in the baseline if the server starts slowly.
        .fake("DAEMONS", 0)
        .fake("EXECUTOR_MIB", 40)
        .fake("SPIKE_MIB", 100)
        .run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let memory = report.memory.as_ref().expect("the server was profiled");
    let windows: Vec<Window> = memory.windows.iter().map(|peaks| peaks.window).collect();
    let expected = [
        Window::Phase(Phase::Baseline),
        Window::Load(Group::Api),
        Window::Load(Group::Cli),
        Window::Phase(Phase::Cooldown),
    ];
    assert_eq!(windows, expected);
    // Only requests of the API scenario run in an executor, and each has a spike.
    let spiked: Vec<bool> = memory
        .windows
        .iter()
        .map(|peaks| peaks.classes.get(&ProcessClass::ShortExecutor))
        .map(|peak| peak.is_some_and(|peak| *peak > ByteSize::mib(120)))
        .collect();
    assert_eq!(spiked, [false, true, false, false], "{:#?}", memory.windows);
    assert!(memory.windows.iter().all(|peaks| peaks.not_reset == 0));
    let whole = memory.class(ProcessClass::ShortExecutor).expect("some ran");
    assert!(whole.peak > Some(ByteSize::mib(120)));

    let (api, cli) = (ScenarioId::ApiStatus, ScenarioId::CliApiStatus);
    let (api, cli) = (scenario(&report, api)?, scenario(&report, cli)?);
    assert!(api.segments.len() == 1 && cli.segments.len() == 1);
    run.assert()
        .stdout(predicate::str::is_match(r"class +baseline +load: api +load: cli +cooldown\n")?);
    Ok(())
}

#[test]
fn without_the_flag_no_peak_is_reset() -> anyhow::Result<()> {
    let site = Site::new()?;
    let report = site.load(["--api", "status"]).run()?.expect(&site, Verdict::Pass)?;
    assert!(report.memory.expect("the server was profiled").windows.is_empty());
    Ok(())
}

#[test]
fn the_default_level_is_the_best_available_and_named() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let (level, words) = match check_level(LevelChoice::ExitRecords) {
        Ok(()) => (ProfilerLevel::ExitRecords, "VmHWM, exit records"),
        Err(_) => (ProfilerLevel::HighWaterMark, "VmHWM, read at each sample"),
    };
    assert_eq!(report.profiler.expect("the server was profiled").level, level);
    run.assert().stdout(predicate::str::contains(words));
    Ok(())
}

#[test]
fn a_lower_level_can_be_forced() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status", "--peaks", "high-water-mark"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let level = report.profiler.expect("the server was profiled").level;
    assert_eq!(level, ProfilerLevel::HighWaterMark);
    run.assert().stdout(predicate::str::contains("VmHWM, read at each sample"));
    Ok(())
}

#[test]
fn sampled_peaks_are_lower_bounds() -> anyhow::Result<()> {
    let site = Site::new()?;
    // Large enough for any estimated maximum.
    let budgets = ["short-executor=1TiB", "long-executor=1TiB", "server=1TiB"];
    let budgets = budgets.iter().flat_map(|budget| ["--budget", budget]);
    let args = ["--api", "status", "--peaks", "sampled"].into_iter().chain(budgets);
    let run = site.load(args).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let memory = report.memory.expect("the server was profiled");
    let short = memory.class(ProcessClass::ShortExecutor).expect("some ran");
    assert_ne!(short.exactness, Exactness::Exact);
    run.assert()
        .stdout(predicate::str::contains("(sampled RSS, short peaks are missed"))
        .stdout(predicate::str::is_match(r"short-executor +\d+ +\d+ +>=")?);
    Ok(())
}
