//! Budgets of the whole server beyond its peaks: growth, threads, zombies, leaked-processes.

use rstest::rstest;
use skyload::analysis::{Evidence, LimitState, Report, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Amount, ServerMetric};
use skyload::record::events::{Event, LoggedEvent, StopReason, Unsettled};
use skyload::record::profile::{ClassSnapshot, Phase, ProfileLine};
use skyload::units::ByteSize;

use super::changes::{Change, assert_follows};
use super::evidence::{ALL_ENDED, LOAD_BEGAN, LOAD_ENDED, at, four_users, good_run};

use ServerMetric::{Growth, LeakedProcesses, Threads, TreePss, Zombies};
use StopReason::Interrupted;
use Verdict::{Inconclusive, OverBudget, Pass};

const KEPT: ClassSnapshot =
    ClassSnapshot { count: 1, threads: 2, pss: ByteSize::mib(50), uss: ByteSize::mib(40) };

/// A long executor, with 50 MiB of its own, is there at the end of a phase.
fn holds(evidence: &mut Evidence, phase: Phase) {
    evidence.snapshot(phase).classes.insert(ProcessClass::LongExecutor, KEPT);
}

/// It is there after the cooldown, and may take so much.
fn grows(evidence: &mut Evidence, limit: u64) {
    holds(evidence, Phase::Cooldown);
    evidence.limit(Growth, ByteSize::mib(limit));
}

fn forgets(evidence: &mut Evidence, phase: Phase) {
    evidence
        .profile
        .retain(|line| !matches!(line, ProfileLine::Snapshot(snapshot) if snapshot.phase == phase));
}

/// The server is stopped after the run, which leaves so many processes; this many may.
fn leaves(evidence: &mut Evidence, count: usize, limit: u64) {
    let titles = vec!["SkyPilot:executor:short".to_owned(); count];
    evidence.happens(ALL_ENDED + 1_000, Event::LeakedProcesses(titles));
    evidence.limit(LeakedProcesses, Amount::Count(limit));
}

fn count(limit: u64) -> Amount {
    Amount::Count(limit)
}

#[rstest]
#[case::growth_at_its_budget(|e: &mut Evidence| grows(e, 50), Pass, "")]
#[case::growth_above_its_budget(
    |e: &mut Evidence| grows(e, 49), OverBudget, "growth: 50.0 MiB, budget 49.0 MiB (configured)")]
#[case::memory_that_is_given_back(
    |e: &mut Evidence| { holds(e, Phase::Load); e.limit(Growth, ByteSize::mib(1)); }, Pass, "")]
#[case::growth_without_a_look_before(
    |e: &mut Evidence| { grows(e, 900); forgets(e, Phase::Baseline); }, Inconclusive, "growth: \
                                                                                       budget not checked")]
#[case::growth_without_a_look_after(
    |e: &mut Evidence| { grows(e, 900); forgets(e, Phase::Cooldown); }, Inconclusive, "growth: \
                                                                                       budget not checked")]
#[case::growth_with_unread_processes_after(
    |e: &mut Evidence| { grows(e, 50); e.snapshot(Phase::Cooldown).unread = 1; },
    Inconclusive, "growth: lower bound, 1 process(es) could not be read")]
#[case::growth_above_its_budget_with_more_unread(
    |e: &mut Evidence| { grows(e, 49); e.snapshot(Phase::Cooldown).unread = 1; }, OverBudget, "growth: 50.0 MiB")]
#[case::growth_from_what_nobody_read(
    |e: &mut Evidence| { grows(e, 49); e.snapshot(Phase::Baseline).unread = 1; },
    Inconclusive, "with all processes readable at baseline")]
#[case::unread_processes_in_between(
    |e: &mut Evidence| { grows(e, 50); e.snapshot(Phase::Load).unread = 1; }, Pass, "")]
#[case::growth_of_a_server_that_is_still_at_work(
    |e: &mut Evidence| { grows(e, 49); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    Inconclusive, "growth: budget not checked")]
#[case::growth_from_one_server_to_another(
    |e: &mut Evidence| { grows(e, 49); e.happens(6_000, Event::ServerReplaced); },
    Inconclusive, "growth: budget not checked")]
#[case::growth_of_a_run_that_was_killed(
    |e: &mut Evidence| { grows(e, 49); e.events.pop(); }, Inconclusive, "growth: budget not \
                                                                         checked")]
#[case::threads_at_their_budget(|e: &mut Evidence| e.limit(Threads, count(9)), Pass, "")]
#[case::threads_above_their_budget(
    |e: &mut Evidence| e.limit(Threads, count(8)), OverBudget, "threads: 9, budget 8 (configured)")]
#[case::threads_above_their_budget_before_an_interruption(
    |e: &mut Evidence| { e.limit(Threads, count(8)); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    OverBudget, "threads: 9")]
#[case::threads_that_nobody_counted(
    |e: &mut Evidence| { e.limit(Threads, count(9)); (e.profile, e.processes) = (Vec::new(), None); },
    Inconclusive, "threads: budget not checked")]
#[case::no_zombies(|e: &mut Evidence| e.limit(Zombies, count(0)), Pass, "")]
#[case::zombies_at_their_budget(
    |e: &mut Evidence| { e.zombies_from(ALL_ENDED, 2); e.limit(Zombies, count(2)); }, Pass, "")]
#[case::zombies_above_their_budget(
    |e: &mut Evidence| { e.zombies_from(ALL_ENDED, 2); e.limit(Zombies, count(1)); }, OverBudget, "zombies: 2, budget 1")]
#[case::zombies_that_were_waited_for(
    |e: &mut Evidence| { e.zombies_from(LOAD_BEGAN, 2); e.zombies_from(ALL_ENDED, 0); e.limit(Zombies, count(0)); }, Pass, "")]
#[case::zombies_of_a_server_that_is_still_at_work(
    |e: &mut Evidence| { e.zombies_from(0, 2); e.limit(Zombies, count(0)); e.happens(6_000, Event::LoadStopped(Interrupted)); },
    Inconclusive, "zombies: budget not checked")]
#[case::zombies_that_nobody_looked_for(
    |e: &mut Evidence| { e.silence(LOAD_ENDED, ALL_ENDED + 1); e.limit(Zombies, count(0)); },
    Inconclusive, "zombies: budget not checked")]
#[case::a_stop_that_leaves_nothing(|e: &mut Evidence| leaves(e, 0, 0), Pass, "")]
#[case::leaked_processes_at_their_budget(|e: &mut Evidence| leaves(e, 1, 1), Pass, "1x SkyPilot:executor:short")]
#[case::leaked_processes_above_their_budget(
    |e: &mut Evidence| leaves(e, 2, 1), OverBudget, "leaked-processes: 2, budget 1 (configured)")]
#[case::leaked_processes_of_an_interrupted_run(
    |e: &mut Evidence| { leaves(e, 1, 0); e.happens(6_000, Event::LoadStopped(Interrupted)); }, OverBudget, "leaked-processes: 1, budget 0")]
#[case::leaked_processes_of_a_server_without_a_profile(
    |e: &mut Evidence| { leaves(e, 1, 0); (e.profile, e.processes) = (Vec::new(), None); }, OverBudget, "leaked-processes: 1")]
#[case::a_server_that_is_not_stopped(
    |e: &mut Evidence| e.limit(LeakedProcesses, count(0)), Pass, "leaked-processes: budget \
                                                                  skipped, the server was not stopped with `sky api stop`")]
#[case::a_server_that_is_kept(
    |e: &mut Evidence| { e.plan.keep_server = true; e.limit(LeakedProcesses, count(0)); }, Pass, "leaked-processes: budget skipped, the server was kept running")]
#[case::a_server_that_died_before_it_was_stopped(
    |e: &mut Evidence| { e.happens(6_000, Event::ServerGone); e.limit(LeakedProcesses, count(0)); },
    Inconclusive, "leaked-processes: budget skipped, the server was lost before it was stopped")]
#[case::a_limit_in_another_unit(
    |e: &mut Evidence| e.limit(Threads, ByteSize::gib(1)), Inconclusive, "threads: budget not \
                                                                          checked")]
fn the_verdict_follows_from(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: Verdict,
    #[case] words: &str,
) {
    assert_follows(change, verdict, words);
}

#[test]
fn a_server_that_shrank_has_grown_by_nothing() {
    let mut evidence = good_run(&four_users());
    holds(&mut evidence, Phase::Baseline);
    evidence.limit(Growth, ByteSize::mib(1));
    let report = Report::assemble(&evidence);
    let [.., check] = &report.budgets[..] else { panic!("the last one is ours") };
    assert_eq!(check.measured, Some(ByteSize(0).into()), "which is a measurement");
    assert_eq!((check.state, check.headroom()), (LimitState::Within, Some(100.0)));
}

#[test]
fn nothing_is_left_of_a_limit_of_nothing() {
    let mut evidence = good_run(&four_users());
    leaves(&mut evidence, 0, 0);
    let report = Report::assemble(&evidence);
    let [.., check] = &report.budgets[..] else { panic!("the last one is ours") };
    assert_eq!((check.state, check.headroom()), (LimitState::Within, None));
}

#[test]
fn a_stop_that_leaves_nothing_is_not_remarked_upon() {
    let mut evidence = good_run(&four_users());
    leaves(&mut evidence, 0, 0);
    let findings = Report::assemble(&evidence).findings;
    assert!(!findings.iter().any(|finding| finding.message.contains("leaked")), "{findings:#?}");
}

#[test]
fn leaked_processes_without_a_budget_are_worth_a_note() {
    let mut evidence = good_run(&four_users());
    leaves(&mut evidence, 1, 0);
    evidence.plan.budgets.retain(|budget| budget.metric != LeakedProcesses.into());
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, Pass);
    let notes = judgement.messages(Severity::Note);
    assert!(notes.iter().any(|note| note.contains("leaked 1 process(es)")), "{notes:?}");
}

#[test]
fn a_server_that_did_not_come_to_rest_is_said_and_proves_no_growth() {
    let starting = || Event::NotSettled(Unsettled::Starting(2));
    let mut evidence = good_run(&four_users());
    evidence.happens(LOAD_ENDED + 500, starting());
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, Pass, "nobody set a limit");
    let words = "not settled after the load (2 executors starting)";
    assert!(judgement.messages(Severity::Note).iter().any(|note| note.contains(words)));

    evidence.limit(Zombies, count(0));
    grows(&mut evidence, 50);
    let judgement = Report::assemble(&evidence);
    let doubts = judgement.messages(Severity::Inconclusive);
    assert!(doubts[0].starts_with("growth: ") && doubts[1].starts_with("zombies: "), "{doubts:?}");

    let mut evidence = good_run(&four_users());
    evidence.events.insert(0, LoggedEvent { at: at(0), event: starting() });
    evidence.limit(Zombies, count(0));
    assert_eq!(Report::assemble(&evidence).verdict, Pass, "they are of the end");
    grows(&mut evidence, 50);
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.messages(Severity::Inconclusive).len(), 1, "{judgement:#?}");
}

#[test]
fn a_busy_machine_is_said_and_the_server_is_judged_all_the_same() {
    let mut evidence = good_run(&four_users());
    evidence.happens(LOAD_ENDED + 500, Event::NotSettled(Unsettled::Busy(100)));
    grows(&mut evidence, 50);
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, Pass);
    let words = "not settled after the load (machine busy, 100% CPU)";
    assert!(judgement.messages(Severity::Note).iter().any(|note| note.contains(words)));
}

#[test]
fn what_an_idle_server_held_keeps_no_budget() {
    let mut evidence = good_run(&four_users());
    evidence.limit(TreePss, ByteSize::gib(1));
    forgets(&mut evidence, Phase::Load);
    assert_eq!(Report::assemble(&evidence).verdict, Pass, "the cooldown's is left");
    forgets(&mut evidence, Phase::Cooldown);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, Inconclusive);
    let check = report.budgets.iter().find(|check| check.metric == TreePss.into());
    assert_eq!(check.map(|check| check.state), Some(LimitState::NotMeasured));
}

#[test]
fn unread_processes_put_each_sum_in_doubt_that_lacks_them() {
    let mut evidence = good_run(&four_users());
    grows(&mut evidence, 50);
    evidence.limit(TreePss, ByteSize::gib(1));
    evidence.snapshot(Phase::Load).unread = 2;
    evidence.snapshot(Phase::Cooldown).unread = 1;
    let judgement = Report::assemble(&evidence);
    let doubts = judgement.messages(Severity::Inconclusive);
    assert!(doubts[0].starts_with("tree-pss: lower bound, 3 process(es)"), "{doubts:?}");
    assert!(doubts[1].starts_with("growth: lower bound, 1 process(es)"), "{doubts:?}");
}
