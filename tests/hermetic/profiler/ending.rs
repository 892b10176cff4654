//! What the profiler tells its parent, and how it ends.

use std::fs;

use skyload::profiler::ProfilerError;
use skyload::profiler::protocol::Notice;
use skyload::record::profile::{Ending, ProfileLine};
use skyload::units::ByteSize;

use super::Bench;
use super::bench::{Owned, Stray};

#[test]
fn a_profiler_whose_parent_died_writes_everything_down_and_ends() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let mut bench = Bench::watch(&root, |_| ())?;
    bench.hang_up();
    bench.join()??;
    let profile = bench.read()?;
    assert!(profile.is_complete());
    assert_eq!(profile.record(root.pid()).expect("the root").ending, Ending::Alive);
    Ok(())
}

#[test]
fn a_killed_server_is_reported_once_and_its_orphans_are_watched_on() -> anyhow::Result<()> {
    let mut root = Owned::shell("sleep 60 & echo $!; read forever")?;
    let orphan = Stray(root.line()?.parse()?);
    let bench = Bench::watch(&root, |_| ())?;
    root.kill()?;
    bench.wait_for(|notice| matches!(notice, Notice::ServerGone { .. }))?;
    bench.let_it_tick()?;
    let profile = bench.finish()?;
    let said = |line: &&ProfileLine| matches!(line, ProfileLine::ServerGone { .. });
    assert_eq!(profile.lines.iter().filter(said).count(), 1);
    assert_ne!(profile.record(root.pid()).expect("the root").ending, Ending::Alive);
    assert_eq!(profile.record(orphan.0).expect("its child").ending, Ending::Alive);
    Ok(())
}

#[test]
fn a_floor_above_what_is_available_is_reported_once() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let floor = ByteSize::gib(1 << 20);
    let mut bench = Bench::watch(&root, |options| options.memory_floor = Some(floor))?;
    let low = |notice: &Notice| matches!(notice, Notice::MemoryFloor { .. });
    let Notice::MemoryFloor { available } = bench.wait_for(low)? else { unreachable!() };
    assert!(available > ByteSize(0) && available < floor);
    bench.let_it_tick()?;
    bench.hang_up();
    assert_eq!(bench.wait_for(|_| true)?, Notice::Finished);
    bench.join()??;
    Ok(())
}

#[test]
fn a_killed_profiler_would_leave_files_that_can_be_read() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let bench = Bench::watch(&root, |_| ())?;
    // Not told to end: this is what a kill at this moment leaves.
    let (profile, text) = (bench.read()?, fs::read_to_string(bench.samples())?);
    assert!(text.ends_with('\n'));
    assert!(!profile.is_complete() && profile.lines.len() >= 2);
    assert!(profile.record(root.pid()).is_some());
    bench.finish()?;
    Ok(())
}

#[test]
fn a_command_that_is_none_ends_the_profiler_with_an_error() -> anyhow::Result<()> {
    let root = Owned::shell("read forever")?;
    let mut bench = Bench::watch(&root, |_| ())?;
    bench.babble()?;
    let ended = bench.join()?;
    assert!(matches!(ended, Err(ProfilerError::NotACommand { line, .. }) if line == "what?"));
    Ok(())
}
