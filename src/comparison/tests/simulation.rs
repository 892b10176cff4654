//! The rule of a comparison, tried on thousands of simulated ones.
//!
//! Simulated are the default deciding metrics, with stops as soon as all are decided, after three
//! pairs at the earliest and five at the latest. Noise of a run, as measured of SkyPilot 0.14.1 on
//! two cores: 0.1 % of executors' peaks, 1 to 3 % of PSS and CPU, a few threads; 2 % here, unless
//! a test says otherwise.

use fastrand::Rng;
use rstest::rstest;

use crate::comparison::decision::{Amounts, Evidence};
use crate::comparison::estimate::{Estimate, LEAST_RUNS, as_f64};
use crate::comparison::risk::Risks;
use crate::comparison::{Looks, MetricVerdict, Pairing, Settings};
use crate::metric::{Amount, ComparedMetric};

const MOST: usize = 5;
const COMPARISONS: usize = 600;
/// Deviation of a share of so many comparisons from a true share of 5 %: two standard errors.
const CHANCE: f64 = 0.018;

/// Metric of simulated runs.
#[derive(Clone, Copy)]
struct Simulated {
    metric: &'static str,
    /// Number in the unit of the metric.
    base: f64,
    /// Tolerance, as a share of the base.
    tolerance: f64,
}

const METRICS: [Simulated; 6] = [
    Simulated { metric: "server", base: 200e6, tolerance: 0.0524 },
    Simulated { metric: "short-executor", base: 178e6, tolerance: 0.0589 },
    Simulated { metric: "long-executor", base: 190e6, tolerance: 0.0552 },
    Simulated { metric: "tree-pss", base: 4e9, tolerance: 0.05 },
    Simulated { metric: "cpu-per-iteration", base: 2.0, tolerance: 0.05 },
    Simulated { metric: "threads", base: 300.0, tolerance: 0.1 },
];

/// Noise of the runs of a simulated comparison.
#[derive(Clone, Copy)]
struct World {
    /// Standard deviation of the runs of each metric, as a share of the base.
    noise: [f64; 6],
    /// Factor on the noise of the base.
    base: f64,
    /// Factor on the noise of the candidate.
    candidate: f64,
    /// Standard deviation of what disturbs both runs of a pair, as a multiple of the noise.
    shared: f64,
    /// Logarithm of an outlier, which one run in twenty is.
    outlier: f64,
}

const AS_MEASURED: World = World {
    noise: [0.005, 0.001, 0.001, 0.02, 0.02, 0.01],
    base: 1.0,
    candidate: 1.0,
    shared: 0.0,
    outlier: 0.0,
};

/// Noise of all metrics far beyond their tolerances, which alone protect none from a false alarm.
const VERY_NOISY: World = World { noise: [0.2; 6], ..AS_MEASURED };

impl World {
    /// World with this factor on the noise of both versions.
    const fn times(self, factor: f64) -> Self {
        Self { base: self.base * factor, candidate: self.candidate * factor, ..self }
    }
}

/// Standard normal number (Box and Muller).
fn normal(random: &mut Rng) -> f64 {
    let (one, other) = (1.0 - random.f64(), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}

/// Verdicts at the end of a comparison whose candidate has `factors` times as much as the base;
/// `None` of an undecided metric.
fn compare(
    random: &mut Rng,
    world: World,
    factors: [f64; 6],
    looks: Looks,
) -> [Option<MetricVerdict>; 6] {
    let settings = Settings { looks, ..Settings::default() };
    let metrics = METRICS.map(|of| of.metric.parse::<ComparedMetric>().unwrap());
    let mut runs: [Amounts; 6] = Default::default();
    let (first, most) = match looks {
        Looks::Once => (MOST, MOST),
        Looks::AfterEachPair { most } => (LEAST_RUNS, most),
    };
    for pairs in 1..=most {
        for (index, of) in METRICS.iter().enumerate() {
            let shared = normal(random) * world.shared;
            let mut amount = |factor: f64, noise: f64| {
                let outlier = if random.u8(0..20) == 0 { world.outlier } else { 0.0 };
                let change = (normal(random) + shared) * noise * world.noise[index] + outlier;
                let number = of.base * factor * change.exp();
                Some(Amount::of_number(number, metrics[index].kind().unit()))
            };
            runs[index].base.push(amount(1.0, world.base));
            runs[index].candidate.push(amount(factors[index], world.candidate));
        }
        if pairs < first {
            continue;
        }
        let risks = Risks::at(looks, pairs, METRICS.len());
        let verdicts = std::array::from_fn(|index| {
            let runs = &runs[index];
            let evidence = Evidence::of(metrics[index], runs, Pairing::InOrder, &settings)?;
            evidence.verdict(&evidence.intervals(risks))
        });
        if pairs == most || verdicts.iter().all(Option::is_some) {
            return verdicts;
        }
    }
    unreachable!("the last look returns")
}

/// Verdicts at the ends of many comparisons.
struct Simulation(Vec<[Option<MetricVerdict>; 6]>);

impl Simulation {
    fn of(world: World, factors: [f64; 6], looks: Looks) -> Self {
        let mut random = Rng::with_seed(18);
        Self((0..COMPARISONS).map(|_| compare(&mut random, world, factors, looks)).collect())
    }

    /// Share of the comparisons whose verdicts are as asked.
    fn share(&self, is_meant: impl Fn(&[Option<MetricVerdict>; 6]) -> bool) -> f64 {
        let found = self.0.iter().filter(|verdicts| is_meant(verdicts)).count();
        as_f64(found) / as_f64(self.0.len())
    }

    /// Share of the comparisons with this verdict of any metric.
    fn share_with(&self, verdict: MetricVerdict) -> f64 {
        self.share(|verdicts| verdicts.contains(&Some(verdict)))
    }
}

const AFTER_EACH: Looks = Looks::AfterEachPair { most: MOST };
const THREE: Looks = Looks::AfterEachPair { most: 3 };
const TEN: Looks = Looks::AfterEachPair { most: 10 };
const EQUAL: [f64; 6] = [1.0; 6];

/// World in which one version is ten times as noisy as the other.
const NOISY_CANDIDATE: World = World { base: 0.1, ..VERY_NOISY };
/// World with outliers of about twice the amount in one of twenty runs.
const OUTLIERS: World = World { outlier: 0.7, ..VERY_NOISY };
const DISTURBED: World = World { shared: 4.0, ..AS_MEASURED.times(3.0) };

#[rstest]
#[case::equally_noisy(VERY_NOISY, AFTER_EACH)]
#[case::candidate_noisier(NOISY_CANDIDATE, AFTER_EACH)]
#[case::candidate_noisier_in_three_pairs(NOISY_CANDIDATE, THREE)]
#[case::candidate_noisier_in_ten_pairs(NOISY_CANDIDATE, TEN)]
#[case::candidate_noisier_looked_at_once(NOISY_CANDIDATE, Looks::Once)]
#[case::candidate_four_times_as_noisy(World { base: 0.25, ..VERY_NOISY }, AFTER_EACH)]
#[case::base_noisier(World { candidate: 0.1, ..VERY_NOISY }, AFTER_EACH)]
#[case::one_of_them_without_noise(World { base: 0.0, ..VERY_NOISY }, AFTER_EACH)]
#[case::disturbed_together(DISTURBED, AFTER_EACH)]
#[case::disturbed_together_and_candidate_noisier(World { base: 0.3, ..DISTURBED }, AFTER_EACH)]
#[case::outliers(OUTLIERS, AFTER_EACH)]
#[case::outliers_and_candidate_noisier(World { base: 0.1, ..OUTLIERS }, AFTER_EACH)]
fn equal_versions_give_a_false_alarm_in_at_most_a_twentieth_of_the_comparisons(
    #[case] world: World,
    #[case] looks: Looks,
) {
    let simulation = Simulation::of(world, EQUAL, looks);
    let [worse, better] =
        [MetricVerdict::Worse, MetricVerdict::Better].map(|wrong| simulation.share_with(wrong));
    assert!(worse <= 0.05, "{worse}");
    assert!(worse + better <= 0.05 + CHANCE, "{worse} and {better}");
}

#[rstest]
#[case::after_each_pair(AFTER_EACH)]
#[case::once(Looks::Once)]
fn equal_versions_are_the_same_in_four_fifths_of_the_comparisons(#[case] looks: Looks) {
    let same = Simulation::of(AS_MEASURED, EQUAL, looks)
        .share(|verdicts| verdicts.iter().all(|verdict| *verdict == Some(MetricVerdict::Same)));
    assert!(same >= 0.8, "{same}");
}

#[rstest]
#[case::after_each_pair(AFTER_EACH)]
#[case::once(Looks::Once)]
fn a_shift_of_twice_the_tolerance_is_found_in_nineteen_of_twenty_comparisons(#[case] looks: Looks) {
    let factors = METRICS.map(|metric| 1.0 + 2.0 * metric.tolerance);
    let simulation = Simulation::of(AS_MEASURED, factors, looks);
    for (index, metric) in METRICS.iter().enumerate() {
        let found = simulation.share(|verdicts| verdicts[index] == Some(MetricVerdict::Worse));
        assert!(found >= 0.95, "{}: {found}", metric.metric);
    }
}

#[rstest]
#[case::half_the_noise(AS_MEASURED.times(0.5))]
#[case::as_measured(AS_MEASURED)]
#[case::twice_the_noise(AS_MEASURED.times(2.0))]
#[case::candidate_noisier(World { base: 0.25, ..AS_MEASURED })]
fn a_shift_of_the_tolerance_is_called_the_same_in_at_most_a_twentieth_of_the_comparisons(
    #[case] world: World,
) {
    let mut factors = EQUAL;
    factors[4] += METRICS[4].tolerance;
    let same = Simulation::of(world, factors, AFTER_EACH)
        .share(|verdicts| verdicts[4] == Some(MetricVerdict::Same));
    assert!(same <= 0.05 + CHANCE, "{same}");
}

#[test]
fn half_the_tolerance_is_no_alarm() {
    let factors = METRICS.map(|metric| 1.0 + metric.tolerance / 2.0);
    let worse = Simulation::of(AS_MEASURED, factors, AFTER_EACH).share_with(MetricVerdict::Worse);
    assert!(worse <= 0.05, "{worse}");
}

#[test]
fn pairs_that_are_disturbed_together_are_compared_by_their_differences() {
    // Without that, disturbances of six times the noise would hide twice the tolerance.
    let world = World { shared: 12.0, ..AS_MEASURED.times(0.5) };
    let mut factors = EQUAL;
    factors[4] += 2.0 * METRICS[4].tolerance;
    let found = Simulation::of(world, factors, AFTER_EACH)
        .share(|verdicts| verdicts[4] == Some(MetricVerdict::Worse));
    assert!(found >= 0.9, "{found}");
}

#[rstest]
#[case::small_set_noisier(3, 8, 1.0, 0.1)]
#[case::large_set_noisier(3, 8, 0.1, 1.0)]
#[case::equally_noisy(3, 5, 1.0, 1.0)]
fn intervals_of_sets_of_other_sizes_miss_as_seldom_as_they_say(
    #[case] runs: usize,
    #[case] others: usize,
    #[case] noise: f64,
    #[case] of_others: f64,
) {
    let (mut random, risk, sets) = (Rng::with_seed(18), 0.05, 4_000);
    let mut set = |runs: usize, noise: f64| -> Vec<f64> {
        (0..runs).map(|_| normal(&mut random) * noise).collect()
    };
    let misses = (0..sets).filter(|_| {
        let estimate = Estimate::unpaired(&set(runs, noise), &set(others, of_others)).unwrap();
        estimate.interval(risk).excludes_zero()
    });
    let missed = as_f64(misses.count()) / as_f64(sets);
    assert!(missed <= risk * 1.2, "{missed}");
}
