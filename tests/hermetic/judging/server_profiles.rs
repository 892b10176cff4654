//! A profile that was made on the server's machine, by the server's clock.

use std::time::Duration;

use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::clock::{ClockOffset, Timestamp};
use skyload::metric::Metric;
use skyload::record::events::Event;
use skyload::record::profile::{Phase, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::units::ByteSize;

use super::changes::Change;
use super::evidence::{ALL_ENDED, at, four_users, good_run};

/// The server's clock is five minutes ahead, and we know that to 20 ms.
const AHEAD: Duration = Duration::from_secs(300);

/// A good run on a server elsewhere, with that machine's profile.
fn remote_run() -> Evidence {
    let request = LoadRequest {
        server: Some("http://127.0.0.1:1".to_owned()),
        server_profile: Some("/profile".into()),
        ..four_users()
    };
    let mut run = good_run(&request);
    let offset = ClockOffset::bounded_by(at(0), at(20).plus(AHEAD), at(40));
    run.happens(ALL_ENDED + 100, Event::ClockCompared(offset));
    for line in &mut run.profile {
        put_forward(line);
        if let ProfileLine::Snapshot(snapshot) = line {
            // Over there nobody knows of phases.
            snapshot.phase = Phase::Watch;
        }
    }
    for record in &mut run.processes.as_mut().expect("it is good").processes {
        record.first_seen = record.first_seen.plus(AHEAD);
        record.last_read = record.last_read.map(|at| at.plus(AHEAD));
    }
    run
}

fn put_forward(line: &mut ProfileLine) {
    let forward = |at: &mut Timestamp| *at = at.plus(AHEAD);
    match line {
        ProfileLine::Header(header) => forward(&mut header.at),
        ProfileLine::Sample(tick) => forward(&mut tick.at),
        ProfileLine::Upstream(look) => forward(&mut look.at),
        ProfileLine::PhasePeaks(peaks) => forward(&mut peaks.at),
        ProfileLine::ServerGone { at } | ProfileLine::Footer { at, .. } => forward(at),
        ProfileLine::Snapshot(snapshot) => {
            forward(&mut snapshot.at);
            forward(&mut snapshot.until);
        }
    }
}

fn assembled(run: Evidence) -> Report {
    Report::assemble(&run.by_our_clock())
}

#[track_caller]
fn assert_finds(run: &Evidence, severity: Severity, words: &str) {
    let judgement = assembled(run.clone());
    let finds = judgement
        .findings
        .iter()
        .any(|finding| finding.severity == severity && finding.message.contains(words));
    assert!(finds, "{words}: {:#?}", judgement.findings);
}

#[test]
fn a_profile_by_another_clock_says_what_one_by_ours_would() {
    let (here, there) = (Report::assemble(&good_run(&four_users())), assembled(remote_run()));
    assert_eq!(there.verdict, Verdict::Pass, "{:#?}", there.findings);
    let (ours, theirs) = (here.memory.expect("profiled"), there.memory.expect("profiled"));
    assert_eq!(ours.classes, theirs.classes);
    assert_eq!(ours.snapshots.len(), theirs.snapshots.len());
    assert_eq!(here.summary, there.summary);
    assert_eq!(here.budgets, there.budgets);
    let words = "the server's clock is 300.000 s ahead (+- 0.020 s); its profile was shifted";
    assert_finds(&remote_run(), Severity::Note, words);
}

#[test]
fn snapshots_are_of_the_phase_in_which_they_were_taken() {
    let memory = assembled(remote_run()).memory.expect("profiled");
    let phases: Vec<Phase> = memory.snapshots.iter().map(|snapshot| snapshot.phase).collect();
    assert_eq!(phases, [Phase::Baseline, Phase::Load, Phase::Cooldown]);
}

#[test]
fn without_a_comparison_of_clocks_a_profile_proves_nothing() {
    let mut run = remote_run();
    run.events.retain(|mark| !matches!(mark.event, Event::ClockCompared(_)));
    assert_eq!(assembled(run.clone()).verdict, Verdict::Inconclusive);
    assert_finds(&run, Severity::Inconclusive, "clock was not compared with this machine's");
    assert_finds(&run, Severity::Inconclusive, "does not cover baseline to cooldown");
}

#[test]
fn a_profile_that_ended_before_the_cooldown_did_says_what_to_do() {
    let mut run = remote_run();
    let end = at(ALL_ENDED - 5_000).plus(AHEAD);
    run.profile.retain(|line| !matches!(line, ProfileLine::Sample(tick) if tick.at > end));
    assert_finds(&run, Severity::Inconclusive, "the server's profile does not cover baseline");
    assert_finds(&run, Severity::Inconclusive, "report 20261124-080000-test --server-profile PATH");
}

#[test]
fn a_profile_that_still_goes_on_counts_once_its_processes_were_listed() {
    let mut run = remote_run();
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    assert_eq!(assembled(run.clone()).verdict, Verdict::Pass);
    for record in &mut run.processes.as_mut().expect("it is good").processes {
        record.last_read = Some(at(ALL_ENDED - 5_000).plus(AHEAD));
    }
    assert_finds(&run, Severity::Inconclusive, "list of processes is older than the end");
}

#[test]
fn what_was_before_and_after_the_run_does_not_count() {
    let mut run = remote_run();
    let early = run.record(3);
    (early.first_seen, early.last_read) = (at(0), Some(at(100)));
    let late = run.record(2);
    late.first_seen = at(ALL_ENDED + 1_000).plus(AHEAD);
    let Some(ProfileLine::Sample(first)) = run.profile.get(1).cloned() else { panic!("a tick") };
    let mut before = first.clone();
    before.at = at(0);
    for class in before.classes.values_mut() {
        class.rss_sum = skyload::units::ByteSize::gib(9);
    }
    run.profile.insert(1, ProfileLine::Sample(before));
    let memory = assembled(run.clone()).memory.expect("profiled");
    let short = skyload::class::ProcessClass::ShortExecutor;
    assert_eq!(memory.class(short).map(|class| class.processes), Some(0), "only ticks have it");
    assert!(memory.tree_rss_peak.expect("ticks") < skyload::units::ByteSize::gib(1));
}

#[test]
fn constants_of_another_skypilot_are_no_budgets_for_a_server() {
    let mut run = remote_run();
    run.environment.as_mut().expect("it is good").server.version = "0.12.0".to_owned();
    assert_eq!(assembled(run.clone()).verdict, Verdict::Inconclusive);
    let words = "server is SkyPilot 0.12.0, client is 0.14.1: its constants may differ";
    assert_finds(&run, Severity::Inconclusive, words);
    run.plan.budgets.clear();
    run.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(200));
    assert_finds(&run, Severity::Note, "server is SkyPilot 0.12.0, client is 0.14.1");
}

#[test]
fn one_version_may_be_two_builds() {
    let mut run = remote_run();
    let environment = run.environment.as_mut().expect("it is good");
    environment.sky.commit = Some("7e59-dirty".to_owned());
    environment.server.commit = Some("7e59".to_owned());
    assert_eq!(environment.skew(), None, "the change is the packager's");
    environment.server.commit = Some("84a8".to_owned());
    let skew = "server is SkyPilot 0.14.1 (84a8), client is 0.14.1 (7e59-dirty)";
    assert_eq!(environment.skew().as_deref(), Some(skew));
}

#[test]
fn a_server_that_ended_over_there_is_no_pass() {
    let mut run = remote_run();
    run.profile.push(ProfileLine::ServerGone { at: at(6_000).plus(AHEAD) });
    assert_finds(&run, Severity::Inconclusive, "profiled main process exited after 6.0 s");
}
