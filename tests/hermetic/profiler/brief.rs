//! What a sampler cannot see: processes that live between two ticks, and what a process
//! takes just before its end. The ticks here are far apart, so that each test fails for
//! whoever only looks at living processes.

use std::time::Duration;

use fake_sky::kernel_features::{KernelFeature, skip_test};
use skyload::profiler::check_level;
use skyload::record::profile::{Ending, LevelChoice, ProcessRecord, ProfileLine, ProfilerLevel};
use skyload::units::ByteSize;

use super::Bench;
use super::bench::{Owned, Profile};

const FAR_APART: Duration = Duration::from_secs(2);

/// Twenty programs one after the other, each of which holds 60 MB for some milliseconds.
const BRIEF_PROGRAMS: &str = "read go
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        dd if=/dev/zero of=/dev/null bs=60M count=1 2>/dev/null
    done
    echo done; read forever";

fn profile(script: &str, level: LevelChoice, interval: Duration) -> anyhow::Result<Profile> {
    let mut root = Owned::shell(script)?;
    let bench = Bench::watch(&root, |options| {
        options.level = level;
        options.interval = interval;
    })?;
    root.write_line()?;
    while root.line()? != "done" {}
    bench.finish()
}

fn level_of(profile: &Profile) -> (ProfilerLevel, bool) {
    match profile.lines.first() {
        Some(ProfileLine::Header(header)) => (header.level, header.kernel_events),
        other => panic!("{other:?} is no header"),
    }
}

fn programs(profile: &Profile) -> Vec<&ProcessRecord> {
    profile.table.processes.iter().filter(|record| record.parent == root_of(profile)).collect()
}

fn root_of(profile: &Profile) -> u32 {
    profile.table.processes[0].identity.pid
}

#[test]
fn no_process_is_too_brief_to_leave_its_peak() -> anyhow::Result<()> {
    if let Err(reason) = check_level(LevelChoice::ExitRecords) {
        skip_test(KernelFeature::ExitRecords, reason);
        return Ok(());
    }
    let profile = profile(BRIEF_PROGRAMS, LevelChoice::ExitRecords, FAR_APART)?;
    assert_eq!(level_of(&profile).0, ProfilerLevel::ExitRecords);
    let programs = programs(&profile);
    assert_eq!(programs.len(), 20);
    for program in programs {
        assert_eq!(program.ending, Ending::Recorded, "{program:?}");
        let peak = program.peak.expect("it is in the record");
        assert!(peak > ByteSize::mib(60) && peak < ByteSize::mib(64), "{program:?}");
    }
    assert_eq!(profile.table.dropped_events, 0);
    Ok(())
}

#[test]
fn without_exit_records_brief_processes_are_counted_as_unread() -> anyhow::Result<()> {
    let profile = profile(BRIEF_PROGRAMS, LevelChoice::HighWaterMark, FAR_APART)?;
    let (level, is_told) = level_of(&profile);
    assert_eq!(level, ProfilerLevel::HighWaterMark);
    if is_told {
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
fn what_a_process_takes_just_before_its_end_is_in_its_peak() -> anyhow::Result<()> {
    if let Err(reason) = check_level(LevelChoice::ExitRecords) {
        skip_test(KernelFeature::ExitRecords, reason);
        return Ok(());
    }
    // The inner shell is read while it is small, then takes 50 MB and ends at once.
    let script =
        "sh -c 'read go; v=$(head -c 50000000 /dev/zero | tr \"\\0\" x)'; echo done; read forever";
    let profile = profile(script, LevelChoice::Best, Duration::from_millis(500))?;
    let shell = programs(&profile)[0];
    assert_eq!(shell.ending, Ending::Recorded);
    assert!(shell.peak > Some(ByteSize(50_000_000)), "{shell:?}");
    Ok(())
}

#[test]
fn a_sampler_says_that_it_is_one() -> anyhow::Result<()> {
    let every = Duration::from_millis(50);
    let profile = profile("read go; echo done; read forever", LevelChoice::Sampled, every)?;
    assert_eq!(level_of(&profile), (ProfilerLevel::SampledRss, false));
    assert!(profile.table.processes[0].peak > Some(ByteSize(0)));
    Ok(())
}
