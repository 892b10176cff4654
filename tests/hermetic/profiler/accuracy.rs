//! A whole server's profile against what the kernel and the server itself say.
//!
//! The stand-in's executors are real processes that hold as much memory as they
//! were told, and take more of it for 40 ms while they serve.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use fake_sky::procfs::{Process, kill_hard};
use fake_sky::{FakeServer, http, queue_port};
use serde_json::json;
use skyload::class::ProcessClass;
use skyload::profiler::Marker;
use skyload::profiler::protocol::{Command as Order, Notice};
use skyload::record::profile::{Ending, Phase, ProcessRecord, ProfileLine, Sample, Window};
use skyload::units::ByteSize;

use super::Bench;
use super::bench::Profile;

/// A peak that is off by more is wrong.
const TOLERANCE: ByteSize = ByteSize(512 << 10);

/// Requests that run so long that none gets the executor of another.
const SIDE_BY_SIDE: (&str, &str) = ("FAKE_SKY_SERVICE_MS", "1000");

/// Profiles a server as `xtask` does: by its tree, its ports, and the variable
/// that its processes have in common.
fn watch(server: &FakeServer) -> anyhow::Result<Bench> {
    Bench::watch_pid(server.pid(), |options| {
        let value = server.home().display().to_string();
        options.marker = Some(Marker { name: "HOME".to_owned(), value });
        options.api_port = Some(server.port());
        options.queue_port = Some(queue_port(server.port()));
    })
}

/// Has the server serve so many requests at once, and waits for their ends.
fn serve(server: &FakeServer, path: &str, requests: usize) -> anyhow::Result<()> {
    let body = json!({"task": "run: echo", "cluster_name": "c", "refresh": "NONE"});
    let submit = |_| {
        let response = http::post(&format!("{}{path}", server.url()), &body)?;
        Ok(response.request_id()?.to_owned())
    };
    let ids = (0..requests).map(submit).collect::<anyhow::Result<Vec<_>>>()?;
    for id in ids {
        // A launch is refused here, but an executor has served it.
        http::get(&format!("{}/api/get?request_id={id}", server.url()))?;
    }
    Ok(())
}

/// The kernel's own marks of these processes, by pid.
fn high_water_marks(processes: &[Process]) -> anyhow::Result<BTreeMap<u32, ByteSize>> {
    let mark = |process: &Process| {
        let kib = process.memory_kib("VmHWM").context("the process lives")?;
        Ok((process.pid, ByteSize(kib << 10)))
    };
    processes.iter().map(mark).collect()
}

fn pids_of(profile: &Profile, class: ProcessClass) -> BTreeSet<u32> {
    let records = profile.table.processes.iter().filter(|record| record.class == class);
    records.map(|record| record.identity.pid).collect()
}

fn titled(server: &FakeServer, queue: &str) -> BTreeSet<u32> {
    let title = format!("SkyPilot:executor:{queue}:");
    let executors = server.executors().into_iter();
    executors.filter(|one| one.command_line.starts_with(&title)).map(|one| one.pid).collect()
}

fn ticks(lines: &[ProfileLine]) -> Vec<&Sample> {
    let ticks = lines.iter().filter_map(|line| match line {
        ProfileLine::Sample(tick) => Some(tick),
        _ => None,
    });
    ticks.collect()
}

fn assert_near(peak: Option<ByteSize>, mark: ByteSize, what: u32) {
    let peak = peak.expect("it was read");
    let off = peak.as_u64().abs_diff(mark.as_u64());
    assert!(off <= TOLERANCE.as_u64(), "pid {what}: peak {peak}, by the kernel {mark}");
}

#[test]
fn executors_are_classed_and_counted_as_the_server_has_them() -> anyhow::Result<()> {
    let server = FakeServer::start(&[SIDE_BY_SIDE])?;
    let bench = watch(&server)?;
    serve(&server, "/status", 3)?;
    serve(&server, "/launch", 2)?;
    let (short, long) = (titled(&server, "short"), titled(&server, "long"));
    assert_eq!((short.len(), long.len()), (1 + 3, 2), "the stand-in does as it should");
    let profile = bench.finish()?;
    assert_eq!(pids_of(&profile, ProcessClass::ShortExecutor), short);
    assert_eq!(pids_of(&profile, ProcessClass::LongExecutor), long);
    let ticks = ticks(&profile.lines);
    let last = ticks.last().context("there are ticks")?;
    let count = |class| last.classes.get(&class).map_or(0, |class| class.count);
    assert_eq!(count(ProcessClass::ShortExecutor), 4);
    assert_eq!(count(ProcessClass::LongExecutor), 2);
    assert_eq!(count(ProcessClass::StartingExecutor), 0);
    assert_eq!(pids_of(&profile, ProcessClass::Server), BTreeSet::from([server.pid()]));
    server.finish()
}

#[test]
fn every_peak_is_the_kernels_own_mark() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_EXECUTOR_MIB", "48")])?;
    let bench = watch(&server)?;
    serve(&server, "/status", 3)?;
    serve(&server, "/launch", 2)?;
    let marks = high_water_marks(&server.processes())?;
    let profile = bench.finish()?;
    assert_eq!(profile.table.processes.len(), marks.len());
    for (pid, mark) in marks {
        let record = profile.record(pid).context("it was there all the while")?;
        assert_eq!(record.ending, Ending::Alive);
        assert_near(record.peak, mark, pid);
    }
    for executor in server.executors() {
        let peak = profile.record(executor.pid).and_then(|record| record.peak);
        assert!(peak >= Some(ByteSize::mib(48)), "{executor:?}: {peak:?}");
    }
    Ok(())
}

#[test]
fn no_spike_of_40_ms_is_missed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[SIDE_BY_SIDE, ("FAKE_SKY_SPIKE_MIB", "200")])?;
    let bench = watch(&server)?;
    serve(&server, "/status", 3)?;
    serve(&server, "/launch", 1)?;
    let marks = high_water_marks(&server.executors())?;
    assert_eq!(marks.len(), 1 + 3 + 1);
    let profile = bench.finish()?;
    for (pid, mark) in marks {
        let record = profile.record(pid).context("it was there")?;
        assert!(record.peak >= Some(ByteSize::mib(200)), "{record:?}");
        assert_near(record.peak, mark, pid);
    }
    // The spikes were over when the last look was taken.
    let ticks = ticks(&profile.lines);
    let last = ticks.last().context("there are ticks")?;
    assert!(last.classes[&ProcessClass::ShortExecutor].rss_max < ByteSize::mib(100));
    Ok(())
}

#[test]
fn another_server_on_the_machine_is_not_counted() -> anyhow::Result<()> {
    let (ours, theirs) = (FakeServer::start(&[])?, FakeServer::start(&[])?);
    let bench = watch(&ours)?;
    serve(&ours, "/status", 2)?;
    serve(&theirs, "/status", 2)?;
    bench.let_it_tick()?;
    let (own, foreign) = (ours.processes(), theirs.processes());
    let profile = bench.finish()?;
    assert!(foreign.len() >= 4, "{foreign:?}");
    assert!(foreign.iter().all(|process| profile.record(process.pid).is_none()));
    let seen: BTreeSet<_> = profile.table.processes.iter().map(|one| one.identity.pid).collect();
    assert_eq!(seen, own.iter().map(|process| process.pid).collect());
    Ok(())
}

#[test]
fn marks_of_another_server_are_not_lowered() -> anyhow::Result<()> {
    let spikes = [("FAKE_SKY_SPIKE_MIB", "100"), SIDE_BY_SIDE];
    let (ours, theirs) = (FakeServer::start(&spikes)?, FakeServer::start(&spikes)?);
    let bench = watch(&ours)?;
    serve(&ours, "/status", 1)?;
    serve(&theirs, "/status", 1)?;
    let (own, foreign) =
        (high_water_marks(&ours.executors())?, high_water_marks(&theirs.executors())?);
    let window = Window::Phase(Phase::Cooldown);
    bench.order(&Order::BeginWindow { window })?;
    bench.wait_for(|notice| *notice == Notice::WindowBegan { window })?;
    let lowered = high_water_marks(&ours.executors())?;
    assert_eq!(high_water_marks(&theirs.executors())?, foreign);
    let spiked = |marks: &BTreeMap<u32, ByteSize>| {
        marks.values().filter(|mark| **mark > ByteSize::mib(100)).count()
    };
    assert!(spiked(&own) > 0 && spiked(&foreign) > 0);
    assert_eq!(spiked(&lowered), 0);
    let profile = bench.finish()?;
    let peaks = profile.lines.iter().find_map(|line| match line {
        ProfileLine::PhasePeaks(peaks) => Some(peaks),
        _ => None,
    });
    let peaks = peaks.context("the window was ended with the profile")?;
    assert_eq!((peaks.window, peaks.not_reset), (window, 0));
    assert!(peaks.classes[&ProcessClass::ShortExecutor] < ByteSize::mib(100));
    // The whole has them all the same.
    let of_class = |record: &&ProcessRecord| record.class == ProcessClass::ShortExecutor;
    let whole = profile.table.processes.iter().filter(of_class).filter_map(|one| one.peak).max();
    assert!(whole > Some(ByteSize::mib(100)));
    Ok(())
}

#[test]
fn the_process_behind_the_queue_port_has_a_class_of_its_own() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let bench = watch(&server)?;
    serve(&server, "/status", 1)?;
    let spawned = |process: &Process| process.command_line.contains("multiprocessing.spawn");
    let queue: BTreeSet<_> =
        server.processes().into_iter().filter(spawned).map(|process| process.pid).collect();
    let profile = bench.finish()?;
    assert_eq!(queue.len(), 1, "executors have their titles by now");
    assert_eq!(pids_of(&profile, ProcessClass::Queue), queue);
    Ok(())
}

#[test]
fn a_killed_server_is_reported_and_its_orphans_are_still_counted() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let bench = watch(&server)?;
    serve(&server, "/status", 2)?;
    let orphans = titled(&server, "short");
    kill_hard(server.pid());
    bench.wait_for(|notice| matches!(notice, Notice::ServerGone { .. }))?;
    bench.let_it_tick()?;
    bench.let_it_tick()?;
    let marks = high_water_marks(&server.executors())?;
    let profile = bench.finish()?;
    assert_ne!(profile.record(server.pid()).context("the server")?.ending, Ending::Alive);
    assert_eq!(marks.keys().copied().collect::<BTreeSet<_>>(), orphans);
    for (pid, mark) in marks {
        let record = profile.record(pid).context("an orphan")?;
        assert_eq!((record.class, record.ending), (ProcessClass::ShortExecutor, Ending::Alive));
        assert_near(record.peak, mark, pid);
    }
    let gone = |line: &ProfileLine| matches!(line, ProfileLine::ServerGone { .. });
    let at = profile.lines.iter().position(gone).context("it is in the file")?;
    let after = ticks(&profile.lines[at..]);
    let last = after.last().context("it went on")?;
    let counted = last.classes[&ProcessClass::ShortExecutor].count;
    assert_eq!(usize::try_from(counted)?, orphans.len());
    assert!(!last.classes.contains_key(&ProcessClass::Server));
    Ok(())
}
