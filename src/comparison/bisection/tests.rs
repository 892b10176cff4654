//! Outcomes of bisections, and what they say, from verdicts on versions.

use rstest::rstest;

use super::*;
use crate::comparison::decision::{Change, MetricVerdict};
use crate::comparison::estimate::{Interval, Noise};
use crate::comparison::metrics::MetricComparison;
use crate::metric::Tolerance;
use crate::plan::SkySelection;

fn nightly(day: usize) -> Revision {
    Revision { sky: SkySelection::Version(format!("1.0.0.dev{day}")), commit: None }
}

/// Bisection of nightly builds 1 to `last`, where build 0 is good.
fn bisection(last: usize) -> Bisection {
    let metric = "long-executor".parse().unwrap();
    Bisection::new(metric, nightly(0), (1..=last).map(nightly).collect(), 0)
}

/// Comparison of the metric with this change, in percent.
fn comparison(percent: f64) -> MetricComparison {
    let metric: ComparedMetric = "long-executor".parse().unwrap();
    let at = Interval { low: percent / 100.0, high: percent / 100.0 };
    let change = Change {
        is_ratio: true,
        estimate: percent / 100.0,
        interval: at,
        equivalence: at,
        tolerance: 0.05,
        noise: 0.001,
        noise_source: Noise::WithinVersions,
    };
    MetricComparison {
        metric,
        decides: true,
        base: None,
        candidate: None,
        base_runs: Vec::new(),
        candidate_runs: Vec::new(),
        has_lower_bounds: false,
        change: Some(change),
        tolerance: Tolerance::of(metric.kind()),
        verdict: MetricVerdict::Same,
    }
}

/// Step whose verdict follows from the change alone: bad from 6 %, good up to 4 %.
fn step(position: usize, percent: f64) -> BisectionStep {
    let verdict = match percent {
        _ if percent >= 6.0 => StepVerdict::Bad,
        _ if percent <= 4.0 => StepVerdict::Good,
        _ => StepVerdict::Undecided,
    };
    BisectionStep {
        position,
        comparison: None,
        pairs: 3,
        metric: Some(comparison(percent)),
        verdict,
    }
}

/// Bisection of versions with these changes, the last of which is the bad one; `None` for a
/// version that does not build.
fn run(changes: &[Option<f64>]) -> Bisection {
    let mut bisection = bisection(changes.len());
    while let Some(position) = bisection.next() {
        bisection.add(match changes[position - 1] {
            Some(percent) => step(position, percent),
            None => BisectionStep::untestable(position, None, "it does not build".to_owned()),
        });
    }
    bisection
}

#[test]
fn a_bisection_confirms_the_bad_version_first_and_then_halves() {
    let changes = [0.0, 0.0, 0.1, 9.0, 9.0, 9.0, 9.0, 9.0].map(Some);
    let found = run(&changes);
    assert_eq!(found.outcome, Outcome::Found { position: 4 });
    assert_eq!((found.outcome.exit_code(), found.outcome.name()), (0, "FOUND"));
    let positions: Vec<usize> = found.steps.iter().map(|step| step.position).collect();
    assert_eq!(positions, [8, 4, 2, 3]);
    assert_eq!(found.reason(), "first bad version 1.0.0.dev4");
    assert_eq!(found.suspects(), [nightly(4)]);
    assert_eq!(found.notes(), [""; 0]);
}

#[test]
fn neighbours_are_confirmed_and_nothing_else_is_compared() {
    let found = run(&[Some(9.0)]);
    assert_eq!((found.outcome, found.steps.len()), (Outcome::Found { position: 1 }, 1));
}

#[rstest]
#[case::the_same(Some(0.0), Outcome::NotWorse, "1.0.0.dev2 is not worse than 1.0.0.dev0")]
#[case::undecided(Some(5.0), Outcome::NotConfirmed, "unknown: undecided after all pairs")]
#[case::broken(None, Outcome::NotConfirmed, "unknown: it does not build")]
fn a_bad_version_that_is_not_worse_ends_the_bisection(
    #[case] change: Option<f64>,
    #[case] outcome: Outcome,
    #[case] reason: &str,
) {
    let ended = run(&[Some(0.0), change]);
    assert_eq!((ended.outcome, ended.steps.len()), (outcome, 1));
    assert_eq!(ended.outcome.exit_code(), 12);
    assert!(ended.reason().ends_with(reason), "{}", ended.reason());
    assert!(ended.suspects().is_empty());
}

#[test]
fn versions_without_an_answer_leave_a_range_and_are_named() {
    let narrowed = run(&[Some(0.0), None, Some(5.5), Some(9.0), Some(9.0)]);
    assert_eq!(narrowed.outcome, Outcome::Narrowed(Range { first: 2, last: 4 }));
    assert_eq!(narrowed.outcome.exit_code(), 12);
    assert_eq!(
        narrowed.reason(),
        "the first bad version is one of 3, after 1.0.0.dev1 and up to 1.0.0.dev4; no answer from \
         the others"
    );
    let mut notes = narrowed.notes();
    notes.sort();
    assert_eq!(
        notes,
        [
            "1.0.0.dev2 skipped: it does not build",
            "1.0.0.dev3 undecided, its change is nearer to that of the bad version",
        ]
    );
}

#[test]
fn a_change_that_came_in_parts_is_noted() {
    let crept = run(&[2.0, 3.9, 7.0, 7.0].map(Some));
    assert_eq!(crept.outcome, Outcome::Found { position: 3 });
    assert!(crept.notes()[0].contains("change up to 1.0.0.dev3 came before it"), "{crept:#?}");
    let later = run(&[0.0, 7.0, 7.0, 30.0].map(Some));
    assert_eq!(later.outcome, Outcome::Found { position: 2 });
    assert!(later.notes()[0].contains("from 1.0.0.dev2 to 1.0.0.dev4"), "{:?}", later.notes());
}

#[test]
fn the_runs_that_are_needed_shrink_with_each_step() {
    let mut bisection = Bisection { pairs: 5, ..bisection(9) };
    // Four steps after the confirmation, each with 3 to 5 pairs and a warm-up.
    assert_eq!((bisection.between(), bisection.most_steps()), (8, 5));
    assert_eq!(bisection.runs_needed(), [1 + 5 * 7, 1 + 5 * 11]);
    bisection.add(step(9, 9.0));
    assert_eq!(bisection.runs_needed(), [4 * 7, 4 * 11]);
    bisection.add(step(4, 0.0));
    assert_eq!(bisection.most_steps(), 3);
}

#[test]
fn a_bisection_that_ended_early_continues_where_it_was() {
    let mut ended = bisection(4);
    assert!(ended.suspects().is_empty(), "nothing is confirmed");
    ended.add(step(4, 9.0));
    ended.add(step(2, 0.0));
    assert_eq!(ended.outcome, Outcome::Unfinished(Range { first: 3, last: 4 }));
    assert!(ended.reason().ends_with("not all of them are compared"), "{}", ended.reason());
    let json = serde_json::to_string(&ended).unwrap();
    let mut again: Bisection = serde_json::from_str(&json).unwrap();
    assert_eq!((&again, again.next()), (&ended, Some(3)));
    again.add(step(3, 9.0));
    assert_eq!(again.outcome, Outcome::Found { position: 3 });
}
