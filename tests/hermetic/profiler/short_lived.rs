//! Peaks that sampling misses: of processes that live between two samples, and of memory
//! allocated just before an exit. The sampling interval is long here, so that each test
//! fails for a profiler that reads running processes only.

use std::time::Duration;

use fake_sky::kernel_features::{KernelFeature, skip_test};
use skyload::profiler::check_level;
use skyload::record::profile::{Ending, LevelChoice, ProcessRecord, ProfileLine, ProfilerLevel};
use skyload::units::ByteSize;

use super::ProfilerHarness;
use super::harness::{Profile, TestProcess};

/// Sampling interval, far longer than each program of the scripts runs.
const LONG_INTERVAL: Duration = Duration::from_secs(2);

/// Script of twenty programs in sequence that hold 60 MB for some milliseconds each.
const SHORT_LIVED_PROGRAMS: &str = "read go
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        dd if=/dev/zero of=/dev/null bs=60M count=1 2>/dev/null
    done
    echo done; read forever";

fn profile(script: &str, level: LevelChoice, interval: Duration) -> anyhow::Result<Profile> {
    let mut root = TestProcess::shell(script)?;
    let harness = ProfilerHarness::start(&root, |options| {
        options.level = level;
        options.interval = interval;
    })?;
    root.write_line()?;
    while root.line()? != "done" {}
    harness.finish()
}

fn level_of(profile: &Profile) -> (ProfilerLevel, bool) {
    match profile.lines.first() {
        Some(ProfileLine::Header(header)) => (header.level, header.kernel_events),
        other => panic!("expected a header, got {other:?}"),
    }
}

fn programs(profile: &Profile) -> Vec<&ProcessRecord> {
    profile.table.processes.iter().filter(|record| record.parent == root_of(profile)).collect()
}

fn root_of(profile: &Profile) -> u32 {
    profile.table.processes[0].identity.pid
}

#[test]
fn with_exit_records_every_short_lived_process_has_its_peak() -> anyhow::Result<()> {
    if let Err(reason) = check_level(LevelChoice::ExitRecords) {
        skip_test(KernelFeature::ExitRecords, reason);
        return Ok(());
    }
    let profile = profile(SHORT_LIVED_PROGRAMS, LevelChoice::ExitRecords, LONG_INTERVAL)?;
    assert_eq!(level_of(&profile).0, ProfilerLevel::ExitRecords);
    let programs = programs(&profile);
    assert_eq!(programs.len(), 20);
    for program in programs {
        assert_eq!(program.ending, Ending::Recorded, "{program:?}");
        let peak = program.peak.expect("the exit record has the peak");
        assert!(peak > ByteSize::mib(60) && peak < ByteSize::mib(64), "{program:?}");
    }
    assert_eq!(profile.table.dropped_events, 0);
    Ok(())
}

#[test]
fn without_exit_records_short_lived_processes_are_unread() -> anyhow::Result<()> {
    let profile = profile(SHORT_LIVED_PROGRAMS, LevelChoice::HighWaterMark, LONG_INTERVAL)?;
    let (level, has_events) = level_of(&profile);
    assert_eq!(level, ProfilerLevel::HighWaterMark);
    if has_events {
        assert_eq!(programs(&profile).len(), 20);
    } else {
        skip_test(KernelFeature::ForkEvents, "brief processes may be unknown");
    }
    for program in programs(&profile) {
        assert!(matches!(program.ending, Ending::Unread { .. }), "{program:?}");
    }
    Ok(())
}

#[test]
fn memory_allocated_just_before_the_exit_is_in_the_peak() -> anyhow::Result<()> {
    if let Err(reason) = check_level(LevelChoice::ExitRecords) {
        skip_test(KernelFeature::ExitRecords, reason);
        return Ok(());
    }
    // The inner shell is sampled while it is small, then allocates 50 MB and exits.
    let script =
        "sh -c 'read go; v=$(head -c 50000000 /dev/zero | tr \"\\0\" x)'; echo done; read forever";
    let profile = profile(script, LevelChoice::Best, Duration::from_millis(500))?;
    let shell = programs(&profile)[0];
    assert_eq!(shell.ending, Ending::Recorded);
    assert!(shell.peak > Some(ByteSize(50_000_000)), "{shell:?}");
    Ok(())
}

#[test]
fn the_header_of_a_sampled_profile_has_its_level() -> anyhow::Result<()> {
    let interval = Duration::from_millis(50);
    let profile = profile("read go; echo done; read forever", LevelChoice::Sampled, interval)?;
    assert_eq!(level_of(&profile), (ProfilerLevel::SampledRss, false));
    let Some(ProfileLine::Header(header)) = profile.lines.first() else { panic!("a header") };
    assert_eq!(header.has_threads() && header.has_ports(), cfg!(target_os = "linux"));
    assert!(profile.table.processes[0].peak > Some(ByteSize(0)));
    Ok(())
}
