//! Discovery of processes by the profiler, and their records.

use std::time::Duration;

use skyload::class::ProcessClass;
use skyload::profiler::Marker;
use skyload::profiler::protocol::{Command as ProfilerCommand, Notice};
use skyload::record::profile::{Ending, Phase, ProfileLine};
use skyload::units::ByteSize;

use super::ProfilerHarness;
use super::harness::{Orphan, TestProcess};

/// Script that waits until its input closes or the shell is killed.
const WAIT: &str = "read forever";

#[test]
fn the_tree_of_the_root_is_counted_and_an_unrelated_process_is_not() -> anyhow::Result<()> {
    let mut root = TestProcess::shell(&format!("sleep 60 & echo $!; {WAIT}"))?;
    let unrelated = TestProcess::shell(WAIT)?;
    let child = Orphan(root.line()?.parse()?);
    let profile = ProfilerHarness::start(&root, |_| ())?.finish()?;
    let of_child = profile.record(child.0).expect("a child of the root");
    assert_eq!(of_child.ending, Ending::Alive);
    assert!(of_child.peak.expect("the child was read") > ByteSize(100 << 10));
    assert!(profile.record(unrelated.pid()).is_none());
    assert_eq!(profile.table.processes.len(), 2);
    Ok(())
}

#[test]
fn a_process_that_lives_for_300_ms_has_a_record_with_a_peak() -> anyhow::Result<()> {
    let mut root = TestProcess::shell("read go; sleep 0.3; echo done; read forever")?;
    let harness = ProfilerHarness::start(&root, |_| ())?;
    root.write_line()?;
    while root.line()? != "done" {}
    let profile = harness.finish()?;
    let short_lived = profile
        .table
        .processes
        .iter()
        .find(|record| record.title == "sleep")
        .expect("the process was read after its exec");
    assert_eq!(short_lived.parent, root.pid());
    assert!(short_lived.peak.is_some());
    let lived = short_lived.last_read.expect("the process was read").since(short_lived.first_seen);
    assert!(lived >= Duration::from_millis(100), "{lived:?}");
    assert_ne!(short_lived.ending, Ending::Alive);
    Ok(())
}

#[test]
fn a_detached_process_counts_only_with_the_marker() -> anyhow::Result<()> {
    let marker = Marker { name: "SKYLOAD_TEST_SERVER".to_owned(), value: "this-one".to_owned() };
    let other = Marker { value: "another".to_owned(), ..marker.clone() };
    // The subshell exits before the profiler starts, so `sleep` has no parent in the tree.
    let detach = "(sleep 60 & echo $!); read forever";
    let mut root = TestProcess::marked_shell(detach, Some(&marker))?;
    let mut foreign = TestProcess::marked_shell(detach, Some(&other))?;
    let (ours, theirs) = (Orphan(root.line()?.parse()?), Orphan(foreign.line()?.parse()?));
    let harness = ProfilerHarness::start(&root, |options| options.marker = Some(marker))?;
    let profile = harness.finish()?;
    assert!(profile.record(ours.0).is_some());
    assert!(profile.record(theirs.0).is_none());
    Ok(())
}

#[test]
fn the_peak_is_the_high_water_mark_after_a_spike_is_over() -> anyhow::Result<()> {
    // `dd` holds one block of 48 MB while it copies, and the shell waits.
    let mut root = TestProcess::shell(
        "read go; dd if=/dev/zero of=/dev/null bs=48M count=200 2>&1; echo done; read forever",
    )?;
    let harness = ProfilerHarness::start(&root, |_| ())?;
    root.write_line()?;
    while root.line()? != "done" {}
    let profile = harness.finish()?;
    let dd = profile.table.processes.iter().find(|record| record.title == "dd").expect("seen");
    assert!(dd.peak.expect("dd was read") > ByteSize::mib(48), "{:?}", dd.peak);
    Ok(())
}

#[test]
fn the_root_is_the_server_whatever_its_command_line() -> anyhow::Result<()> {
    let root = TestProcess::shell(WAIT)?;
    let profile = ProfilerHarness::start(&root, |_| ())?.finish()?;
    let samples: Vec<_> = profile
        .lines
        .iter()
        .filter_map(|line| match line {
            ProfileLine::Sample(sample) => Some(sample),
            _ => None,
        })
        .collect();
    assert!(samples.iter().all(|sample| sample.classes[&ProcessClass::Server].count == 1));
    assert_eq!(samples.len() as u64, profile.table.profiler.samples);
    Ok(())
}

#[test]
fn a_snapshot_is_written_before_its_notice() -> anyhow::Result<()> {
    let root = TestProcess::shell(WAIT)?;
    let harness = ProfilerHarness::start(&root, |_| ())?;
    harness.send(&ProfilerCommand::Snapshot { phase: Phase::Baseline })?;
    harness.wait_for(|notice| *notice == Notice::SnapshotTaken { phase: Phase::Baseline })?;
    let snapshot = harness
        .read()?
        .lines
        .into_iter()
        .find_map(|line| match line {
            ProfileLine::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        })
        .expect("the snapshot is in the file");
    let server = snapshot.classes[&ProcessClass::Server];
    assert_eq!((server.count, server.threads, snapshot.unread), (1, 1, 0));
    assert!(server.pss >= server.uss && server.uss > ByteSize(0));
    Ok(())
}
