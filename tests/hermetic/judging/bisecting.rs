//! Steps of a bisection from comparisons of runs, and their texts.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, ServerSize};
use skyload::clock::Timestamp;
use skyload::comparison::{
    Bisection, BisectionStep, CommitTitle, Comparison, EarlyEnd, Outcome, Place, Revision, Role,
    Settings, StepVerdict,
};
use skyload::ids::RunId;
use skyload::machine_size::MachineSize;
use skyload::metric::{ComparedMetric, Decider};
use skyload::plan::SkySelection;
use skyload::record::HeldTo;
use skyload::record::profile::ProfileLine;
use skyload::render::bisection::{render_markdown, render_text};
use skyload::target::sky::GitReference;
use skyload::units::ByteSize;

use super::changes::Change as _;
use super::comparing::{evidence, runs};

/// Comparison that a metric alone decides.
fn compare(candidate: &[Report], metric: &str) -> (ComparedMetric, Comparison) {
    let metric: ComparedMetric = metric.parse().expect("it is a metric");
    let settings = Settings { decide: vec![Decider::Metric(metric)], ..Settings::default() };
    (metric, Comparison::assemble(&runs(0..3, 50), candidate, &settings))
}

fn step(position: usize, candidate: &[Report], metric: &str) -> BisectionStep {
    let (metric, comparison) = compare(candidate, metric);
    let id = RunId::of_directory("20261128-080000-00bb".as_ref());
    BisectionStep::compared(position, id, &comparison, metric)
}

fn untestable(reason: &str) -> StepVerdict {
    StepVerdict::Untestable { reason: reason.to_owned() }
}

#[rstest]
#[case::more(250, StepVerdict::Bad)]
#[case::as_much(51, StepVerdict::Good)]
#[case::less(0, StepVerdict::Good)]
fn a_version_is_bad_if_the_metric_is_worse(#[case] mib: u64, #[case] verdict: StepVerdict) {
    let found = step(1, &runs(3..6, mib), "short-executor");
    assert_eq!((found.pairs, found.verdict), (3, verdict));
    assert!(found.metric.is_some_and(|metric| metric.change.is_some()));
}

#[test]
fn a_version_with_errors_of_its_own_is_good_in_no_case() {
    let failing = |mib: u64| -> Vec<Report> {
        let one = |number| {
            let mut evidence = evidence(number, mib);
            evidence.fail_iterations(1);
            Report::assemble(&evidence)
        };
        (3..6).map(one).collect()
    };
    let skipped = untestable("errors that the good version has not: ValueError (api:status)");
    assert_eq!(step(1, &failing(0), "short-executor").verdict, skipped);
    // More memory is needed in spite of the failures.
    assert_eq!(step(1, &failing(250), "short-executor").verdict, StepVerdict::Bad);
}

/// Makes CPU time, latencies and threads several times as many.
fn burden(evidence: &mut Evidence) {
    for line in &mut evidence.profile {
        match line {
            ProfileLine::Snapshot(snapshot) => snapshot.cpu = snapshot.cpu.map(|cpu| cpu * 5),
            ProfileLine::Sample(sample) => {
                sample.classes.values_mut().for_each(|class| class.threads *= 20);
            }
            _ => {}
        }
    }
    let latencies = &mut evidence.segment().iteration_duration;
    (0..20).for_each(|_| latencies.record(Duration::from_secs(9)));
}

#[rstest]
#[case::cpu_time("cpu-per-iteration")]
#[case::latency("api:status p50")]
#[case::count("threads")]
fn more_of_what_failures_cost_is_bad_only_without_new_ones(#[case] metric: &str) {
    let candidate = |fails: bool| -> Vec<Report> {
        let one = |number| {
            let mut evidence = evidence(number, 0);
            burden(&mut evidence);
            evidence.fail_iterations(u64::from(fails));
            Report::assemble(&evidence)
        };
        (3..6).map(one).collect()
    };
    let found = [false, true].map(|fails| step(1, &candidate(fails), metric).verdict);
    let skipped = untestable("errors that the good version has not: ValueError (api:status)");
    assert_eq!(found, [StepVerdict::Bad, skipped]);
}

#[test]
fn a_version_whose_processes_are_killed_at_its_size_is_good_in_no_case() {
    let killed = |mib: u64| -> Vec<Report> {
        let size = ServerSize {
            size: MachineSize { cpus: 2, memory: ByteSize::gib(4) },
            group: HeldTo::Nothing("it is a test".to_owned()),
            kills: 1,
            kills_below_size: 0,
            killed: Vec::new(),
        };
        let with_kill = |report| Report { server_size: Some(size.clone()), ..report };
        runs(3..6, mib).into_iter().map(with_kill).collect()
    };
    let reason = "only in the candidate the kernel killed processes at the server's size: in 3 of 3 \
                  runs";
    assert_eq!(step(1, &killed(0), "short-executor").verdict, untestable(reason));
    assert_eq!(step(1, &killed(250), "short-executor").verdict, StepVerdict::Bad);
}

#[test]
fn a_version_that_does_not_measure_the_metric_gives_no_answer() {
    let found = step(1, &runs(3..6, 250), "server-worker").verdict;
    assert_eq!(found, untestable("server-worker was not measured in any run"));
}

#[test]
fn runs_that_are_missing_are_an_obstacle_unless_the_others_decide() {
    let of = |candidate: &[Report]| {
        let (metric, mut comparison) = compare(candidate, "short-executor");
        let id = RunId::of_directory("20261128-080000-00bb".as_ref());
        let place = Place { pair: Some(3), role: Role::Candidate };
        let last = "its profiler was too late".to_owned();
        let end = EarlyEnd::NoUsableRun { place, attempts: 3, always_failed: false, last };
        comparison.early_end = Some(end);
        BisectionStep::compared(1, id, &comparison, metric).verdict
    };
    let reason = "no usable run of the candidate for pair 3 in 3 attempts; the last one: its \
                  profiler was too late";
    assert_eq!(of(&runs(3..5, 250)), untestable(reason));
    assert_eq!(of(&runs(3..6, 250)), StepVerdict::Bad);
}

/// Commit number of a repository.
fn revision(number: usize) -> Revision {
    let (repository, reference) = ("/sky".to_owned(), format!("{number:x}").repeat(40));
    let subject = format!("Change `number` {number}");
    let date = Timestamp::from_micros(1_792_497_600_000_000);
    let commit = CommitTitle { author: "A <B>".to_owned(), date, subject };
    let sky = SkySelection::Git(GitReference { repository, reference });
    Revision { sky, commit: Some(commit) }
}

#[test]
fn texts_have_the_steps_by_age_what_was_skipped_and_the_commit() {
    let metric = "short-executor".parse().expect("it is a metric");
    let mut bisection = Bisection::new(metric, revision(0), (1..=8).map(revision).collect(), 2);
    let id = RunId::of_directory("20261128-080000-00bb".as_ref());
    while let Some(position) = bisection.next() {
        bisection.add(match position {
            4 => BisectionStep::untestable(4, Some(id.clone()), "API server exited".to_owned()),
            1..=4 => step(position, &runs(3..6, 50), "short-executor"),
            _ => step(position, &runs(3..6, 250), "short-executor"),
        });
    }
    assert!(matches!(bisection.outcome, Outcome::Narrowed(_)), "{:?}", bisection.outcome);
    let [mut text, mut markdown] = [Vec::new(), Vec::new()];
    render_text(&bisection, Some("/results".as_ref()), &mut text).expect("memory is enough");
    render_markdown(&bisection, &mut markdown).expect("memory is enough");
    let [text, markdown] = [text, markdown].map(|it| String::from_utf8(it).expect("it is text"));
    insta::assert_snapshot!(format!("{text}\n{markdown}"));
}
