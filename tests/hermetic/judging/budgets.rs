//! Budgets on server totals: growth, threads, zombies, leaked processes.

use rstest::rstest;
use skyload::analysis::{Evidence, LimitState, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Amount, Metric, ServerMetric};
use skyload::plan::ServerTarget;
use skyload::record::events::{Event, LoggedEvent, StopReason, Unsettled};
use skyload::record::profile::{ClassSnapshot, Phase, ProfileLine, ProfilerLevel};
use skyload::units::ByteSize;

use super::changes::{Change, assert_verdict};
use super::evidence::{ALL_ENDED, LOAD_BEGAN, LOAD_ENDED, at, four_users, good_run};

use ServerMetric::{Growth, LeakedProcesses, Threads, TreePss, Zombies};
use StopReason::Interrupted;
use Verdict::{Inconclusive, OverBudget, Pass};

const LONG_EXECUTOR: ClassSnapshot =
    ClassSnapshot { count: 1, threads: 2, pss: ByteSize::mib(50), uss: ByteSize::mib(40) };

/// Adds a long executor with 50 MiB of PSS at the end of a phase.
fn add_executor(evidence: &mut Evidence, phase: Phase) {
    evidence.snapshot(phase).classes.insert(ProcessClass::LongExecutor, LONG_EXECUTOR);
}

/// Lets the server grow by 50 MiB, with a budget in MiB.
fn grow(evidence: &mut Evidence, limit: u64) {
    add_executor(evidence, Phase::Cooldown);
    evidence.limit(Growth, ByteSize::mib(limit));
}

fn remove_snapshot(evidence: &mut Evidence, phase: Phase) {
    evidence
        .profile
        .retain(|line| !matches!(line, ProfileLine::Snapshot(snapshot) if snapshot.phase == phase));
}

/// Stops the server after the run with `count` leaked processes, and sets their budget.
fn leak(evidence: &mut Evidence, count: usize, limit: u64) {
    let titles = vec!["SkyPilot:executor:short".to_owned(); count];
    evidence.happens(ALL_ENDED + 1_000, Event::LeakedProcesses(titles));
    evidence.limit(LeakedProcesses, Amount::Count(limit));
}

/// Sets what the profiler could read of processes.
fn read(evidence: &mut Evidence, level: ProfilerLevel, threads_and_sockets: Option<bool>) {
    let Some(ProfileLine::Header(header)) = evidence.profile.first_mut() else {
        panic!("a header")
    };
    (header.level, header.threads_and_sockets) = (level, threads_and_sockets);
}

/// Makes it a server that may have web workers, with a process that may be one.
fn deploy(evidence: &mut Evidence) {
    evidence.plan.server = ServerTarget::Isolated { deploy: true };
    evidence.limit(Metric::max_peak(ProcessClass::ServerWorker), ByteSize::mib(100));
    evidence.record(2).class = ProcessClass::StartingExecutor;
}

fn count(limit: u64) -> Amount {
    Amount::Count(limit)
}

#[rstest]
#[case::growth_at_its_budget(|e: &mut Evidence| grow(e, 50), Pass, "")]
#[case::growth_above_its_budget(
    |e: &mut Evidence| grow(e, 49), OverBudget, "growth: 50.0 MiB, budget 49.0 MiB (configured)")]
#[case::memory_freed_in_the_cooldown(
    |e: &mut Evidence| { add_executor(e, Phase::Load); e.limit(Growth, ByteSize::mib(1)); }, Pass, "")]
#[case::growth_without_a_snapshot_before(
    |e: &mut Evidence| { grow(e, 900); remove_snapshot(e, Phase::Baseline); }, Inconclusive, "growth: budget not checked")]
#[case::growth_without_a_snapshot_after(
    |e: &mut Evidence| { grow(e, 900); remove_snapshot(e, Phase::Cooldown); }, Inconclusive, "growth: budget not checked")]
#[case::growth_with_unread_processes_after(
    |e: &mut Evidence| { grow(e, 50); e.snapshot(Phase::Cooldown).unread = 1; },
    Inconclusive, "growth: lower bound, 1 process(es) could not be read")]
#[case::growth_above_its_budget_with_unread_processes(
    |e: &mut Evidence| { grow(e, 49); e.snapshot(Phase::Cooldown).unread = 1; }, OverBudget, "growth: 50.0 MiB")]
#[case::growth_with_unread_processes_before(
    |e: &mut Evidence| { grow(e, 49); e.snapshot(Phase::Baseline).unread = 1; },
    Inconclusive, "with all processes readable at baseline")]
#[case::unread_processes_at_the_end_of_the_load(
    |e: &mut Evidence| { grow(e, 50); e.snapshot(Phase::Load).unread = 1; }, Pass, "")]
#[case::growth_in_an_interrupted_run(
    |e: &mut Evidence| { grow(e, 49); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    Inconclusive, "growth: budget not checked")]
#[case::growth_of_a_replaced_server(
    |e: &mut Evidence| { grow(e, 49); e.happens(6_000, Event::ServerReplaced); },
    Inconclusive, "growth: budget not checked")]
#[case::growth_in_a_run_that_ended_early(
    |e: &mut Evidence| { grow(e, 49); e.events.pop(); }, Inconclusive, "growth: budget not checked")]
#[case::threads_at_their_budget(|e: &mut Evidence| e.limit(Threads, count(9)), Pass, "")]
#[case::threads_above_their_budget(
    |e: &mut Evidence| e.limit(Threads, count(8)), OverBudget, "threads: 9, budget 8 (configured)")]
#[case::threads_above_their_budget_before_an_interruption(
    |e: &mut Evidence| { e.limit(Threads, count(8)); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    OverBudget, "threads: 9")]
#[case::threads_without_a_profile(
    |e: &mut Evidence| { e.limit(Threads, count(9)); (e.profile, e.processes) = (Vec::new(), None); },
    Inconclusive, "threads: budget not checked")]
#[case::threads_that_were_not_read(
    |e: &mut Evidence| { e.limit(Threads, count(9)); read(e, ProfilerLevel::SampledRss, None); },
    Inconclusive, "threads: budget not checked")]
#[case::threads_beside_sampled_peaks(
    |e: &mut Evidence| { e.limit(Threads, count(8)); read(e, ProfilerLevel::SampledRss, Some(true)); },
    OverBudget, "threads: 9, budget 8")]
#[case::web_workers_without_their_ports(
    |e: &mut Evidence| { deploy(e); read(e, ProfilerLevel::SampledRss, Some(false)); },
    Inconclusive, "server-worker: budget not checked")]
#[case::web_workers_of_another_user(
    |e: &mut Evidence| { deploy(e); read(e, ProfilerLevel::HighWaterMarkOfAnother, None); },
    Inconclusive, "server-worker: budget not checked")]
#[case::no_web_workers(
    |e: &mut Evidence| { deploy(e); read(e, ProfilerLevel::HighWaterMark, Some(true)); },
    Pass, "budget skipped, no such process: long-executor, server-worker")]
#[case::web_workers_of_a_server_without(
    |e: &mut Evidence| {
        deploy(e);
        e.plan.server = ServerTarget::Isolated { deploy: false };
        read(e, ProfilerLevel::HighWaterMarkOfAnother, None);
    },
    Pass, "")]
#[case::no_zombies(|e: &mut Evidence| e.limit(Zombies, count(0)), Pass, "")]
#[case::zombies_at_their_budget(
    |e: &mut Evidence| { e.zombies_from(ALL_ENDED, 2); e.limit(Zombies, count(2)); }, Pass, "")]
#[case::zombies_above_their_budget(
    |e: &mut Evidence| { e.zombies_from(ALL_ENDED, 2); e.limit(Zombies, count(1)); }, OverBudget, "zombies: 2, budget 1")]
#[case::zombies_reaped_before_the_end(
    |e: &mut Evidence| { e.zombies_from(LOAD_BEGAN, 2); e.zombies_from(ALL_ENDED, 0); e.limit(Zombies, count(0)); }, Pass, "")]
#[case::zombies_in_an_interrupted_run(
    |e: &mut Evidence| { e.zombies_from(0, 2); e.limit(Zombies, count(0)); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    Inconclusive, "zombies: budget not checked")]
#[case::zombies_without_a_sample_in_the_cooldown(
    |e: &mut Evidence| { e.silence(LOAD_ENDED, ALL_ENDED + 1); e.limit(Zombies, count(0)); },
    Inconclusive, "zombies: budget not checked")]
#[case::stop_without_leaked_processes(|e: &mut Evidence| leak(e, 0, 0), Pass, "")]
#[case::leaked_processes_at_their_budget(|e: &mut Evidence| leak(e, 1, 1), Pass, "1x SkyPilot:executor:short")]
#[case::leaked_processes_above_their_budget(
    |e: &mut Evidence| leak(e, 2, 1), OverBudget, "leaked-processes: 2, budget 1 (configured)")]
#[case::leaked_processes_in_an_interrupted_run(
    |e: &mut Evidence| { leak(e, 1, 0); e.happens(6_000, Event::LoadStopped(Interrupted)); }, OverBudget, "leaked-processes: 1, budget 0")]
#[case::leaked_processes_without_a_profile(
    |e: &mut Evidence| { leak(e, 1, 0); (e.profile, e.processes) = (Vec::new(), None); }, OverBudget, "leaked-processes: 1")]
#[case::server_not_stopped(
    |e: &mut Evidence| e.limit(LeakedProcesses, count(0)), Pass, "leaked-processes: budget skipped, the server was not stopped with `sky api stop`")]
#[case::server_kept_running(
    |e: &mut Evidence| { e.plan.keep_server = true; e.limit(LeakedProcesses, count(0)); }, Pass, "leaked-processes: budget skipped, the server was kept running")]
#[case::server_lost_before_its_stop(
    |e: &mut Evidence| { e.happens(6_000, Event::ServerGone); e.limit(LeakedProcesses, count(0)); },
    Inconclusive, "leaked-processes: budget skipped, the server was lost before it was stopped")]
#[case::budget_in_another_unit(
    |e: &mut Evidence| e.limit(Threads, ByteSize::gib(1)), Inconclusive, "threads: budget not checked")]
fn verdict_follows_from(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] message: &str,
) {
    assert_verdict(change, verdict, message);
}

#[test]
fn growth_of_a_server_that_shrank_is_zero() {
    let mut evidence = good_run(&four_users());
    add_executor(&mut evidence, Phase::Baseline);
    evidence.limit(Growth, ByteSize::mib(1));
    let report = Report::assemble(&evidence);
    let [.., check] = &report.budgets[..] else { panic!("no budgets") };
    assert_eq!(check.measured, Some(ByteSize(0).into()), "measured, not missing");
    assert_eq!((check.state, check.headroom()), (LimitState::Within, Some(100.0)));
}

#[test]
fn a_budget_of_zero_has_no_headroom() {
    let mut evidence = good_run(&four_users());
    leak(&mut evidence, 0, 0);
    let report = Report::assemble(&evidence);
    let [.., check] = &report.budgets[..] else { panic!("no budgets") };
    assert_eq!((check.state, check.headroom()), (LimitState::Within, None));
}

#[test]
fn a_stop_without_leaked_processes_has_no_finding() {
    let mut evidence = good_run(&four_users());
    leak(&mut evidence, 0, 0);
    let findings = Report::assemble(&evidence).findings;
    assert!(!findings.iter().any(|finding| finding.message.contains("leaked")), "{findings:#?}");
}

#[test]
fn leaked_processes_without_a_budget_are_a_note() {
    let mut evidence = good_run(&four_users());
    leak(&mut evidence, 1, 0);
    evidence.plan.budgets.retain(|budget| budget.metric != LeakedProcesses.into());
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Pass);
    let notes = report.messages(Severity::Note);
    assert!(notes.iter().any(|note| note.contains("leaked 1 process(es)")), "{notes:?}");
}

#[test]
fn a_server_that_did_not_settle_is_a_note_and_has_no_valid_growth() {
    let starting = || Event::NotSettled(Unsettled::Starting(2));
    let mut evidence = good_run(&four_users());
    evidence.happens(LOAD_ENDED + 500, starting());
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Pass, "no budget is affected");
    let message = "not settled after the load (2 executors starting)";
    assert!(report.messages(Severity::Note).iter().any(|note| note.contains(message)));

    evidence.limit(Zombies, count(0));
    grow(&mut evidence, 50);
    let report = Report::assemble(&evidence);
    let doubts = report.messages(Severity::Inconclusive);
    assert!(doubts[0].starts_with("growth: ") && doubts[1].starts_with("zombies: "), "{doubts:?}");

    let mut evidence = good_run(&four_users());
    evidence.events.insert(0, LoggedEvent { at: at(0), event: starting() });
    evidence.limit(Zombies, count(0));
    assert_eq!(Report::assemble(&evidence).verdict, Pass, "zombies are counted at the end");
    grow(&mut evidence, 50);
    let report = Report::assemble(&evidence);
    assert_eq!(report.messages(Severity::Inconclusive).len(), 1, "{report:#?}");
}

#[test]
fn a_busy_machine_is_a_note_and_budgets_are_checked() {
    let mut evidence = good_run(&four_users());
    evidence.happens(LOAD_ENDED + 500, Event::NotSettled(Unsettled::Busy(100)));
    grow(&mut evidence, 50);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Pass);
    let message = "not settled after the load (machine busy, 100% CPU)";
    assert!(report.messages(Severity::Note).iter().any(|note| note.contains(message)));
}

#[test]
fn pss_of_the_baseline_alone_does_not_pass_a_budget() {
    let mut evidence = good_run(&four_users());
    evidence.limit(TreePss, ByteSize::gib(1));
    remove_snapshot(&mut evidence, Phase::Load);
    assert_eq!(Report::assemble(&evidence).verdict, Pass, "the cooldown has a snapshot");
    remove_snapshot(&mut evidence, Phase::Cooldown);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Inconclusive);
    let check = report.budgets.iter().find(|check| check.metric == TreePss.into());
    assert_eq!(check.map(|check| check.state), Some(LimitState::NotMeasured));
}

#[test]
fn every_pss_sum_without_unread_processes_is_a_lower_bound() {
    let mut evidence = good_run(&four_users());
    grow(&mut evidence, 50);
    evidence.limit(TreePss, ByteSize::gib(1));
    evidence.snapshot(Phase::Load).unread = 2;
    evidence.snapshot(Phase::Cooldown).unread = 1;
    let report = Report::assemble(&evidence);
    let doubts = report.messages(Severity::Inconclusive);
    assert!(doubts[0].starts_with("tree-pss: lower bound, 3 process(es)"), "{doubts:?}");
    assert!(doubts[1].starts_with("growth: lower bound, 1 process(es)"), "{doubts:?}");
}
