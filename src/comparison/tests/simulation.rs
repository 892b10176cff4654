//! The rule of a comparison, tried on thousands of simulated ones.
//!
//! Simulated are the default deciding metrics, with stops as soon as all are decided, after three
//! pairs at the earliest and five at the latest. Noise of a run, as measured of SkyPilot 0.14.1 on
//! two cores: 0.1 % of executors' peaks, 1 to 3 % of PSS and CPU, a few threads; 2 % here, unless
//! a test says otherwise.

use fastrand::Rng;
use rstest::rstest;

use crate::comparison::decision::{Amounts, decide};
use crate::comparison::estimate::{LEAST_RUNS, as_f64};
use crate::comparison::{Looks, MetricVerdict, Pairing, Settings};
use crate::metric::{Amount, ComparedMetric};

const MOST: usize = 5;
const COMPARISONS: usize = 1_000;
/// Deviation of a share of so many comparisons from a true share of 5 %: two standard errors.
const CHANCE: f64 = 0.014;

/// Metric of simulated runs.
#[derive(Clone, Copy)]
struct Simulated {
    metric: &'static str,
    /// Number in the unit of the metric.
    base: f64,
    /// Standard deviation of runs, as a share of the base.
    noise: f64,
    /// Tolerance, as a share of the base.
    tolerance: f64,
}

const METRICS: [Simulated; 6] = [
    Simulated { metric: "server", base: 200e6, noise: 0.005, tolerance: 0.0524 },
    Simulated { metric: "short-executor", base: 178e6, noise: 0.001, tolerance: 0.0589 },
    Simulated { metric: "long-executor", base: 190e6, noise: 0.001, tolerance: 0.0552 },
    Simulated { metric: "tree-pss", base: 4e9, noise: 0.02, tolerance: 0.05 },
    Simulated { metric: "cpu-per-iteration", base: 2.0, noise: 0.02, tolerance: 0.05 },
    Simulated { metric: "threads", base: 300.0, noise: 0.01, tolerance: 0.1 },
];

/// Noise of the runs of a simulated comparison.
#[derive(Clone, Copy)]
struct World {
    /// Factor on the noise of each metric.
    noise: f64,
    /// Standard deviation of what disturbs both runs of a pair, as a multiple of the noise.
    shared: f64,
}

const QUIET: World = World { noise: 1.0, shared: 0.0 };

/// Standard normal number (Box and Muller).
fn normal(random: &mut Rng) -> f64 {
    let (one, other) = (1.0 - random.f64(), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// Verdicts at the end of a comparison whose candidate has `factors` times as much as the base.
fn compare(random: &mut Rng, world: World, factors: [f64; 6], looks: Looks) -> [MetricVerdict; 6] {
    let settings = Settings { looks, ..Settings::default() };
    let mut runs: [Amounts; 6] = Default::default();
    let (first, most) = match looks {
        Looks::Once => (MOST, MOST),
        Looks::AfterEachPair { most } => (LEAST_RUNS, most),
    };
    for pairs in 1..=most {
        for (index, of) in METRICS.iter().enumerate() {
            let noise = of.noise * world.noise;
            let shared = normal(random) * world.shared * noise;
            let mut amount = |factor: f64| {
                let number = of.base * factor * (normal(random) * noise + shared).exp();
                let unit = of.metric.parse::<ComparedMetric>().unwrap().kind().unit();
                Some(Amount::of_number(number, unit))
            };
            runs[index].base.push(amount(1.0));
            runs[index].candidate.push(amount(factors[index]));
        }
        if pairs < first {
            continue;
        }
        let verdicts = std::array::from_fn(|index| {
            let metric = METRICS[index].metric.parse().unwrap();
            decide(metric, &runs[index], Pairing::InOrder, &settings, METRICS.len()).0
        });
        if pairs == most || !verdicts.iter().any(MetricVerdict::is_undecided) {
            return verdicts;
        }
    }
    unreachable!("the last look returns")
}

/// Share of simulated comparisons whose verdicts are as asked.
fn share(
    world: World,
    factors: [f64; 6],
    looks: Looks,
    is_meant: impl Fn(&[MetricVerdict; 6]) -> bool,
) -> f64 {
    let mut random = Rng::with_seed(18);
    let found = (0..COMPARISONS).filter(|_| is_meant(&compare(&mut random, world, factors, looks)));
    as_f64(found.count()) / as_f64(COMPARISONS)
}

const AFTER_EACH: Looks = Looks::AfterEachPair { most: MOST };
const EQUAL: [f64; 6] = [1.0; 6];

fn has_worse(verdicts: &[MetricVerdict; 6]) -> bool {
    verdicts.contains(&MetricVerdict::Worse)
}

#[rstest]
#[case::as_measured(QUIET, AFTER_EACH)]
#[case::noisy(World { noise: 3.0, shared: 0.0 }, AFTER_EACH)]
#[case::very_noisy(World { noise: 10.0, shared: 0.0 }, AFTER_EACH)]
#[case::up_to_ten_pairs(World { noise: 4.0, shared: 0.0 }, Looks::AfterEachPair { most: 10 })]
#[case::pairs_disturbed_together(World { noise: 3.0, shared: 4.0 }, AFTER_EACH)]
#[case::looked_at_once(World { noise: 3.0, shared: 0.0 }, Looks::Once)]
fn equal_versions_give_a_false_alarm_in_at_most_a_twentieth_of_the_comparisons(
    #[case] world: World,
    #[case] looks: Looks,
) {
    let alarms = share(world, EQUAL, looks, has_worse);
    assert!(alarms <= 0.05, "{alarms}");
}

#[rstest]
#[case::after_each_pair(AFTER_EACH)]
#[case::once(Looks::Once)]
fn equal_versions_are_the_same_in_four_fifths_of_the_comparisons(#[case] looks: Looks) {
    let same = share(QUIET, EQUAL, looks, |verdicts| {
        verdicts.iter().all(|verdict| *verdict == MetricVerdict::Same)
    });
    assert!(same >= 0.8, "{same}");
}

#[rstest]
#[case::after_each_pair(AFTER_EACH)]
#[case::once(Looks::Once)]
fn a_shift_of_twice_the_tolerance_is_found_in_nineteen_of_twenty_comparisons(#[case] looks: Looks) {
    for (shifted, metric) in METRICS.iter().enumerate() {
        let mut factors = EQUAL;
        factors[shifted] += 2.0 * metric.tolerance;
        let found =
            share(QUIET, factors, looks, |verdicts| verdicts[shifted] == MetricVerdict::Worse);
        assert!(found >= 0.95, "{}: {found}", metric.metric);
    }
}

#[test]
fn a_shift_of_the_tolerance_is_called_the_same_in_at_most_a_twentieth_of_the_comparisons() {
    for noise in [0.5, 1.0, 2.0] {
        let world = World { noise, shared: 0.0 };
        let mut factors = EQUAL;
        factors[4] += METRICS[4].tolerance;
        let same = share(world, factors, AFTER_EACH, |verdicts| verdicts[4] == MetricVerdict::Same);
        assert!(same <= 0.05 + CHANCE, "noise x{noise}: {same}");
    }
}

#[test]
fn half_the_tolerance_is_no_alarm() {
    let factors = METRICS.map(|metric| 1.0 + metric.tolerance / 2.0);
    let alarms = share(QUIET, factors, AFTER_EACH, has_worse);
    assert!(alarms <= 0.05, "{alarms}");
}

#[test]
fn pairs_that_are_disturbed_together_are_compared_by_their_differences() {
    // Without that, disturbances of six times the noise would hide twice the tolerance.
    let world = World { noise: 0.5, shared: 12.0 };
    let mut factors = EQUAL;
    factors[4] += 2.0 * METRICS[4].tolerance;
    let found = share(world, factors, AFTER_EACH, |verdicts| verdicts[4] == MetricVerdict::Worse);
    assert!(found >= 0.9, "{found}");
}
