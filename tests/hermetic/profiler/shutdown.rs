//! Notices of the profiler to its parent, and the end of a profile.

use std::fs;

use skyload::profiler::ProfilerError;
use skyload::profiler::protocol::Notice;
use skyload::record::profile::{Ending, ProfileLine};
use skyload::units::ByteSize;

use super::ProfilerHarness;
use super::harness::{Orphan, TestProcess};

#[test]
fn a_profiler_completes_its_files_after_its_parent_exits() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let mut harness = ProfilerHarness::start(&root, |_| ())?;
    harness.close_commands();
    harness.join()??;
    let profile = harness.read()?;
    assert!(profile.is_complete());
    assert_eq!(profile.record(root.pid()).expect("the root").ending, Ending::Alive);
    let readings = profile.lines.iter().filter_map(|line| match line {
        ProfileLine::Readings(readings) => {
            readings.processes.iter().find(|it| it.pid == root.pid())
        }
        _ => None,
    });
    let readings: Vec<_> = readings.collect();
    assert!(readings.len() >= 2, "at the start and at the end");
    assert!(
        readings.iter().all(|it| it.rss > ByteSize(0) && it.open_files.is_some_and(|it| it > 0))
    );
    Ok(())
}

#[test]
fn a_killed_server_is_reported_once_and_its_orphans_are_still_sampled() -> anyhow::Result<()> {
    let mut root = TestProcess::shell("sleep 60 & echo $!; read forever")?;
    let orphan = Orphan(root.line()?.parse()?);
    let harness = ProfilerHarness::start(&root, |_| ())?;
    root.kill()?;
    harness.wait_for(|notice| matches!(notice, Notice::ServerGone { .. }))?;
    harness.wait_for_sample()?;
    let profile = harness.finish()?;
    let is_exit = |line: &&ProfileLine| matches!(line, ProfileLine::ServerGone { .. });
    assert_eq!(profile.lines.iter().filter(is_exit).count(), 1);
    assert_ne!(profile.record(root.pid()).expect("the root").ending, Ending::Alive);
    assert_eq!(profile.record(orphan.0).expect("the root's child").ending, Ending::Alive);
    Ok(())
}

#[test]
fn available_memory_below_the_floor_is_reported_once() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let floor = ByteSize::gib(1 << 20);
    let mut harness = ProfilerHarness::start(&root, |options| options.memory_floor = Some(floor))?;
    let is_low_memory = |notice: &Notice| matches!(notice, Notice::MemoryFloor { .. });
    let Notice::MemoryFloor { available } = harness.wait_for(is_low_memory)? else {
        unreachable!()
    };
    assert!(available > ByteSize(0) && available < floor);
    harness.wait_for_sample()?;
    harness.close_commands();
    assert_eq!(harness.wait_for(|_| true)?, Notice::Finished);
    harness.join()??;
    Ok(())
}

#[test]
fn the_files_are_readable_at_any_moment() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let harness = ProfilerHarness::start(&root, |_| ())?;
    // Before `Finish`: a profiler that is killed now leaves these files.
    let (profile, text) = (harness.read()?, fs::read_to_string(harness.samples())?);
    assert!(text.ends_with('\n'));
    assert!(!profile.is_complete() && profile.lines.len() >= 2);
    assert!(profile.record(root.pid()).is_some());
    harness.finish()?;
    Ok(())
}

#[test]
fn an_invalid_command_ends_the_profiler_with_an_error() -> anyhow::Result<()> {
    let root = TestProcess::shell("read forever")?;
    let mut harness = ProfilerHarness::start(&root, |_| ())?;
    harness.send_invalid_command()?;
    let ended = harness.join()?;
    assert!(matches!(ended, Err(ProfilerError::NotACommand { line, .. }) if line == "what?"));
    Ok(())
}
