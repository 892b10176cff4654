//! Rules of the verdict: each case makes one change to a good run and checks the verdict and a
//! finding.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::limits::MemoryLimit;
use skyload::metric::{Metric, ServerMetric};
use skyload::record::events::{Event, StopReason};
use skyload::record::outcome::Ended;
use skyload::record::profile::{Ending, ProfileLine, ProfilerLevel};
use skyload::record::request::LoadRequest;
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::changes::{Change, assert_verdict, never_read};
use super::evidence::{ALL_ENDED, LOAD_ENDED, at, four_users, good_run};

use ScenarioId::{ApiStatus, ProbeHealth};
use ServerMetric::{TreePss, TreeRss};
use Verdict::{Inconclusive, OverBudget, Pass, ScenarioFailed};

fn short(evidence: &mut Evidence, mib: u64) {
    evidence.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(mib));
}

/// Lets the largest short executor exit without a final reading, noticed `millis` after the last
/// one; `None` if the process was never read. Its fastest growth is 100 MiB/s.
fn exit_unread(evidence: &mut Evidence, millis: Option<u64>) {
    evidence.record(3).ending = Ending::Unread { unseen: millis.map(Duration::from_millis) };
}

fn sample_peaks(evidence: &mut Evidence) {
    let Some(ProfileLine::Header(header)) = evidence.profile.first_mut() else {
        panic!("a header")
    };
    header.level = ProfilerLevel::SampledRss;
}

/// Removes all samples of the cooldown but the last, with a `profiler-gap` of 1 s. Reading the
/// snapshot at the start of the cooldown takes `millis`.
fn snapshot_then_gap(evidence: &mut Evidence, millis: u64) {
    evidence.plan.validity.profiler_gap = Duration::from_secs(1);
    evidence.silence(LOAD_ENDED, ALL_ENDED);
    for line in &mut evidence.profile {
        if let ProfileLine::Snapshot(snapshot) = line
            && snapshot.at == at(LOAD_ENDED)
        {
            snapshot.until = at(LOAD_ENDED + millis);
        }
    }
}

/// Lets a request of a scenario be sent 3 s late.
fn overload(evidence: &mut Evidence, id: ScenarioId) {
    let outcome = evidence.outcomes.get_mut(&id).expect("the test's data is valid");
    outcome.segments[0].send_lateness.record(Duration::from_secs(3));
}

/// Records a step of 2 s.
fn step(evidence: &mut Evidence) {
    let steps = &mut evidence.segment().steps;
    steps.entry("status/get".to_owned()).or_default().record(Duration::from_secs(2));
}

/// Sets a p50 threshold of 1 s for `api:status`, whose median is above that.
fn slow(evidence: &mut Evidence) {
    evidence.thresholds(&["api:status p50 <= 1s"]);
}

#[rstest]
#[case::good_run(|_: &mut Evidence| {}, Pass, "")]
#[case::peak_at_its_budget(|e: &mut Evidence| short(e, 180), Pass, "")]
#[case::peak_above_its_budget(|e: &mut Evidence| short(e, 179), OverBudget, "short-executor: 180.0 MiB")]
#[case::failed_iteration(|e: &mut Evidence| e.fail_iterations(1), ScenarioFailed, "1 of 4 iterations failed; 1x")]
#[case::error_rate_at_its_threshold(
    |e: &mut Evidence| { e.fail_iterations(1); e.thresholds(&["api:status error-rate <= 25%"]); },
    Pass, "")]
#[case::error_rate_above_its_threshold(
    |e: &mut Evidence| { e.fail_iterations(2); e.thresholds(&["api:status error-rate <= 25%"]); },
    ScenarioFailed, "2 of 4")]
#[case::latency_below_its_threshold(
    |e: &mut Evidence| e.thresholds(&["api:status max <= 5s"]), Pass, "")]
#[case::error_rate_that_must_be_below_its_threshold(
    |e: &mut Evidence| { e.fail_iterations(1); e.thresholds(&["api:status error-rate < 25%"]); },
    ScenarioFailed, "1 of 4")]
#[case::error_rate_above_one_of_two_thresholds(
    |e: &mut Evidence| { e.fail_iterations(2);
        e.thresholds(&["api:status error-rate <= 90%", "api:status error-rate <= 25%"]); },
    ScenarioFailed, "2 of 4")]
#[case::error_rate_below_a_lower_limit(
    |e: &mut Evidence| e.thresholds(&["api:status error-rate >= 25%"]),
    ScenarioFailed, "api:status error-rate: 0%, threshold >= 25%")]
#[case::throughput_above_its_threshold(
    |e: &mut Evidence| e.thresholds(&["api:status throughput >= 0.4/s"]), Pass, "")]
#[case::throughput_below_its_threshold(
    |e: &mut Evidence| e.thresholds(&["api:status throughput > 0.5/s"]),
    ScenarioFailed, "api:status throughput: 0.4/s, threshold > 0.5/s")]
#[case::step_within_its_threshold(
    |e: &mut Evidence| { step(e); e.thresholds(&["api:status step status/get p99.9 < 3s"]); }, Pass, "")]
#[case::step_above_its_threshold(
    |e: &mut Evidence| { step(e); e.thresholds(&["api:status step status/get p99.9 < 1s"]); },
    ScenarioFailed, "api:status step status/get p99.9: 2.001 s, threshold < 1s")]
#[case::step_without_samples(
    |e: &mut Evidence| e.thresholds(&["api:status step status/get max < 1s"]),
    Pass, "api:status step status/get max < 1s: threshold skipped, no iteration got to the step")]
#[case::nothing_is_dropped_without_an_arrival_rate(
    |e: &mut Evidence| e.thresholds(&["api:status dropped < 1"]),
    Pass, "api:status dropped < 1: threshold skipped, the scenario has no arrival rate")]
#[case::latency_above_its_threshold(slow, ScenarioFailed, "api:status p50")]
#[case::latency_above_its_threshold_with_an_overloaded_load_generator(
    |e: &mut Evidence| { overload(e, ApiStatus); slow(e); },
    Inconclusive, "with an overloaded load generator")]
#[case::processes_killed_out_of_memory(
    |e: &mut Evidence| e.happens(5_000, Event::KilledForMemory { processes: 2, limit: Some(MemoryLimit {
        limit: ByteSize::gib(4), file: "/sys/fs/cgroup/memory.max".to_owned() }) }),
    Inconclusive,
    "the kernel killed 2 process(es) of the run (server or load generator) out of memory: memory \
     limit 4.0 GiB (/sys/fs/cgroup/memory.max)")]
#[case::processes_killed_out_of_memory_and_a_failed_iteration(
    |e: &mut Evidence| { e.fail_iterations(1); e.happens(5_000, Event::KilledForMemory { processes: 1, limit: None }); },
    ScenarioFailed, "the kernel killed 1 process(es)")]
#[case::load_generator_out_of_open_files(|e: &mut Evidence| e.load_generator_fails(2), Inconclusive,
    "api:status: the load generator failed in 2 iterations, which say nothing about the server; \
     2x status: load-generator-out-of-open-files: Too many")]
#[case::failures_of_load_generator_and_server(
    |e: &mut Evidence| { e.load_generator_fails(1); e.fail_iterations(1); }, ScenarioFailed, "1 of 3 iterations failed")]
#[case::overloaded_load_generator(|e: &mut Evidence| overload(e, ApiStatus), Inconclusive, "load generator overloaded")]
#[case::missing_outcome(
    |e: &mut Evidence| _ = e.outcomes.remove(&ApiStatus), Inconclusive, "api:status: no result")]
#[case::outcome_without_iterations(|e: &mut Evidence| e.status().segments.clear(), Inconclusive, "no result")]
#[case::stopped_scenario(
    |e: &mut Evidence| e.status().ended = Ended::Stopped, Inconclusive, "stopped before all iterations ran")]
#[case::scenario_timeout(
    |e: &mut Evidence| e.status().ended = Ended::TimedOut,
    ScenarioFailed, "0 of 4 iterations failed, time limit of 15m reached")]
#[case::sampling_gap(|e: &mut Evidence| e.silence(5_000, 8_000), Inconclusive, "sampling gap of")]
#[case::sampling_gap_within_profiler_gap(|e: &mut Evidence| e.silence(5_000, 6_600), Pass, "")]
#[case::sampling_gap_after_a_snapshot(|e: &mut Evidence| snapshot_then_gap(e, 10), Inconclusive, "sampling gap of")]
#[case::slow_snapshot(|e: &mut Evidence| snapshot_then_gap(e, 1_500), Pass, "")]
#[case::profile_without_a_footer(
    |e: &mut Evidence| e.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. })),
    Inconclusive, "did not end cleanly")]
#[case::profile_that_ends_before_the_cooldown(
    |e: &mut Evidence| e.silence(6_000, ALL_ENDED + 1), Inconclusive, "does not cover baseline to cooldown")]
#[case::unread_exit_within_budget(
    |e: &mut Evidence| exit_unread(e, Some(50)), Pass, "estimated max 185.0 MiB, within budget")]
#[case::unread_exit_that_may_exceed_the_budget(
    |e: &mut Evidence| { exit_unread(e, Some(50)); short(e, 184); }, Inconclusive, "may exceed its budget")]
#[case::process_that_was_never_read_in_a_class_with_a_budget(
    |e: &mut Evidence| exit_unread(e, None), Inconclusive, "max unknown")]
#[case::class_of_which_no_process_was_read(
    |e: &mut Evidence| never_read(e), Inconclusive, "short-executor: budget not checked")]
#[case::class_of_forks_without_an_exec(
    |e: &mut Evidence| { never_read(e); e.record(2).ending = Ending::Recorded; e.record(3).ending = Ending::Recorded; },
    Pass, "short-executor")]
#[case::unread_exit_in_a_class_without_a_budget(
    |e: &mut Evidence| { exit_unread(e, None); e.plan.budgets.clear(); }, Pass, "lower bound")]
#[case::exit_record(|e: &mut Evidence| { e.record(3).ending = Ending::Recorded; short(e, 180); }, Pass, "")]
#[case::sampled_peaks_near_their_budget(|e: &mut Evidence| { sample_peaks(e); short(e, 190); }, Inconclusive, "only sampled")]
#[case::sampled_peaks_far_below_their_budgets(|e: &mut Evidence| sample_peaks(e), Pass, "only sampled")]
#[case::pages_in_swap_in_a_class_with_a_budget(
    |e: &mut Evidence| e.record(3).swapped = Some(ByteSize::mib(40)),
    Inconclusive, "short-executor: peak is a lower bound (1 process(es) had pages in swap, one of \
                   them 40.0 MiB); max unknown")]
#[case::pages_in_swap_beside_a_breach(
    |e: &mut Evidence| { e.record(3).swapped = Some(ByteSize::mib(40)); short(e, 179); },
    OverBudget, "the machine swapped: 1 server process(es) had pages in swap")]
#[case::pages_in_swap_without_a_budget(
    |e: &mut Evidence| { e.record(3).swapped = Some(ByteSize::mib(40)); e.plan.budgets.clear(); },
    Pass, "the machine swapped")]
#[case::sum_without_memory_in_swap(
    |e: &mut Evidence| { e.record(3).swapped = Some(ByteSize::mib(40)); e.plan.budgets.clear();
        e.limit(TreeRss, ByteSize::gib(9)); },
    Inconclusive, "tree-rss: lower bound, without memory in swap")]
#[case::dropped_events(
    |e: &mut Evidence| e.processes.as_mut().unwrap().dropped_events = 1, Inconclusive, "kernel dropped process events")]
#[case::server_that_died(|e: &mut Evidence| e.happens(6_000, Event::ServerGone), Inconclusive, "the server died")]
#[case::replaced_server(
    |e: &mut Evidence| e.happens(6_000, Event::ServerReplaced), Inconclusive, "was replaced")]
#[case::failures_after_the_server_died(
    |e: &mut Evidence| { e.fail_iterations(4); e.happens(6_000, Event::ServerGone); }, Inconclusive, "after the server was lost")]
#[case::interruption(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::Interrupted)), Inconclusive, "interrupted")]
#[case::low_memory(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::MemoryFloor)),
    Inconclusive, "available memory below")]
#[case::run_that_ended_early(|e: &mut Evidence| _ = e.events.pop(), Inconclusive, "the run ended early")]
#[case::damaged_file(
    |e: &mut Evidence| e.damage.push("`samples.jsonl` is damaged".to_owned()), Inconclusive, "is damaged")]
#[case::skypilot_without_the_constant(
    |e: &mut Evidence| e.environment.as_mut().unwrap().sky.constants.server = None, Pass, "no constant for it")]
#[case::class_without_processes(|_: &mut Evidence| {}, Pass, "long-executor")]
#[case::expected_errors(
    |e: &mut Evidence| (e.segment().succeeded, e.segment().expected_errors) = (0, 4), Pass, "")]
#[case::failed_iteration_of_a_stopped_scenario(
    |e: &mut Evidence| { e.fail_iterations(1); e.status().ended = Ended::Stopped; }, ScenarioFailed, "1 of 4")]
#[case::latency_above_its_threshold_with_another_overloaded_scenario(
    |e: &mut Evidence| { slow(e); overload(e, ProbeHealth); }, ScenarioFailed, "api:status p50")]
#[case::latency_above_its_threshold_without_the_server(
    |e: &mut Evidence| { slow(e); e.happens(6_000, Event::ServerGone); }, Inconclusive, "api:status p50: 2.001 s, threshold <= 1s, after the server was lost")]
#[case::threshold_without_a_measurement(
    |e: &mut Evidence| { slow(e); e.outcomes.remove(&ApiStatus); }, Inconclusive, "api:status p50 <= 1s: threshold skipped, no iteration completed")]
#[case::failures_after_the_server_was_replaced(
    |e: &mut Evidence| { e.fail_iterations(4); e.happens(6_000, Event::ServerReplaced); }, Inconclusive, "after the server was lost")]
#[case::failures_in_a_run_that_ended_early(
    |e: &mut Evidence| { e.fail_iterations(4); e.events.pop(); }, Inconclusive, "after the server was lost")]
#[case::failures_of_the_load_generator_in_a_run_of_an_earlier_build(
    |e: &mut Evidence| e.load_generator_fails_in_old_format(2), ScenarioFailed, "the load generator failed in 2 iterations")]
#[case::error_of_the_load_generator_in_a_run_of_an_earlier_build(
    |e: &mut Evidence| e.load_generator_fails_in_old_format(2), ScenarioFailed,
    "2 of 4 iterations failed; 2x status: load-generator-out-of-open-files")]
#[case::run_that_ended_before_the_load(
    |e: &mut Evidence| { e.outcomes.clear(); e.events.remove(1); }, Inconclusive, "ended before the load: api:status, probe:health")]
#[case::profiler_that_exited_unexpectedly(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::ProfilerLost)), Inconclusive, "exited unexpectedly after 6.0 s")]
#[case::profile_that_begins_late(
    |e: &mut Evidence| e.profile.retain(|line| !matches!(line, ProfileLine::Sample(sample) if sample.at < at(2_200))),
    Inconclusive, "does not cover baseline to cooldown")]
#[case::sampling_gap_before_the_baseline(
    |e: &mut Evidence| { e.events[0].at = at(1_800); e.plan.validity.profiler_gap = Duration::from_secs(1); e.silence(0, 1_800); },
    Pass, "")]
#[case::no_profile(
    |e: &mut Evidence| (e.profile, e.processes) = (Vec::new(), None), Inconclusive, "server: budget not checked")]
#[case::profile_without_a_process_table(
    |e: &mut Evidence| e.processes = None, Inconclusive, "did not end cleanly")]
#[case::tree_rss_at_its_budget(|e: &mut Evidence| e.limit(TreeRss, ByteSize::mib(530)), Pass, "")]
#[case::tree_rss_above_its_budget(
    |e: &mut Evidence| e.limit(TreeRss, ByteSize::mib(529)), OverBudget, "tree-rss: 530.0 MiB, budget 529.0 MiB (configured)")]
#[case::tree_pss_above_its_budget(
    |e: &mut Evidence| e.limit(TreePss, ByteSize::mib(399)), OverBudget, "tree-pss: 400.0 MiB")]
#[case::peak_above_the_constant(
    |e: &mut Evidence| e.record(2).peak = Some(ByteSize::mib(308)), OverBudget, "307.2 MiB (SkyPilot 0.14.1: sky/server/config.py)")]
#[case::unread_exit_in_a_class_above_its_budget(
    |e: &mut Evidence| { short(e, 100); exit_unread(e, None); }, OverBudget, "lower bound")]
#[case::reduced_concurrency(
    |e: &mut Evidence| e.plan.capacity.wanted = ByteSize::gib(99), Pass, "all users need about 99.0 GiB")]
#[case::leaked_processes(
    |e: &mut Evidence| e.happens(ALL_ENDED, Event::LeakedProcesses(vec!["python".to_owned()])), Pass, "1x python")]
fn verdict_follows_from(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] message: &str,
) {
    assert_verdict(change, verdict, message);
}

#[rstest]
#[case::failed_and_over_budget(|e: &mut Evidence| { e.fail_iterations(1); short(e, 1); overload(e, ApiStatus); }, ScenarioFailed)]
#[case::over_budget_and_inconclusive(|e: &mut Evidence| { short(e, 1); overload(e, ApiStatus); }, OverBudget)]
#[case::over_budget_and_server_lost(
    |e: &mut Evidence| { short(e, 1); e.happens(6_000, Event::ServerGone); }, OverBudget)]
fn the_most_severe_finding_decides(#[case] change: fn(&mut Evidence), #[case] verdict: Verdict) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, verdict, "{report:#?}");
    assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn tree_pss_with_unread_processes_is_a_lower_bound() {
    let mut evidence = good_run(&four_users());
    evidence.limit(TreePss, ByteSize::gib(1));
    assert_eq!(Report::assemble(&evidence).verdict, Pass);
    for line in &mut evidence.profile {
        if let ProfileLine::Snapshot(snapshot) = line {
            snapshot.unread = 1;
        }
    }
    assert_eq!(Report::assemble(&evidence).verdict, Inconclusive);
}

#[test]
fn a_remote_server_without_a_profile_is_judged_by_its_responses() {
    let request = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..four_users() };
    let mut evidence = good_run(&request);
    (evidence.profile, evidence.processes) = (Vec::new(), None);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Pass, "{:#?}", report.findings);
    assert!(report.memory.is_none() && report.summary.is_none());
    let notes = report.messages(Severity::Note);
    assert_eq!(notes.len(), 1, "one note, that memory was not measured: {notes:?}");
}

#[rstest]
#[case::load_generator_failures(|e: &mut Evidence| e.load_generator_fails(2), false)]
#[case::only_load_generator_failures(|e: &mut Evidence| e.load_generator_fails(4), false)]
#[case::unjudged(|e: &mut Evidence| { e.segment().succeeded -= 1; e.segment().unjudged += 1; }, false)]
#[case::missing(|e: &mut Evidence| e.segment().succeeded -= 1, true)]
#[case::missing_and_load_generator_failures(
    |e: &mut Evidence| { e.load_generator_fails(3); e.segment().succeeded -= 1; }, true)]
fn an_iteration_is_missing_if_it_is_in_no_count(
    #[case] change: fn(&mut Evidence),
    #[case] missing: bool,
) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let report = Report::assemble(&evidence);
    let messages = report.messages(Severity::Inconclusive).join("\n");
    assert_eq!(messages.contains("outcome file has"), missing, "{messages}");
}

#[test]
fn retries_are_a_note() {
    let mut evidence = good_run(&four_users());
    evidence.segment().retries = 3;
    let report = Report::assemble(&evidence);
    let notes = report.messages(Severity::Note).join("\n");
    assert!(notes.contains("api:status: 3x retried"), "{notes}");
    assert_eq!(report.verdict, Pass);
}

/// Errors that are expected on certain servers only, in all iterations or in one.
#[rstest]
#[case::all_iterations(u64::MAX, Inconclusive, Severity::Inconclusive)]
#[case::one_iteration(1, Pass, Severity::Note)]
fn an_iteration_with_an_error_that_may_be_expected_is_no_success(
    #[case] max: u64,
    #[case] verdict: Verdict,
    #[case] severity: Severity,
) {
    let mut evidence = good_run(&four_users());
    for segment in &mut evidence.status().segments {
        let unjudged = segment.succeeded.min(max);
        segment.succeeded -= unjudged;
        segment.unjudged = unjudged;
    }
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
    let messages = report.messages(severity).join("\n");
    assert!(messages.contains("ended in an error that is expected only on"), "{messages}");
}
