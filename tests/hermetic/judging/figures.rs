//! Figures of a run whose every number is known.

use skyload::analysis::{Evidence, Exactness, Report, Start, Verdict};
use skyload::class::ProcessClass;
use skyload::clock::Timestamp;
use skyload::record::events::{Event, LoggedEvent, StopReason};
use skyload::record::profile::{ClassSnapshot, Phase, ProfileLine};
use skyload::record::request::LoadRequest;
use skyload::units::ByteSize;

use super::changes::Change;
use super::evidence::{ALL_ENDED, LOAD_BEGAN, LOAD_ENDED, at, four_users, good_run};

#[test]
fn the_summary_means_what_it_meant_in_the_original_tool() {
    let report = Report::assemble(&good_run(&four_users()));
    let summary = report.summary.unwrap();
    assert_eq!(summary.duration.as_millis(), u128::from(ALL_ENDED));
    assert_eq!((summary.baseline_cpu, summary.peak_cpu), (10.0, 90.0));
    assert_eq!(summary.baseline_memory, ByteSize::gib(2));
    assert_eq!(summary.peak_memory, ByteSize::gib(6));
    assert_eq!(summary.short_peak, Some(ByteSize::mib(180)), "the kernel's mark");
    assert_eq!(summary.short_average_peak, Some(ByteSize::mib(170)), "resident, in the last tick");
    assert_eq!(summary.long_peak, None, "none ran, which is not 0 bytes");
    // 11 of 71 readings are of the baseline.
    assert!((summary.average_cpu - (11.0 * 10.0 + 60.0 * 90.0) / 71.0).abs() < 1e-9);
}

#[test]
fn the_time_in_which_the_server_comes_to_rest_is_not_of_the_baseline() {
    let mut evidence = good_run(&four_users());
    evidence.events[0].at = at(1_000);
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(tick) = line
            && tick.at < at(1_000)
            && let Some(system) = &mut tick.system
        {
            (system.cpu_percent, system.memory_used) = (100.0, ByteSize::gib(8));
        }
    }
    let summary = Report::assemble(&evidence).summary.unwrap();
    assert_eq!(summary.baseline_cpu, 10.0);
    assert_eq!(summary.baseline_memory, ByteSize::gib(2));
}

#[test]
fn a_worker_counts_as_starting_and_as_what_it_became() {
    let report = Report::assemble(&good_run(&four_users()));
    let memory = report.memory.unwrap();
    let short = memory.class(ProcessClass::ShortExecutor).unwrap();
    assert_eq!((short.processes, short.concurrent), (2, 2));
    assert_eq!(short.mean_peak, Some(ByteSize::mib(175)));
    assert_eq!(short.rss_sum_peak, Some(ByteSize::mib(340)));
    let starting = memory.class(ProcessClass::StartingExecutor).unwrap();
    assert_eq!((starting.processes, starting.peak), (1, Some(ByteSize::mib(165))));
    assert_eq!(memory.tree_rss_peak, Some(ByteSize::mib(190 + 340)));
    assert_eq!(memory.most_processes, 3);
}

#[test]
fn the_largest_of_a_class_is_named() {
    let report = Report::assemble(&good_run(&four_users()));
    let memory = report.memory.unwrap();
    let largest = memory.class(ProcessClass::ShortExecutor).unwrap().largest;
    assert_eq!(largest.map(|process| process.pid), Some(3));
}

#[test]
fn without_the_table_of_processes_peaks_are_those_of_the_ticks() {
    let mut evidence = good_run(&four_users());
    evidence.processes = None;
    let memory = Report::assemble(&evidence).memory.unwrap();
    let short = memory.class(ProcessClass::ShortExecutor).unwrap();
    assert_eq!(short.peak, Some(ByteSize::mib(170)));
    assert_eq!((short.processes, short.largest, short.mean_peak), (0, None, None));
    assert_eq!(short.exactness, Exactness::Unbounded, "resident memory is no mark");
}

#[test]
fn a_table_from_before_the_last_ticks_knows_no_peak_for_sure() {
    let mut evidence = good_run(&four_users());
    evidence.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    for pid in [1, 2, 3] {
        evidence.record(pid).last_read = Some(at(ALL_ENDED - 5_000));
    }
    let exactness = |evidence: &Evidence| {
        let memory = Report::assemble(evidence).memory.unwrap();
        memory.class(ProcessClass::ShortExecutor).unwrap().exactness
    };
    assert_eq!(exactness(&evidence), Exactness::Unbounded);
    evidence.record(2).last_read = Some(at(ALL_ENDED));
    assert_eq!(exactness(&evidence), Exactness::Exact, "it is from the end");
}

#[test]
fn what_was_seen_after_the_last_table_is_not_forgotten() {
    let mut evidence = good_run(&four_users());
    evidence.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    for pid in [1, 2, 3] {
        evidence.record(pid).last_read = Some(at(LOAD_BEGAN));
    }
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(tick) = line
            && let Some(short) = tick.classes.get_mut(&ProcessClass::ShortExecutor)
        {
            short.rss_max = ByteSize::mib(700);
        }
    }
    let report = Report::assemble(&evidence);
    let short = *report.memory.unwrap().class(ProcessClass::ShortExecutor).unwrap();
    assert_eq!((short.peak, short.largest), (Some(ByteSize::mib(700)), None));
    assert_eq!(report.verdict, Verdict::OverBudget);
}

#[test]
fn a_snapshot_is_summed_over_its_classes() {
    let mut evidence = good_run(&four_users());
    for line in &mut evidence.profile {
        if let ProfileLine::Snapshot(snapshot) = line {
            let short = snapshot.classes[&ProcessClass::ShortExecutor];
            snapshot.classes.insert(ProcessClass::Server, short);
        }
    }
    let memory = Report::assemble(&evidence).memory.unwrap();
    let phases: Vec<_> = memory.snapshots.iter().map(|snapshot| snapshot.phase).collect();
    assert_eq!(phases, [Phase::Baseline, Phase::Load, Phase::Cooldown]);
    let load = &memory.snapshots[1];
    assert_eq!((load.processes, load.threads), (6, 18));
    assert_eq!((load.pss, load.uss), (ByteSize::mib(800), ByteSize::mib(600)));
}

#[test]
fn zombies_are_those_of_the_phases_last_tick() {
    let mut evidence = good_run(&four_users());
    evidence.zombies_from(LOAD_ENDED - 200, 3);
    evidence.zombies_from(LOAD_ENDED, 2);
    evidence.silence(LOAD_ENDED, ALL_ENDED + 1);
    let memory = Report::assemble(&evidence).memory.unwrap();
    let zombies: Vec<_> = memory.snapshots.iter().map(|snapshot| snapshot.zombies).collect();
    assert_eq!(zombies, [Some(0), Some(2), None], "nobody looked in the cooldown");
}

#[test]
fn growth_is_told_by_class_before_and_after() {
    let mut evidence = good_run(&four_users());
    let short = ProcessClass::ShortExecutor;
    let long = ClassSnapshot { count: 2, threads: 4, pss: ByteSize::mib(70), ..Default::default() };
    evidence.snapshot(Phase::Cooldown).classes.insert(ProcessClass::LongExecutor, long);
    evidence.snapshot(Phase::Cooldown).classes.remove(&short);
    let growth = Report::assemble(&evidence).memory.unwrap().growth.unwrap();
    let [of_short, of_long] = &growth.classes[..] else { panic!("{growth:?}") };
    assert_eq!((of_short.class, of_short.before.count, of_short.after.count), (short, 3, 0));
    assert_eq!((of_long.before, of_long.after), (ClassSnapshot::default(), long));
    assert_eq!(growth.pss, Some(ByteSize(0)), "400 MiB went, 70 came");
}

fn phases(marks: &[LoggedEvent]) -> Vec<(Phase, Timestamp, Timestamp)> {
    let mut evidence = good_run(&four_users());
    evidence.events = marks.to_vec();
    let spans = Report::assemble(&evidence).phases.into_iter();
    spans.map(|span| (span.phase, span.began, span.ended)).collect()
}

fn mark(millis: u64, event: Event) -> LoggedEvent {
    LoggedEvent { at: at(millis), event }
}

#[test]
fn phases_end_where_the_next_begins_and_nowhere_else() {
    let marks = [
        mark(0, Event::PhaseBegan(Phase::Baseline)),
        mark(LOAD_BEGAN, Event::PhaseBegan(Phase::Load)),
        mark(5_000, Event::ServerGone),
        mark(5_000, Event::LoadStopped(StopReason::ServerLost)),
        mark(LOAD_ENDED, Event::PhaseBegan(Phase::Cooldown)),
        mark(ALL_ENDED, Event::PhasesEnded),
    ];
    let expected = [
        (Phase::Baseline, at(0), at(LOAD_BEGAN)),
        (Phase::Load, at(LOAD_BEGAN), at(LOAD_ENDED)),
        (Phase::Cooldown, at(LOAD_ENDED), at(ALL_ENDED)),
    ];
    assert_eq!(phases(&marks), expected);
}

#[test]
fn an_interrupted_baseline_is_followed_by_the_cooldown() {
    let marks = [
        mark(0, Event::PhaseBegan(Phase::Baseline)),
        mark(1_000, Event::LoadStopped(StopReason::Interrupted)),
        mark(1_000, Event::PhaseBegan(Phase::Cooldown)),
        mark(1_500, Event::PhasesEnded),
    ];
    let expected = [(Phase::Baseline, at(0), at(1_000)), (Phase::Cooldown, at(1_000), at(1_500))];
    assert_eq!(phases(&marks), expected);
}

#[test]
fn the_phase_in_which_a_run_was_killed_ends_with_its_last_trace() {
    let marks = [
        mark(0, Event::PhaseBegan(Phase::Baseline)),
        mark(LOAD_BEGAN, Event::PhaseBegan(Phase::Load)),
    ];
    let expected =
        [(Phase::Baseline, at(0), at(LOAD_BEGAN)), (Phase::Load, at(LOAD_BEGAN), at(ALL_ENDED))];
    assert_eq!(phases(&marks), expected, "the profiler went on");
}

#[test]
fn without_a_baseline_the_first_reading_stands_for_it() {
    let mut evidence = good_run(&four_users());
    evidence.events.clear();
    let Some(ProfileLine::Sample(first)) = evidence.profile.get_mut(1) else { panic!("a tick") };
    first.system.as_mut().unwrap().cpu_percent = 50.0;
    assert_eq!(Report::assemble(&evidence).summary.unwrap().baseline_cpu, 50.0);
}

#[test]
fn throughput_counts_iterations_over_the_time_of_their_segment() {
    let report = Report::assemble(&good_run(&four_users()));
    let segment = &report.scenarios[0].segments[0];
    assert_eq!(segment.throughput, Some(0.4));
    assert_eq!(segment.start, Start::Cold);
    assert_eq!(segment.iteration_duration.unwrap().max.as_secs(), 4);
}

#[test]
fn a_segment_without_a_length_has_no_throughput() {
    let mut evidence = good_run(&four_users());
    evidence.segment().ended = evidence.segment().began;
    assert_eq!(Report::assemble(&evidence).scenarios[0].segments[0].throughput, None);
}

#[test]
fn temperatures_of_a_server_that_was_not_restarted_are_unknown() {
    let request = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..four_users() };
    let report = Report::assemble(&good_run(&request));
    assert_eq!(report.scenarios[0].segments[0].start, Start::Unknown);
}

#[test]
fn a_report_survives_the_way_through_its_file() {
    let report = Report::assemble(&good_run(&four_users()));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}
