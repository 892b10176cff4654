//! Accuracy of the profile of a whole server, compared with the kernel's high-water marks
//! and with the server's own processes.
//!
//! Executors of the fake server are real processes that hold a configured amount of memory,
//! and allocate more for 40 ms while they run a request.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use fake_sky::procfs::{Process, kill_hard};
use fake_sky::{FakeServer, http, queue_port};
use serde_json::json;
use skyload::class::ProcessClass;
use skyload::profiler::Marker;
use skyload::profiler::protocol::{Command as ProfilerCommand, Notice};
use skyload::record::profile::{Ending, Phase, ProcessRecord, ProfileLine, Sample, Window};
use skyload::units::ByteSize;

use super::ProfilerHarness;
use super::harness::Profile;

/// Largest permitted difference of a peak from `VmHWM`.
const TOLERANCE: ByteSize = ByteSize(512 << 10);

/// Setting of the fake server that makes requests run for a second, so that concurrent ones
/// need an executor each.
const CONCURRENT: (&str, &str) = ("FAKE_SKY_SERVICE_MS", "1000");

/// Setting of the fake server that leaves out its own request, whose spike comes at any time after
/// the start.
const NO_DAEMON: (&str, &str) = ("FAKE_SKY_DAEMONS", "0");

/// Starts a profiler on a server as `xtask` does: with its ports, and with an environment
/// variable that its processes have in common.
fn profile_server(server: &FakeServer) -> anyhow::Result<ProfilerHarness> {
    ProfilerHarness::start_for_pid(server.pid(), |options| {
        let value = server.home().display().to_string();
        options.marker = Some(Marker { name: "HOME".to_owned(), value });
        options.api_port = Some(server.port());
        options.queue_port = Some(queue_port(server.port()));
    })
}

/// Submits `count` requests, then waits for their results.
fn send_requests(server: &FakeServer, path: &str, count: usize) -> anyhow::Result<()> {
    let body = json!({"task": "run: echo", "cluster_name": "c", "refresh": "NONE"});
    let submit = |_| {
        let response = http::post(&format!("{}{path}", server.url()), &body)?;
        Ok(response.request_id()?.to_owned())
    };
    let ids = (0..count).map(submit).collect::<anyhow::Result<Vec<_>>>()?;
    for id in ids {
        // The fake server fails a launch, but an executor has run it.
        http::get(&format!("{}/api/get?request_id={id}", server.url()))?;
    }
    Ok(())
}

/// High-water marks (`VmHWM`) of the processes, by pid.
fn high_water_marks(processes: &[Process]) -> anyhow::Result<BTreeMap<u32, ByteSize>> {
    let high_water = |process: &Process| {
        let kib = process.memory_kib("VmHWM").context("the process has exited")?;
        Ok((process.pid, ByteSize(kib << 10)))
    };
    processes.iter().map(high_water).collect()
}

fn pids_of(profile: &Profile, class: ProcessClass) -> BTreeSet<u32> {
    let records = profile.table.processes.iter().filter(|record| record.class == class);
    records.map(|record| record.identity.pid).collect()
}

fn executor_pids(server: &FakeServer, queue: &str) -> BTreeSet<u32> {
    let title = format!("SkyPilot:executor:{queue}:");
    let executors = server.executors().into_iter();
    executors.filter(|one| one.command_line.starts_with(&title)).map(|one| one.pid).collect()
}

fn samples(lines: &[ProfileLine]) -> Vec<&Sample> {
    let samples = lines.iter().filter_map(|line| match line {
        ProfileLine::Sample(sample) => Some(sample),
        _ => None,
    });
    samples.collect()
}

fn assert_near(peak: Option<ByteSize>, high_water: ByteSize, pid: u32) {
    let peak = peak.expect("the process was read");
    let off = peak.as_u64().abs_diff(high_water.as_u64());
    assert!(
        off <= TOLERANCE.as_u64(),
        "pid {pid}: expected the peak {high_water} (VmHWM), got {peak}"
    );
}

#[test]
fn executors_are_classified_and_counted() -> anyhow::Result<()> {
    let server = FakeServer::start(&[CONCURRENT])?;
    let harness = profile_server(&server)?;
    send_requests(&server, "/status", 3)?;
    send_requests(&server, "/launch", 2)?;
    let (short, long) = (executor_pids(&server, "short"), executor_pids(&server, "long"));
    assert_eq!((short.len(), long.len()), (1 + 3, 2), "executors of the fake server");
    let profile = harness.finish()?;
    assert_eq!(pids_of(&profile, ProcessClass::ShortExecutor), short);
    assert_eq!(pids_of(&profile, ProcessClass::LongExecutor), long);
    let samples = samples(&profile.lines);
    let last = samples.last().context("no samples")?;
    let count = |class| last.classes.get(&class).map_or(0, |class| class.count);
    assert_eq!(count(ProcessClass::ShortExecutor), 4);
    assert_eq!(count(ProcessClass::LongExecutor), 2);
    assert_eq!(count(ProcessClass::StartingExecutor), 0);
    assert_eq!(pids_of(&profile, ProcessClass::Server), BTreeSet::from([server.pid()]));
    server.finish()
}

#[test]
fn every_peak_is_the_high_water_mark() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_EXECUTOR_MIB", "48")])?;
    let harness = profile_server(&server)?;
    send_requests(&server, "/status", 3)?;
    send_requests(&server, "/launch", 2)?;
    let high_water_marks = high_water_marks(&server.processes())?;
    let profile = harness.finish()?;
    assert_eq!(profile.table.processes.len(), high_water_marks.len());
    for (pid, high_water) in high_water_marks {
        let record = profile.record(pid).context("no record of the process")?;
        assert_eq!(record.ending, Ending::Alive);
        assert_near(record.peak, high_water, pid);
    }
    for executor in server.executors() {
        let peak = profile.record(executor.pid).and_then(|record| record.peak);
        assert!(peak >= Some(ByteSize::mib(48)), "{executor:?}: {peak:?}");
    }
    Ok(())
}

#[test]
fn no_spike_of_40_ms_is_missed() -> anyhow::Result<()> {
    let server = FakeServer::start(&[CONCURRENT, NO_DAEMON, ("FAKE_SKY_SPIKE_MIB", "200")])?;
    let harness = profile_server(&server)?;
    send_requests(&server, "/status", 3)?;
    send_requests(&server, "/launch", 1)?;
    let high_water_marks = high_water_marks(&server.executors())?;
    assert_eq!(high_water_marks.len(), 3 + 1);
    let profile = harness.finish()?;
    for (pid, high_water) in high_water_marks {
        let record = profile.record(pid).context("no record of the process")?;
        assert!(record.peak >= Some(ByteSize::mib(200)), "{record:?}");
        assert_near(record.peak, high_water, pid);
    }
    // The spikes were over at the last sample.
    let samples = samples(&profile.lines);
    let last = samples.last().context("no samples")?;
    assert!(last.classes[&ProcessClass::ShortExecutor].rss_max < ByteSize::mib(100));
    Ok(())
}

#[test]
fn another_server_on_the_machine_is_not_counted() -> anyhow::Result<()> {
    let (ours, theirs) = (FakeServer::start(&[])?, FakeServer::start(&[])?);
    let harness = profile_server(&ours)?;
    send_requests(&ours, "/status", 2)?;
    send_requests(&theirs, "/status", 2)?;
    harness.wait_for_sample()?;
    let (own, foreign) = (ours.processes(), theirs.processes());
    let profile = harness.finish()?;
    assert!(foreign.len() >= 4, "{foreign:?}");
    assert!(foreign.iter().all(|process| profile.record(process.pid).is_none()));
    let seen: BTreeSet<_> = profile.table.processes.iter().map(|one| one.identity.pid).collect();
    assert_eq!(seen, own.iter().map(|process| process.pid).collect());
    Ok(())
}

#[test]
fn peaks_of_another_server_are_not_reset() -> anyhow::Result<()> {
    let spikes = [("FAKE_SKY_SPIKE_MIB", "100"), CONCURRENT, NO_DAEMON];
    let (ours, theirs) = (FakeServer::start(&spikes)?, FakeServer::start(&spikes)?);
    let harness = profile_server(&ours)?;
    send_requests(&ours, "/status", 1)?;
    send_requests(&theirs, "/status", 1)?;
    let (own, foreign) =
        (high_water_marks(&ours.executors())?, high_water_marks(&theirs.executors())?);
    let window = Window::Phase(Phase::Cooldown);
    harness.send(&ProfilerCommand::BeginWindow { window })?;
    harness.wait_for(|notice| *notice == Notice::WindowBegan { window })?;
    let reset = high_water_marks(&ours.executors())?;
    assert_eq!(high_water_marks(&theirs.executors())?, foreign);
    let spiked = |high_water_marks: &BTreeMap<u32, ByteSize>| {
        high_water_marks.values().filter(|high_water| **high_water > ByteSize::mib(100)).count()
    };
    assert!(spiked(&own) > 0 && spiked(&foreign) > 0);
    assert_eq!(spiked(&reset), 0);
    let profile = harness.finish()?;
    let peaks = profile.lines.iter().find_map(|line| match line {
        ProfileLine::PhasePeaks(peaks) => Some(peaks),
        _ => None,
    });
    let peaks = peaks.context("no peaks of the window")?;
    assert_eq!((peaks.window, peaks.not_reset), (window, 0));
    assert!(peaks.classes[&ProcessClass::ShortExecutor] < ByteSize::mib(100));
    // The reset does not change the peak of the whole profile.
    let of_class = |record: &&ProcessRecord| record.class == ProcessClass::ShortExecutor;
    let whole = profile.table.processes.iter().filter(of_class).filter_map(|one| one.peak).max();
    assert!(whole > Some(ByteSize::mib(100)));
    Ok(())
}

#[test]
fn the_queue_process_is_found_by_its_port() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let harness = profile_server(&server)?;
    send_requests(&server, "/status", 1)?;
    let spawned = |process: &Process| process.command_line.contains("multiprocessing.spawn");
    let queue: BTreeSet<_> =
        server.processes().into_iter().filter(spawned).map(|process| process.pid).collect();
    let profile = harness.finish()?;
    assert_eq!(queue.len(), 1, "only the queue has no title");
    assert_eq!(pids_of(&profile, ProcessClass::Queue), queue);
    Ok(())
}

#[test]
fn after_a_server_is_killed_its_orphans_are_still_sampled() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    let harness = profile_server(&server)?;
    send_requests(&server, "/status", 2)?;
    let orphans = executor_pids(&server, "short");
    kill_hard(server.pid());
    harness.wait_for(|notice| matches!(notice, Notice::ServerGone { .. }))?;
    harness.wait_for_sample()?;
    harness.wait_for_sample()?;
    let high_water_marks = high_water_marks(&server.executors())?;
    let profile = harness.finish()?;
    assert_ne!(
        profile.record(server.pid()).context("no record of the server")?.ending,
        Ending::Alive
    );
    assert_eq!(high_water_marks.keys().copied().collect::<BTreeSet<_>>(), orphans);
    for (pid, high_water) in high_water_marks {
        let record = profile.record(pid).context("no record of an orphan")?;
        assert_eq!((record.class, record.ending), (ProcessClass::ShortExecutor, Ending::Alive));
        assert_near(record.peak, high_water, pid);
    }
    let gone = |line: &ProfileLine| matches!(line, ProfileLine::ServerGone { .. });
    let at = profile.lines.iter().position(gone).context("no ServerGone line")?;
    let after = samples(&profile.lines[at..]);
    let last = after.last().context("no samples after the exit")?;
    let counted = last.classes[&ProcessClass::ShortExecutor].count;
    assert_eq!(usize::try_from(counted)?, orphans.len());
    assert!(!last.classes.contains_key(&ProcessClass::Server));
    Ok(())
}
