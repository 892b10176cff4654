//! Every rule of the verdict: one change to a good run, and what follows from it.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::config::Thresholds;
use skyload::limits::MemoryLimit;
use skyload::metric::{Metric, ServerMetric};
use skyload::record::events::{Event, StopReason};
use skyload::record::outcome::Ended;
use skyload::record::profile::{Ending, ProfileLine, ProfilerLevel};
use skyload::record::request::LoadRequest;
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::changes::{Change, assert_follows, never_read};
use super::evidence::{ALL_ENDED, LOAD_ENDED, at, four_users, good_run};

use ScenarioId::{ApiStatus, ProbeHealth};
use ServerMetric::{TreePss, TreeRss};
use Verdict::{Inconclusive, OverBudget, Pass, ScenarioFailed};

fn limit(evidence: &mut Evidence, limits: Thresholds) {
    evidence.plan.thresholds = limits.limits(ApiStatus).collect();
}

fn short(evidence: &mut Evidence, mib: u64) {
    evidence.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(mib));
}

/// The largest short executor exits, and was last read so many milliseconds before that
/// was noticed. It once grew by 100 MiB/s.
fn exits_unread(evidence: &mut Evidence, millis: Option<u64>) {
    evidence.record(3).ending = Ending::Unread { unseen: millis.map(Duration::from_millis) };
}

fn sampled(evidence: &mut Evidence) {
    let Some(ProfileLine::Header(header)) = evidence.profile.first_mut() else {
        panic!("a header")
    };
    header.level = ProfilerLevel::SampledRss;
}

/// No tick in the cooldown but its last, at a limit of 1 s; taking the snapshot at its
/// beginning took `millis`.
fn snapshot_then_silence(evidence: &mut Evidence, millis: u64) {
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

fn starve(evidence: &mut Evidence, id: ScenarioId) {
    let outcome = evidence.outcomes.get_mut(&id).expect("a test knows its own data");
    outcome.segments[0].send_lateness.record(Duration::from_secs(3));
}

/// Half of the iterations of `api:status` took at least two seconds.
fn slow(evidence: &mut Evidence) {
    limit(evidence, Thresholds { p50: Some(Duration::from_secs(1)), ..Thresholds::default() });
}

#[rstest]
#[case::a_run_that_went_well(|_: &mut Evidence| {}, Pass, "")]
#[case::a_peak_at_its_budget(|e: &mut Evidence| short(e, 180), Pass, "")]
#[case::a_peak_above_its_budget(|e: &mut Evidence| short(e, 179), OverBudget, "short-executor: 180.0 MiB")]
#[case::a_failed_iteration(|e: &mut Evidence| e.fail_iterations(1), ScenarioFailed, "1 of 4 \
                                                                                     iterations failed; 1x")]
#[case::a_failed_iteration_that_is_allowed(
    |e: &mut Evidence| { e.fail_iterations(1); limit(e, Thresholds { error_rate: Some("25%".parse().unwrap()), ..Thresholds::default() }); },
    Pass, "")]
#[case::one_more_than_is_allowed(
    |e: &mut Evidence| { e.fail_iterations(2); limit(e, Thresholds { error_rate: Some("25%".parse().unwrap()), ..Thresholds::default() }); },
    ScenarioFailed, "2 of 4")]
#[case::a_latency_below_its_limit(
    |e: &mut Evidence| limit(e, Thresholds { max: Some(Duration::from_secs(5)), ..Thresholds::default() }), Pass, "")]
#[case::a_latency_above_its_limit(slow, ScenarioFailed, "api:status p50")]
#[case::a_latency_above_its_limit_of_a_starved_client(
    |e: &mut Evidence| { starve(e, ApiStatus); slow(e); },
    Inconclusive, "with an overloaded load generator")]
#[case::processes_that_the_kernel_killed(
    |e: &mut Evidence| e.happens(5_000, Event::KilledForMemory { processes: 2, limit: Some(MemoryLimit {
        limit: ByteSize::gib(4), file: "/sys/fs/cgroup/memory.max".to_owned() }) }),
    Inconclusive,
    "the kernel killed 2 process(es) of the run (server or load generator) out of memory: memory \
     limit 4.0 GiB (/sys/fs/cgroup/memory.max)")]
#[case::processes_that_the_kernel_killed_beside_a_failure(
    |e: &mut Evidence| { e.fail_iterations(1); e.happens(5_000, Event::KilledForMemory { processes: 1, limit: None }); },
    ScenarioFailed, "the kernel killed 1 process(es)")]
#[case::a_client_that_ran_out_of_open_files(|e: &mut Evidence| e.client_fails(2), Inconclusive,
    "api:status: the load generator failed in 2 iterations, which say nothing about the server; \
     2x status: load-generator-out-of-open-files: Too many")]
#[case::a_client_that_failed_beside_the_server(
    |e: &mut Evidence| { e.client_fails(1); e.fail_iterations(1); }, ScenarioFailed, "1 of 3 iterations failed")]
#[case::a_starved_client(|e: &mut Evidence| starve(e, ApiStatus), Inconclusive, "load generator \
                                                                                 overloaded")]
#[case::a_missing_outcome(
    |e: &mut Evidence| _ = e.outcomes.remove(&ApiStatus), Inconclusive, "api:status: no result")]
#[case::an_outcome_without_an_iteration(|e: &mut Evidence| e.status().segments.clear(), Inconclusive, "no result")]
#[case::a_stopped_scenario(
    |e: &mut Evidence| e.status().ended = Ended::Stopped, Inconclusive, "stopped before all \
                                                                         iterations ran")]
#[case::a_scenario_out_of_time(
    |e: &mut Evidence| e.status().ended = Ended::TimedOut,
    ScenarioFailed, "0 of 4 iterations failed, scenario timeout of 15m reached")]
#[case::a_silent_profiler(|e: &mut Evidence| e.silence(5_000, 8_000), Inconclusive, "sampling gap \
                                                                                     of")]
#[case::a_silence_that_the_plan_allows(|e: &mut Evidence| e.silence(5_000, 6_600), Pass, "")]
#[case::a_silence_beside_a_snapshot(|e: &mut Evidence| snapshot_then_silence(e, 10), Inconclusive, "sampling gap of")]
#[case::a_snapshot_that_takes_its_time(|e: &mut Evidence| snapshot_then_silence(e, 1_500), Pass, "")]
#[case::a_profile_without_its_end(
    |e: &mut Evidence| e.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. })),
    Inconclusive, "did not end cleanly")]
#[case::a_profile_that_stops_short(
    |e: &mut Evidence| e.silence(6_000, ALL_ENDED + 1), Inconclusive, "does not cover baseline to \
                                                                       cooldown")]
#[case::an_unread_exit_that_the_budgets_margin_allows_for(
    |e: &mut Evidence| exits_unread(e, Some(50)), Pass, "estimated max 185.0 MiB, within budget")]
#[case::an_unread_exit_that_the_margin_does_not_allow_for(
    |e: &mut Evidence| { exits_unread(e, Some(50)); short(e, 184); }, Inconclusive, "may exceed \
                                                                                     its budget")]
#[case::a_process_that_was_never_read_in_a_class_with_a_budget(
    |e: &mut Evidence| exits_unread(e, None), Inconclusive, "max unknown")]
#[case::a_class_of_which_no_process_was_ever_read(
    |e: &mut Evidence| never_read(e), Inconclusive, "short-executor: budget not checked")]
#[case::a_class_of_forks_that_had_no_memory_of_their_own(
    |e: &mut Evidence| { never_read(e); e.record(2).ending = Ending::Recorded; e.record(3).ending = Ending::Recorded; },
    Pass, "short-executor")]
#[case::an_unread_exit_in_a_class_without_a_budget(
    |e: &mut Evidence| { exits_unread(e, None); e.plan.budgets.clear(); }, Pass, "lower bound")]
#[case::a_recorded_exit(|e: &mut Evidence| { e.record(3).ending = Ending::Recorded; short(e, 180); }, Pass, "")]
#[case::peaks_that_were_only_sampled(|e: &mut Evidence| { sampled(e); short(e, 190); }, Inconclusive, "only sampled")]
#[case::sampled_peaks_far_below_their_budgets(|e: &mut Evidence| sampled(e), Pass, "only sampled")]
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
#[case::a_sum_that_lacks_what_is_in_swap(
    |e: &mut Evidence| { e.record(3).swapped = Some(ByteSize::mib(40)); e.plan.budgets.clear();
        e.limit(TreeRss, ByteSize::gib(9)); },
    Inconclusive, "tree-rss: lower bound, without memory in swap")]
#[case::events_that_the_kernel_could_not_keep(
    |e: &mut Evidence| e.processes.as_mut().unwrap().dropped_events = 1, Inconclusive, "kernel \
                                                                                        dropped process events")]
#[case::a_server_that_died(|e: &mut Evidence| e.happens(6_000, Event::ServerGone), Inconclusive, "the server died")]
#[case::a_server_that_was_replaced(
    |e: &mut Evidence| e.happens(6_000, Event::ServerReplaced), Inconclusive, "was replaced")]
#[case::failures_of_a_run_that_lost_its_server(
    |e: &mut Evidence| { e.fail_iterations(4); e.happens(6_000, Event::ServerGone); }, Inconclusive, "after the server was lost")]
#[case::an_interruption(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::Interrupted)), Inconclusive, "interrupted")]
#[case::a_machine_short_of_memory(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::MemoryFloor)),
    Inconclusive, "available memory below")]
#[case::a_run_that_broke_off(|e: &mut Evidence| _ = e.events.pop(), Inconclusive, "the run ended \
                                                                                   early")]
#[case::a_file_that_breaks_off(
    |e: &mut Evidence| e.damage.push("`samples.jsonl` breaks off".to_owned()), Inconclusive, "breaks off")]
#[case::a_skypilot_without_the_constant(
    |e: &mut Evidence| e.environment.as_mut().unwrap().sky.constants.server = None, Pass, "no constant for it")]
#[case::a_class_that_did_not_run(|_: &mut Evidence| {}, Pass, "long-executor")]
#[case::refusals_that_are_right(
    |e: &mut Evidence| (e.segment().succeeded, e.segment().expected_errors) = (0, 4), Pass, "")]
#[case::a_stopped_scenario_that_failed_before(
    |e: &mut Evidence| { e.fail_iterations(1); e.status().ended = Ended::Stopped; }, ScenarioFailed, "1 of 4")]
#[case::a_latency_above_its_limit_beside_another_starved_client(
    |e: &mut Evidence| { slow(e); starve(e, ProbeHealth); }, ScenarioFailed, "api:status p50")]
#[case::a_latency_above_its_limit_of_a_run_that_lost_its_server(
    |e: &mut Evidence| { slow(e); e.happens(6_000, Event::ServerGone); }, Inconclusive, "threshold 1 s, after the server was lost")]
#[case::a_limit_with_nothing_to_hold_against_it(
    |e: &mut Evidence| { slow(e); e.outcomes.remove(&ApiStatus); }, Inconclusive, "p50: threshold \
                                                                                   not checked")]
#[case::failures_of_a_run_whose_server_was_replaced(
    |e: &mut Evidence| { e.fail_iterations(4); e.happens(6_000, Event::ServerReplaced); }, Inconclusive, "after the server was lost")]
#[case::failures_of_a_run_that_was_killed(
    |e: &mut Evidence| { e.fail_iterations(4); e.events.pop(); }, Inconclusive, "after the server \
                                                                                 was lost")]
#[case::a_client_that_failed_in_a_run_of_before_it_was_told_apart(
    |e: &mut Evidence| e.client_failed_before_it_was_told_apart(2), ScenarioFailed, "the load \
                                                                                     generator failed in 2 iterations")]
#[case::the_reason_of_such_a_failure(
    |e: &mut Evidence| e.client_failed_before_it_was_told_apart(2), ScenarioFailed,
    "2 of 4 iterations failed; 2x status: load-generator-out-of-open-files")]
#[case::a_run_that_ended_before_its_load(
    |e: &mut Evidence| { e.outcomes.clear(); e.events.remove(1); }, Inconclusive, "ended before \
                                                                                   the load: api:status, probe:health")]
#[case::a_profiler_that_ended_by_itself(
    |e: &mut Evidence| e.happens(6_000, Event::LoadStopped(StopReason::ProfilerLost)), Inconclusive, "exited unexpectedly after 6.0 s")]
#[case::a_profile_that_begins_late(
    |e: &mut Evidence| e.profile.retain(|line| !matches!(line, ProfileLine::Sample(tick) if tick.at < at(2_200))),
    Inconclusive, "does not cover baseline to cooldown")]
#[case::a_silence_before_the_baseline(
    |e: &mut Evidence| { e.events[0].at = at(1_800); e.plan.validity.profiler_gap = Duration::from_secs(1); e.silence(0, 1_800); },
    Pass, "")]
#[case::no_profile(
    |e: &mut Evidence| (e.profile, e.processes) = (Vec::new(), None), Inconclusive, "server: \
                                                                                     budget not checked")]
#[case::a_profile_without_its_table(
    |e: &mut Evidence| e.processes = None, Inconclusive, "did not end cleanly")]
#[case::a_tree_at_its_budget(|e: &mut Evidence| e.limit(TreeRss, ByteSize::mib(530)), Pass, "")]
#[case::a_tree_above_its_budget(
    |e: &mut Evidence| e.limit(TreeRss, ByteSize::mib(529)), OverBudget, "tree-rss: 530.0 MiB, budget 529.0 MiB (configured)")]
#[case::proportional_memory_above_its_budget(
    |e: &mut Evidence| e.limit(TreePss, ByteSize::mib(399)), OverBudget, "tree-pss: 400.0 MiB")]
#[case::a_peak_above_the_constant(
    |e: &mut Evidence| e.record(2).peak = Some(ByteSize::mib(308)), OverBudget, "307.2 MiB (SkyPilot 0.14.1: sky/server/config.py)")]
#[case::an_unread_exit_in_a_class_above_its_budget(
    |e: &mut Evidence| { short(e, 100); exits_unread(e, None); }, OverBudget, "lower bound")]
#[case::fewer_users_at_once_than_asked_for(
    |e: &mut Evidence| e.plan.capacity.wanted = ByteSize::gib(99), Pass, "all users need about \
                                                                          99.0 GiB")]
#[case::processes_that_a_stop_left_behind(
    |e: &mut Evidence| e.happens(ALL_ENDED, Event::LeakedProcesses(vec!["python".to_owned()])), Pass, "1x python")]
fn the_verdict_follows_from(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] words: &str,
) {
    assert_follows(change, verdict, words);
}

#[rstest]
#[case::failed_and_over_budget(|e: &mut Evidence| { e.fail_iterations(1); short(e, 1); starve(e, ApiStatus); }, ScenarioFailed)]
#[case::over_budget_and_inconclusive(|e: &mut Evidence| { short(e, 1); starve(e, ApiStatus); }, OverBudget)]
#[case::over_budget_and_without_its_server(
    |e: &mut Evidence| { short(e, 1); e.happens(6_000, Event::ServerGone); }, OverBudget)]
fn the_gravest_finding_decides(#[case] change: fn(&mut Evidence), #[case] verdict: Verdict) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, verdict, "{judgement:#?}");
    assert!(judgement.findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn proportional_memory_with_unread_processes_is_a_lower_bound() {
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
fn a_server_elsewhere_is_judged_by_its_answers_alone() {
    let request = LoadRequest { server: Some("http://127.0.0.1:1".to_owned()), ..four_users() };
    let mut evidence = good_run(&request);
    (evidence.profile, evidence.processes) = (Vec::new(), None);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Pass, "{:#?}", report.findings);
    assert!(report.memory.is_none() && report.summary.is_none());
    let notes = report.messages(Severity::Note);
    assert_eq!(notes.len(), 1, "that memory was not measured is said: {notes:?}");
}

#[rstest]
#[case::the_client_failed(|e: &mut Evidence| e.client_fails(2), false)]
#[case::it_always_did(|e: &mut Evidence| e.client_fails(4), false)]
#[case::nobody_could_judge(|e: &mut Evidence| { e.segment().succeeded -= 1; e.segment().unjudged += 1; }, false)]
#[case::an_iteration_is_lost(|e: &mut Evidence| e.segment().succeeded -= 1, true)]
#[case::an_iteration_is_lost_and_all_others_were_the_clients(
    |e: &mut Evidence| { e.client_fails(3); e.segment().succeeded -= 1; }, true)]
fn an_iteration_is_missing_where_no_count_tells_of_it(
    #[case] change: fn(&mut Evidence),
    #[case] missing: bool,
) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let judgement = Report::assemble(&evidence);
    let words = judgement.messages(Severity::Inconclusive).join("\n");
    assert_eq!(words.contains("outcome file has"), missing, "{words}");
}

#[test]
fn what_was_sent_again_is_noted_and_changes_no_verdict() {
    let mut evidence = good_run(&four_users());
    evidence.segment().retries = 3;
    let judgement = Report::assemble(&evidence);
    let notes = judgement.messages(Severity::Note).join("\n");
    assert!(notes.contains("api:status: 3x retried"), "{notes}");
    assert_eq!(judgement.verdict, Pass);
}

/// All iterations, or one of them, were refused something of which nobody knows whether rightly.
#[rstest]
#[case::all_of_them(u64::MAX, Inconclusive, Severity::Inconclusive)]
#[case::one_of_them(1, Pass, Severity::Note)]
fn a_refusal_that_nobody_can_judge_is_no_success(
    #[case] most: u64,
    #[case] verdict: Verdict,
    #[case] severity: Severity,
) {
    let mut evidence = good_run(&four_users());
    for segment in &mut evidence.status().segments {
        let unjudged = segment.succeeded.min(most);
        segment.succeeded -= unjudged;
        segment.unjudged = unjudged;
    }
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, verdict, "{:#?}", judgement.findings);
    let words = judgement.messages(severity).join("\n");
    assert!(words.contains("iterations ended in an error that is expected only on"), "{words}");
}
