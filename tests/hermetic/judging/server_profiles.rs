//! Profiles from the server's machine (`--server-profile`), with timestamps of its clock.

use std::time::Duration;

use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::clock::{ClockOffset, Timestamp};
use skyload::metric::Metric;
use skyload::record::events::Event;
use skyload::record::profile::{Phase, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::units::ByteSize;

use super::attribution::attribute;
use super::changes::Change;
use super::evidence::{ALL_ENDED, at, four_users, good_run};

/// Offset of the server's clock: five minutes ahead, known to 20 ms.
const AHEAD: Duration = Duration::from_secs(300);

/// Evidence of a good run on a remote server, with a profile from its machine.
fn remote_run() -> Evidence {
    remote(|_| ())
}

/// Request for a load of a remote server, with a profile from its machine.
pub(super) fn remote_request() -> LoadRequest {
    LoadRequest {
        server: Some("http://127.0.0.1:1".to_owned()),
        server_profile: Some("/profile".into()),
        ..four_users()
    }
}

/// Evidence of a remote run with a change from before its times are the server's.
fn remote(change: impl FnOnce(&mut Evidence)) -> Evidence {
    let mut run = good_run(&remote_request());
    change(&mut run);
    with_profile_from_the_server(run)
}

/// Evidence of a run whose profile has times of the server's clock and knows no phases.
pub(super) fn with_profile_from_the_server(mut run: Evidence) -> Evidence {
    let offset = ClockOffset::bounded_by(at(0), at(20).plus(AHEAD), at(40));
    run.happens(ALL_ENDED + 100, Event::ClockCompared(offset));
    for line in &mut run.profile {
        to_server_clock(line);
        if let ProfileLine::Snapshot(snapshot) = line {
            // A profiler on the server's machine knows no phases of the run.
            snapshot.phase = Phase::Watch;
        }
    }
    for record in &mut run.processes.as_mut().expect("a good run has one").processes {
        record.first_seen = record.first_seen.plus(AHEAD);
        record.last_read = record.last_read.map(|at| at.plus(AHEAD));
        record.exited = record.exited.map(|at| at.plus(AHEAD));
    }
    for request in run.server_requests.iter_mut().flat_map(|record| &mut record.requests) {
        request.created = request.created.map(|at| at.plus(AHEAD));
        request.finished = request.finished.map(|at| at.plus(AHEAD));
    }
    run
}

fn to_server_clock(line: &mut ProfileLine) {
    let forward = |at: &mut Timestamp| *at = at.plus(AHEAD);
    match line {
        ProfileLine::Header(header) => forward(&mut header.at),
        ProfileLine::Sample(sample) => forward(&mut sample.at),
        ProfileLine::Upstream(sample) => forward(&mut sample.at),
        ProfileLine::Executor(reading) => {
            forward(&mut reading.at);
            reading.since.iter_mut().for_each(forward);
        }
        ProfileLine::PhasePeaks(peaks) => forward(&mut peaks.at),
        ProfileLine::Readings(readings) => forward(&mut readings.at),
        ProfileLine::Requests(requests) => forward(&mut requests.at),
        ProfileLine::ServerGone { at } | ProfileLine::Footer { at, .. } => forward(at),
        ProfileLine::Snapshot(snapshot) => {
            forward(&mut snapshot.at);
            forward(&mut snapshot.until);
        }
    }
}

fn assembled(run: Evidence) -> Report {
    Report::assemble(&run.on_local_clock())
}

#[track_caller]
fn assert_finds(run: &Evidence, severity: Severity, message: &str) {
    let report = assembled(run.clone());
    let is_found = report
        .findings
        .iter()
        .any(|finding| finding.severity == severity && finding.message.contains(message));
    assert!(is_found, "{message}: {:#?}", report.findings);
}

#[test]
fn a_profile_of_the_servers_clock_has_the_figures_of_a_local_one() {
    let (local, remote) = (Report::assemble(&good_run(&four_users())), assembled(remote_run()));
    assert_eq!(remote.verdict, Verdict::Pass, "{:#?}", remote.findings);
    assert_eq!(local.summary, remote.summary);
    assert_eq!(local.budgets, remote.budgets);
    let [local, remote] = [local, remote].map(|report| report.memory.expect("the run is profiled"));
    assert_eq!(local.classes, remote.classes);
    assert_eq!(local.snapshots.len(), remote.snapshots.len());
    let message = "the server's clock is 300.000 s ahead (+- 0.020 s); its profile was shifted";
    assert_finds(&remote_run(), Severity::Note, message);
}

#[test]
fn peaks_on_the_servers_clock_have_the_same_causes() {
    let mut local = good_run(&four_users());
    attribute(&mut local);
    let local = Report::assemble(&local).attribution;
    assert!(local.is_some());
    assert_eq!(assembled(remote(attribute)).attribution, local);
}

#[test]
fn processes_of_the_servers_clock_have_local_times() {
    let exits = |run: &mut Evidence| run.record(3).exited = Some(at(ALL_ENDED - 1_000));
    let mut local = good_run(&four_users());
    exits(&mut local);
    let times = |run: Evidence| {
        let records = run.processes.expect("a good run has one").processes;
        let times = records.iter().map(|one| [Some(one.first_seen), one.last_read, one.exited]);
        times.collect::<Vec<_>>()
    };
    assert_eq!(times(remote(exits).on_local_clock()), times(local));
}

#[test]
fn snapshots_get_the_phase_in_which_they_were_taken() {
    let memory = assembled(remote_run()).memory.expect("the run is profiled");
    let phases: Vec<Phase> = memory.snapshots.iter().map(|snapshot| snapshot.phase).collect();
    assert_eq!(phases, [Phase::Baseline, Phase::Load, Phase::Cooldown]);
}

#[test]
fn a_profile_without_a_comparison_of_clocks_is_inconclusive() {
    let mut run = remote_run();
    run.events.retain(|logged| !matches!(logged.event, Event::ClockCompared(_)));
    assert_eq!(assembled(run.clone()).verdict, Verdict::Inconclusive);
    assert_finds(&run, Severity::Inconclusive, "clock was not compared with this machine's");
    assert_finds(&run, Severity::Inconclusive, "does not cover baseline to cooldown");
}

#[test]
fn a_profile_that_ended_before_the_cooldown_has_a_hint() {
    let mut run = remote_run();
    let end = at(ALL_ENDED - 5_000).plus(AHEAD);
    run.profile.retain(|line| !matches!(line, ProfileLine::Sample(sample) if sample.at > end));
    assert_finds(&run, Severity::Inconclusive, "the server's profile does not cover baseline");
    assert_finds(&run, Severity::Inconclusive, "report 20261124-080000-test --server-profile PATH");
}

#[test]
fn a_profile_of_a_running_profiler_needs_a_process_table_from_after_the_run() {
    let mut run = remote_run();
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    assert_eq!(assembled(run.clone()).verdict, Verdict::Pass);
    for record in &mut run.processes.as_mut().expect("a good run has one").processes {
        record.last_read = Some(at(ALL_ENDED - 5_000).plus(AHEAD));
    }
    assert_finds(&run, Severity::Inconclusive, "list of processes is older than the end");
}

#[test]
fn samples_and_processes_from_before_and_after_the_run_are_left_out() {
    let mut run = remote_run();
    let early = run.record(3);
    (early.first_seen, early.last_read) = (at(0), Some(at(100)));
    let late = run.record(2);
    late.first_seen = at(ALL_ENDED + 1_000).plus(AHEAD);
    let Some(ProfileLine::Sample(first)) = run.profile.get(1).cloned() else {
        panic!("not a sample")
    };
    let mut before = first.clone();
    before.at = at(0);
    for class in before.classes.values_mut() {
        class.rss_sum = ByteSize::gib(9);
    }
    run.profile.insert(1, ProfileLine::Sample(before));
    let memory = assembled(run.clone()).memory.expect("the run is profiled");
    let short = ProcessClass::ShortExecutor;
    let processes = memory.class(short).map(|class| class.processes);
    assert_eq!(processes, Some(0), "the class is in samples only");
    assert!(memory.tree_rss_peak.expect("the profile has samples") < ByteSize::gib(1));
}

#[test]
fn budgets_from_constants_of_another_version_are_inconclusive() {
    let mut run = remote_run();
    run.environment.as_mut().expect("a good run has one").server.version = "0.12.0".to_owned();
    assert_eq!(assembled(run.clone()).verdict, Verdict::Inconclusive);
    let message = "server is SkyPilot 0.12.0, client is 0.14.1: its constants may differ";
    assert_finds(&run, Severity::Inconclusive, message);
    run.plan.budgets.clear();
    run.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(200));
    assert_finds(&run, Severity::Note, "server is SkyPilot 0.12.0, client is 0.14.1");
}

#[test]
fn commits_of_one_version_are_compared_without_dirty() {
    let mut run = remote_run();
    let environment = run.environment.as_mut().expect("a good run has one");
    environment.sky.commit = Some("7e59-dirty".to_owned());
    environment.server.commit = Some("7e59".to_owned());
    assert_eq!(environment.skew(), None, "packagers build from a changed tree");
    environment.server.commit = Some("84a8".to_owned());
    let skew = "server is SkyPilot 0.14.1 (84a8), client is 0.14.1 (7e59-dirty)";
    assert_eq!(environment.skew().as_deref(), Some(skew));
}

#[test]
fn an_exit_of_the_profiled_server_is_inconclusive() {
    let mut run = remote_run();
    run.profile.push(ProfileLine::ServerGone { at: at(6_000).plus(AHEAD) });
    assert_finds(&run, Severity::Inconclusive, "profiled main process exited after 6.0 s");
}
