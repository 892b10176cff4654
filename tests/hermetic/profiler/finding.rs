//! Which processes the profiler finds, and what it says of them.

use std::time::Duration;

use skyload::class::ProcessClass;
use skyload::profiler::Marker;
use skyload::profiler::protocol::{Command as Order, Notice};
use skyload::record::profile::{Ending, Phase, ProfileLine};
use skyload::units::ByteSize;

use super::Bench;
use super::bench::{Owned, Stray};

/// Waits in a shell until its input closes or it is killed.
const WAIT: &str = "read forever";

#[test]
fn the_tree_of_the_root_is_counted_and_a_process_beside_it_is_not() -> anyhow::Result<()> {
    let mut root = Owned::shell(&format!("sleep 60 & echo $!; {WAIT}"))?;
    let beside = Owned::shell(WAIT)?;
    let child = Stray(root.line()?.parse()?);
    let profile = Bench::watch(&root, |_| ())?.finish()?;
    let of_child = profile.record(child.0).expect("a child of the root");
    assert_eq!(of_child.ending, Ending::Alive);
    assert!(of_child.peak.expect("it was read") > ByteSize(100 << 10));
    assert!(profile.record(beside.pid()).is_none());
    assert_eq!(profile.table.processes.len(), 2);
    Ok(())
}

#[test]
fn a_process_that_lives_for_300_ms_leaves_a_record_with_its_peak() -> anyhow::Result<()> {
    let mut root = Owned::shell("read go; sleep 0.3; echo done; read forever")?;
    let bench = Bench::watch(&root, |_| ())?;
    root.write_line()?;
    while root.line()? != "done" {}
    let profile = bench.finish()?;
    let brief = profile
        .table
        .processes
        .iter()
        .find(|record| record.title == "sleep")
        .expect("it was seen after its exec");
    assert_eq!(brief.parent, root.pid());
    assert!(brief.peak.is_some());
    let lived = brief.last_read.expect("it was read").since(brief.first_seen);
    assert!(lived >= Duration::from_millis(100), "{lived:?}");
    assert_ne!(brief.ending, Ending::Alive);
    Ok(())
}

#[test]
fn a_detached_process_counts_by_the_marker_alone() -> anyhow::Result<()> {
    let marker = Marker { name: "SKYLOAD_TEST_SERVER".to_owned(), value: "this-one".to_owned() };
    let other = Marker { value: "another".to_owned(), ..marker.clone() };
    // The shell in the middle is gone before the profiler begins.
    let detach = "(sleep 60 & echo $!); read forever";
    let mut root = Owned::marked_shell(detach, Some(&marker))?;
    let mut stranger = Owned::marked_shell(detach, Some(&other))?;
    let (ours, theirs) = (Stray(root.line()?.parse()?), Stray(stranger.line()?.parse()?));
    let bench = Bench::watch(&root, |options| options.marker = Some(marker))?;
    let profile = bench.finish()?;
    assert!(profile.record(ours.0).is_some());
    assert!(profile.record(theirs.0).is_none());
    Ok(())
}

#[test]
fn the_kernels_mark_is_the_peak_although_the_spike_was_over() -> anyhow::Result<()> {
    // `dd` holds one block of 48 MB while it copies, and the shell waits.
    let mut root = Owned::shell(
        "read go; dd if=/dev/zero of=/dev/null bs=48M count=200 2>&1; echo done; read forever",
    )?;
    let bench = Bench::watch(&root, |_| ())?;
    root.write_line()?;
    while root.line()? != "done" {}
    let profile = bench.finish()?;
    let dd = profile.table.processes.iter().find(|record| record.title == "dd").expect("seen");
    assert!(dd.peak.expect("it was read") > ByteSize::mib(48), "{:?}", dd.peak);
    Ok(())
}

#[test]
fn the_root_is_the_server_whatever_it_is_called() -> anyhow::Result<()> {
    let root = Owned::shell(WAIT)?;
    let profile = Bench::watch(&root, |_| ())?.finish()?;
    let ticks: Vec<_> = profile
        .lines
        .iter()
        .filter_map(|line| match line {
            ProfileLine::Sample(tick) => Some(tick),
            _ => None,
        })
        .collect();
    assert!(ticks.iter().all(|tick| tick.classes[&ProcessClass::Server].count == 1));
    assert_eq!(ticks.len() as u64, profile.table.profiler.samples);
    Ok(())
}

#[test]
fn a_snapshot_is_written_before_it_is_announced() -> anyhow::Result<()> {
    let root = Owned::shell(WAIT)?;
    let bench = Bench::watch(&root, |_| ())?;
    bench.order(&Order::Snapshot { phase: Phase::Baseline })?;
    bench.wait_for(|notice| *notice == Notice::SnapshotTaken { phase: Phase::Baseline })?;
    let snapshot = bench
        .read()?
        .lines
        .into_iter()
        .find_map(|line| match line {
            ProfileLine::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        })
        .expect("it is in the file");
    let server = snapshot.classes[&ProcessClass::Server];
    assert_eq!((server.count, server.threads, snapshot.unread), (1, 1, 0));
    assert!(server.pss >= server.uss && server.uss > ByteSize(0));
    Ok(())
}
