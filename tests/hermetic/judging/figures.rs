//! Figures of a run whose every number is known.

use skyload::class::ProcessClass;
use skyload::report::{Report, Temperature, text};
use skyload::sample::{Phase, ProfileLine};
use skyload::units::ByteSize;

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
    evidence.marks[0].at = at(1_000);
    for line in &mut evidence.profile {
        if let ProfileLine::Tick(tick) = line
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
    assert_eq!((short.processes, short.most_at_once), (2, 2));
    assert_eq!(short.mean_peak, Some(ByteSize::mib(175)));
    assert_eq!(short.rss_sum_peak, Some(ByteSize::mib(340)));
    let starting = memory.class(ProcessClass::Starting).unwrap();
    assert_eq!((starting.processes, starting.peak), (1, Some(ByteSize::mib(165))));
    assert_eq!(memory.tree_rss_peak, Some(ByteSize::mib(190 + 340)));
    assert_eq!(memory.most_processes, 3);
}

#[test]
fn phases_end_where_the_next_begins() {
    let report = Report::assemble(&good_run(&four_users()));
    let spans: Vec<_> =
        report.phases.iter().map(|span| (span.phase, span.began, span.ended)).collect();
    assert_eq!(
        spans,
        [
            (Phase::Baseline, at(0), at(LOAD_BEGAN)),
            (Phase::Load, at(LOAD_BEGAN), at(LOAD_ENDED)),
            (Phase::Drain, at(LOAD_ENDED), at(ALL_ENDED)),
        ]
    );
}

#[test]
fn throughput_counts_turns_over_the_time_of_their_wave() {
    let report = Report::assemble(&good_run(&four_users()));
    let wave = &report.scenarios[0].waves[0];
    assert_eq!(wave.throughput, Some(0.4));
    assert_eq!(wave.temperature, Temperature::Cold);
    assert_eq!(wave.turns.unwrap().max.as_secs(), 4);
}

#[test]
fn a_report_survives_the_way_through_its_file() {
    let report = Report::assemble(&good_run(&four_users()));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn the_text_begins_with_the_original_block() {
    let report = Report::assemble(&good_run(&four_users()));
    let mut text = Vec::new();
    text::render(&report, &mut text).unwrap();
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
}

#[test]
fn a_run_without_a_server_is_rendered_all_the_same() {
    let mut evidence = good_run(&four_users());
    evidence.environment = None;
    evidence.processes = None;
    evidence.profile.clear();
    evidence.outcomes.clear();
    evidence.marks.clear();
    let mut text = Vec::new();
    text::render(&Report::assemble(&evidence), &mut text).unwrap();
    insta::assert_snapshot!(String::from_utf8(text).unwrap());
}
