//! Cases of the rule that no noise decides: few runs, equal runs, zeros and missing amounts.

mod recorded;
mod simulation;

use rstest::rstest;

use crate::comparison::decision::{Amounts, decide};
use crate::comparison::estimate::Estimate;
use crate::comparison::{Looks, MetricVerdict, Noise, Pairing, Settings};
use crate::metric::{Amount, ComparedMetric, Kind, Tolerance, Unit};

/// Amounts of a metric; a negative number is a run that did not measure it.
fn amounts(metric: &str, base: &[f64], candidate: &[f64]) -> (ComparedMetric, Amounts) {
    let metric: ComparedMetric = metric.parse().unwrap();
    let unit = metric.kind().unit();
    let of = |numbers: &[f64]| -> Vec<Option<Amount>> {
        let amount = |number: &f64| (*number >= 0.0).then(|| Amount::of_number(*number, unit));
        numbers.iter().map(amount).collect()
    };
    (metric, Amounts { base: of(base), candidate: of(candidate) })
}

fn verdict(metric: &str, base: &[f64], candidate: &[f64]) -> MetricVerdict {
    let (metric, amounts) = amounts(metric, base, candidate);
    let pairing = match base.len() == candidate.len() {
        true => Pairing::InOrder,
        false => Pairing::Unpaired,
    };
    decide(metric, &amounts, pairing, &Settings::default(), 6).0
}

const UNKNOWN: MetricVerdict = MetricVerdict::Undecided { pairs: None };

#[rstest]
#[case::equal_runs(&[100.0; 3], &[100.0; 3], MetricVerdict::Same)]
#[case::equal_runs_within_the_tolerance(&[100.0; 3], &[110.0; 3], MetricVerdict::Same)]
#[case::equal_runs_beyond_the_tolerance(&[100.0; 3], &[111.0; 3], MetricVerdict::Worse)]
#[case::fewer(&[111.0; 3], &[100.0; 3], MetricVerdict::Same)]
#[case::far_fewer(&[200.0; 3], &[100.0; 3], MetricVerdict::Better)]
#[case::none_at_all(&[0.0; 3], &[0.0; 3], MetricVerdict::Same)]
#[case::two_pairs(&[100.0; 2], &[200.0; 2], UNKNOWN)]
#[case::two_of_three_pairs_measured(&[100.0, -1.0, 100.0], &[200.0; 3], UNKNOWN)]
#[case::three_of_four_pairs_measured(&[100.0, -1.0, 100.0, 100.0], &[200.0; 4], MetricVerdict::Worse)]
#[case::never_in_the_base(&[-1.0; 3], &[200.0; 3], MetricVerdict::NotCompared { only_in_base: false })]
#[case::never_in_the_candidate(&[9.0; 3], &[-1.0; 3], MetricVerdict::NotCompared { only_in_base: true })]
#[case::other_sizes(&[100.0; 3], &[200.0; 5], MetricVerdict::Worse)]
fn counts_without_noise_have_a_stated_verdict(
    #[case] base: &[f64],
    #[case] candidate: &[f64],
    #[case] expected: MetricVerdict,
) {
    assert_eq!(verdict("threads", base, candidate), expected);
}

#[test]
fn an_amount_of_zero_makes_a_ratio_a_difference() {
    let (metric, amounts) = amounts("cpu-per-iteration", &[0.0, 1.0, 1.1], &[1.0, 1.1, 0.0]);
    let (_, change) = decide(metric, &amounts, Pairing::InOrder, &Settings::default(), 6);
    assert!(change.is_some_and(|change| !change.is_ratio && change.estimate.is_finite()));
}

#[rstest]
#[case::share_of_a_large_base(1000.0, 50.0)]
#[case::amount_of_a_small_base(100.0, 10.0)]
fn a_tolerance_is_the_larger_of_share_and_amount(#[case] mib: f64, #[case] expected: f64) {
    let mebibyte = f64::from(1 << 20);
    let around = Tolerance::of(Kind::Memory).around(mib * mebibyte);
    assert!((around / mebibyte - expected).abs() < 1e-6, "{around}");
}

#[test]
fn an_undecided_metric_says_how_many_pairs_would_decide() {
    let base = [1.00, 1.06, 0.95, 1.03, 0.96].map(|noise| noise * 4e9);
    let candidate = [1.05, 0.97, 1.04, 0.93, 1.08].map(|noise| noise * 4e9);
    let found = verdict("tree-pss", &base, &candidate);
    let MetricVerdict::Undecided { pairs: Some(pairs) } = found else { panic!("{found:?}") };
    assert!((6..=40).contains(&pairs), "{pairs}");
    // As many pairs with the same noise decide.
    let repeated = |runs: [f64; 5]| -> Vec<f64> { runs.into_iter().cycle().take(60).collect() };
    let more = verdict("tree-pss", &repeated(base), &repeated(candidate));
    assert_eq!(more, MetricVerdict::Same);
}

/// Verdict at the look after five pairs, the third of which did not measure the metric.
fn after_five_pairs_with_four_measured(of: [f64; 4], most: usize) -> MetricVerdict {
    let [first, second, fourth, fifth] = of;
    let base = [first, second, -1.0, fourth, fifth];
    let candidate = [second, first, 100.0, fifth, fourth];
    let (metric, amounts) = amounts("threads", &base, &candidate);
    let settings = Settings { looks: Looks::AfterEachPair { most }, ..Settings::default() };
    decide(metric, &amounts, Pairing::InOrder, &settings, 6).0
}

#[test]
fn a_pair_without_the_metric_counts_as_a_look() {
    let noisy = [95.0, 104.0, 97.0, 103.0];
    assert_eq!(after_five_pairs_with_four_measured(noisy, 5), MetricVerdict::Same);
    let early = after_five_pairs_with_four_measured(noisy, 6);
    assert!(early.is_undecided(), "an early look has little of the risk: {early:?}");
}

#[test]
fn more_pairs_than_were_made_are_needed_after_the_last_one() {
    let noisy = [90.0, 109.0, 92.0, 108.0];
    let last = after_five_pairs_with_four_measured(noisy, 5);
    let MetricVerdict::Undecided { pairs: Some(pairs) } = last else { panic!("{last:?}") };
    // Without the pair that did not measure it, one pair fewer is needed.
    let [base, candidate] = [noisy, [109.0, 90.0, 108.0, 92.0]];
    let (metric, amounts) = amounts("threads", &base, &candidate);
    let settings = Settings { looks: Looks::AfterEachPair { most: 4 }, ..Settings::default() };
    let of_four = decide(metric, &amounts, Pairing::InOrder, &settings, 6).0;
    assert_eq!(of_four, MetricVerdict::Undecided { pairs: Some(pairs - 1) });
    assert!(pairs > 5, "{pairs}");
}

// CPU seconds for each of ten requests at once, for which four or five executors start.
const NOISY: [f64; 5] = [1.97, 1.49, 1.53, 1.80, 1.72];

#[rstest]
#[case::no_change("cpu-per-iteration", NOISY, 1.02, true)]
#[case::less("cpu-per-iteration", NOISY, 0.85, true)]
#[case::a_sign_that_it_is_worse("cpu-per-iteration", NOISY, 1.25, false)]
#[case::near_the_tolerance("cpu-per-iteration", [1.70, 1.71, 1.70, 1.69, 1.70], 1.049, false)]
#[case::metric_that_must_be_decided("tree-pss", NOISY.map(|noise| noise * 1e9), 1.02, false)]
fn cpu_time_that_is_too_noisy_to_tell_does_not_leave_a_comparison_undecided(
    #[case] metric: &str,
    #[case] base: [f64; 5],
    #[case] factor: f64,
    #[case] is_excused: bool,
) {
    let mut candidate = base.map(|number| number * factor);
    candidate.reverse();
    match verdict(metric, &base, &candidate) {
        MetricVerdict::TooNoisy { pairs } => assert!(is_excused && pairs > Some(5), "{pairs:?}"),
        other => assert!(!is_excused && other.is_undecided(), "{other:?}"),
    }
}

#[rstest]
#[case::worse(1.6, MetricVerdict::Worse)]
#[case::better(0.6, MetricVerdict::Better)]
fn cpu_time_that_is_noisy_decides_where_the_change_is_plain(
    #[case] factor: f64,
    #[case] expected: MetricVerdict,
) {
    let mut candidate = NOISY.map(|number| number * factor);
    candidate.reverse();
    assert_eq!(verdict("cpu-per-iteration", &NOISY, &candidate), expected);
}

#[test]
fn a_change_at_the_tolerance_is_never_decided() {
    let base = [100.0, 102.0, 98.0, 101.0, 99.0];
    let candidate = base.map(|threads| threads + 10.0);
    let found = verdict("threads", &base, &candidate);
    assert_eq!(found, MetricVerdict::Undecided { pairs: None });
}

/// Interval of 95 %, as the distances of its ends from the mean.
fn margins(estimate: &Estimate) -> [f64; 2] {
    let interval = estimate.interval(0.05);
    [estimate.mean - interval.low, interval.high - estimate.mean]
}

// 97.5th percentiles of t: 4.3027 with 2 degrees of freedom, 3.4198 with 2.667.
#[rstest]
// Two variances of 1: a third of the way from 2 degrees to 4.
#[case::equal_noise(&[(-1.0, 2.0 + ROOT), (0.0, 2.0 - 2.0 * ROOT), (1.0, 2.0 + ROOT)], 3.4198 * 2_f64.sqrt())]
#[case::candidate_without_noise(&[(-1.0, 2.0), (0.0, 2.0), (1.0, 2.0)], 4.3027)]
#[case::base_without_noise(&[(0.0, 1.0), (0.0, 2.0), (0.0, 3.0)], 4.3027)]
fn the_interval_of_pairs_is_students(#[case] pairs: &[(f64, f64)], #[case] of_run: f64) {
    let estimate = Estimate::paired(pairs).unwrap();
    assert_eq!(estimate.noise, Noise::WithinVersions);
    assert!((estimate.mean - 2.0).abs() < 1e-9);
    let expected = of_run / 3.0_f64.sqrt();
    for margin in margins(&estimate) {
        assert!((margin - expected).abs() < 1e-3, "{margin} for {expected}");
    }
}

/// Root of a third, so that `1, -2, 1` times that has a variance of 1.
const ROOT: f64 = 0.577_350;

#[test]
fn pairs_that_drift_together_are_compared_by_their_differences() {
    let pairs = [(10.0, 11.0), (20.0, 21.2), (30.0, 31.1), (40.0, 40.9), (50.0, 51.0)];
    assert_eq!(Estimate::paired(&pairs).unwrap().noise, Noise::OfPairs);
}

#[test]
fn the_interval_of_sets_has_a_third_of_welchs_degrees() {
    let estimate = Estimate::unpaired(&[1.0, 2.0, 3.0], &[5.0, 7.0, 9.0, 11.0]).unwrap();
    assert_eq!((estimate.mean, estimate.noise), (6.0, Noise::Unpaired));
    // Variances 1/3 and 20/12. The smaller set has 2 degrees of freedom, Welch's formula 4.075; a
    // third of the way is 2.692, whose 97.5th percentile is 3.398.
    for margin in margins(&estimate) {
        assert!((margin - 3.398 * 2.0_f64.sqrt()).abs() < 5e-3, "{margin}");
    }
}

#[test]
fn a_tolerance_is_read_in_the_unit_of_its_kind() {
    let parsed = Tolerance::parse("5% or 10MiB", Unit::Size).unwrap();
    assert_eq!(parsed, Tolerance::of(Kind::Memory));
    assert!(Tolerance::parse("5s", Unit::Size).is_err());
    assert!(Tolerance::parse("105%", Unit::Size).is_err());
}
