//! Figures of a run with known numbers.

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
fn the_summary_has_upstreams_definitions() {
    let report = Report::assemble(&good_run(&four_users()));
    let summary = report.summary.unwrap();
    assert_eq!(summary.duration.as_millis(), u128::from(ALL_ENDED));
    assert_eq!((summary.baseline_cpu, summary.peak_cpu), (10.0, 90.0));
    assert_eq!(summary.baseline_memory, ByteSize::gib(2));
    assert_eq!(summary.peak_memory, ByteSize::gib(6));
    assert_eq!(summary.short_peak, Some(ByteSize::mib(180)), "high-water mark");
    assert_eq!(summary.short_average_peak, Some(ByteSize::mib(170)), "RSS in the last sample");
    assert_eq!(summary.long_peak, None, "no executor ran: not 0 bytes");
    // 11 of 71 readings are in the baseline.
    assert!((summary.average_cpu - (11.0 * 10.0 + 60.0 * 90.0) / 71.0).abs() < 1e-9);
}

#[test]
fn the_baseline_excludes_the_time_before_the_server_settled() {
    let mut evidence = good_run(&four_users());
    evidence.events[0].at = at(1_000);
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(sample) = line
            && sample.at < at(1_000)
            && let Some(system) = &mut sample.system
        {
            (system.cpu_percent, system.memory_used) = (100.0, ByteSize::gib(8));
        }
    }
    let summary = Report::assemble(&evidence).summary.unwrap();
    assert_eq!(summary.baseline_cpu, 10.0);
    assert_eq!(summary.baseline_memory, ByteSize::gib(2));
}

#[test]
fn an_executor_counts_as_starting_and_as_its_later_class() {
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
fn the_largest_process_of_a_class_is_identified() {
    let report = Report::assemble(&good_run(&four_users()));
    let memory = report.memory.unwrap();
    let largest = memory.class(ProcessClass::ShortExecutor).unwrap().largest;
    assert_eq!(largest.map(|process| process.pid), Some(3));
}

#[test]
fn without_a_process_table_peaks_are_from_samples() {
    let mut evidence = good_run(&four_users());
    evidence.processes = None;
    let memory = Report::assemble(&evidence).memory.unwrap();
    let short = memory.class(ProcessClass::ShortExecutor).unwrap();
    assert_eq!(short.peak, Some(ByteSize::mib(170)));
    assert_eq!((short.processes, short.largest, short.mean_peak), (0, None, None));
    assert_eq!(short.exactness, Exactness::Unbounded, "samples miss short peaks");
}

#[test]
fn peaks_of_a_process_table_older_than_the_last_sample_are_lower_bounds() {
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
    assert_eq!(exactness(&evidence), Exactness::Exact, "the table is as new as the last sample");
}

#[test]
fn samples_after_the_last_process_table_count_for_peaks() {
    let mut evidence = good_run(&four_users());
    evidence.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    for pid in [1, 2, 3] {
        evidence.record(pid).last_read = Some(at(LOAD_BEGAN));
    }
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(sample) = line
            && let Some(short) = sample.classes.get_mut(&ProcessClass::ShortExecutor)
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
fn zombies_are_from_the_last_sample_of_a_phase() {
    let mut evidence = good_run(&four_users());
    evidence.zombies_from(LOAD_ENDED - 200, 3);
    evidence.zombies_from(LOAD_ENDED, 2);
    evidence.silence(LOAD_ENDED, ALL_ENDED + 1);
    let memory = Report::assemble(&evidence).memory.unwrap();
    let zombies: Vec<_> = memory.snapshots.iter().map(|snapshot| snapshot.zombies).collect();
    assert_eq!(zombies, [Some(0), Some(2), None], "the cooldown has no sample");
}

#[test]
fn growth_has_every_class_before_and_after() {
    let mut evidence = good_run(&four_users());
    let short = ProcessClass::ShortExecutor;
    let long = ClassSnapshot { count: 2, threads: 4, pss: ByteSize::mib(70), ..Default::default() };
    evidence.snapshot(Phase::Cooldown).classes.insert(ProcessClass::LongExecutor, long);
    evidence.snapshot(Phase::Cooldown).classes.remove(&short);
    let growth = Report::assemble(&evidence).memory.unwrap().growth.unwrap();
    let [of_short, of_long] = &growth.classes[..] else { panic!("{growth:?}") };
    assert_eq!((of_short.class, of_short.before.count, of_short.after.count), (short, 3, 0));
    assert_eq!((of_long.before, of_long.after), (ClassSnapshot::default(), long));
    assert_eq!(growth.pss, Some(ByteSize(0)), "400 MiB were freed, 70 MiB added");
}

fn phases(events: &[LoggedEvent]) -> Vec<(Phase, Timestamp, Timestamp)> {
    let mut evidence = good_run(&four_users());
    evidence.events = events.to_vec();
    let spans = Report::assemble(&evidence).phases.into_iter();
    spans.map(|span| (span.phase, span.began, span.ended)).collect()
}

fn logged(millis: u64, event: Event) -> LoggedEvent {
    LoggedEvent { at: at(millis), event }
}

#[test]
fn a_phase_ends_at_the_start_of_the_next_one_only() {
    let events = [
        logged(0, Event::PhaseBegan(Phase::Baseline)),
        logged(LOAD_BEGAN, Event::PhaseBegan(Phase::Load)),
        logged(5_000, Event::ServerGone),
        logged(5_000, Event::LoadStopped(StopReason::ServerLost)),
        logged(LOAD_ENDED, Event::PhaseBegan(Phase::Cooldown)),
        logged(ALL_ENDED, Event::PhasesEnded),
    ];
    let expected = [
        (Phase::Baseline, at(0), at(LOAD_BEGAN)),
        (Phase::Load, at(LOAD_BEGAN), at(LOAD_ENDED)),
        (Phase::Cooldown, at(LOAD_ENDED), at(ALL_ENDED)),
    ];
    assert_eq!(phases(&events), expected);
}

#[test]
fn an_interrupted_baseline_is_followed_by_the_cooldown() {
    let events = [
        logged(0, Event::PhaseBegan(Phase::Baseline)),
        logged(1_000, Event::LoadStopped(StopReason::Interrupted)),
        logged(1_000, Event::PhaseBegan(Phase::Cooldown)),
        logged(1_500, Event::PhasesEnded),
    ];
    let expected = [(Phase::Baseline, at(0), at(1_000)), (Phase::Cooldown, at(1_000), at(1_500))];
    assert_eq!(phases(&events), expected);
}

#[test]
fn the_phase_in_which_a_run_was_killed_ends_with_the_last_sample() {
    let events = [
        logged(0, Event::PhaseBegan(Phase::Baseline)),
        logged(LOAD_BEGAN, Event::PhaseBegan(Phase::Load)),
    ];
    let expected =
        [(Phase::Baseline, at(0), at(LOAD_BEGAN)), (Phase::Load, at(LOAD_BEGAN), at(ALL_ENDED))];
    assert_eq!(phases(&events), expected, "the profiler outlives the run");
}

#[test]
fn without_a_baseline_the_first_reading_is_used() {
    let mut evidence = good_run(&four_users());
    evidence.events.clear();
    let Some(ProfileLine::Sample(first)) = evidence.profile.get_mut(1) else {
        panic!("not a sample")
    };
    first.system.as_mut().unwrap().cpu_percent = 50.0;
    assert_eq!(Report::assemble(&evidence).summary.unwrap().baseline_cpu, 50.0);
}

#[test]
fn throughput_is_iterations_per_second_of_the_segment() {
    let report = Report::assemble(&good_run(&four_users()));
    let segment = &report.scenarios[0].segments[0];
    assert_eq!(segment.throughput, Some(0.4));
    assert_eq!(segment.start, Start::Cold);
    assert_eq!(segment.iteration_duration.unwrap().max.as_secs(), 4);
}

#[test]
fn a_segment_without_a_duration_has_no_throughput() {
    let mut evidence = good_run(&four_users());
    evidence.segment().ended = evidence.segment().began;
    assert_eq!(Report::assemble(&evidence).scenarios[0].segments[0].throughput, None);
}

#[test]
fn starts_on_a_server_that_was_not_restarted_are_unknown() {
    let request = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..four_users() };
    let report = Report::assemble(&good_run(&request));
    assert_eq!(report.scenarios[0].segments[0].start, Start::Unknown);
}

#[test]
fn a_report_is_read_back_as_written() {
    let report = Report::assemble(&good_run(&four_users()));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}
