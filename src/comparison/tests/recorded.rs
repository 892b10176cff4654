//! The rule of a comparison, tried on recorded runs of one version: what it says of comparisons
//! that are drawn from them is a fact about SkyPilot and not about a model of its noise.

use fastrand::Rng;

use crate::comparison::decision::{Amounts, decide};
use crate::comparison::{Looks, MetricVerdict, Pairing, Settings};
use crate::metric::{Amount, ComparedMetric};

const METRICS: [&str; 5] = ["server", "short-executor", "tree-pss", "threads", "cpu-per-iteration"];

/// Amounts of twelve runs of `load --sky 0.14.1 -n 5 --api status`, made one after the other on two
/// cores that compiled at the same time: KiB, threads, and seconds of CPU.
const RUNS: [[f64; 5]; 12] = [
    [192_604.0, 180_820.0, 3_256_665.0, 132.0, 1.968],
    [192_816.0, 180_892.0, 3_125_473.0, 130.0, 1.490],
    [192_680.0, 180_764.0, 3_125_549.0, 128.0, 1.529],
    [192_660.0, 180_992.0, 3_256_728.0, 132.0, 1.797],
    [192_256.0, 180_740.0, 3_256_170.0, 132.0, 1.715],
    [192_204.0, 180_828.0, 3_124_962.0, 129.0, 1.576],
    [192_904.0, 180_756.0, 3_126_131.0, 128.0, 1.741],
    [193_048.0, 180_788.0, 3_257_417.0, 134.0, 1.930],
    [192_708.0, 180_844.0, 3_125_281.0, 129.0, 1.693],
    [192_432.0, 180_892.0, 3_256_234.0, 131.0, 2.332],
    [192_836.0, 180_896.0, 3_125_707.0, 131.0, 1.881],
    [192_540.0, 180_832.0, 3_125_422.0, 127.0, 1.894],
];

const COMPARISONS: usize = 50;
/// Executors, whose peaks the tests change.
const EXECUTOR: usize = 1;

/// Verdicts of comparisons of three to five pairs, drawn from the runs without repetition, whose
/// candidate's executors hold this much more.
fn drawn(more_kib: f64) -> Vec<[MetricVerdict; 5]> {
    let mut random = Rng::with_seed(18);
    let mut verdicts = Vec::new();
    for _ in 0..COMPARISONS {
        let pairs = random.usize(3..=5);
        let settings =
            Settings { looks: Looks::AfterEachPair { most: pairs }, ..Settings::default() };
        let mut runs = RUNS;
        random.shuffle(&mut runs);
        let (base, candidate) = runs.split_at(pairs);
        verdicts.push(std::array::from_fn(|index| {
            let metric: ComparedMetric = METRICS[index].parse().unwrap();
            let (unit, is_memory) = (metric.kind().unit(), index < 3);
            let more = if index == EXECUTOR { more_kib } else { 0.0 };
            let amounts = |runs: &[[f64; 5]], more: f64| -> Vec<Option<Amount>> {
                let factor = if is_memory { 1024.0 } else { 1.0 };
                let amount = |run: &[f64; 5]| Amount::of_number((run[index] + more) * factor, unit);
                runs.iter().map(|run| Some(amount(run))).collect()
            };
            let amounts =
                Amounts { base: amounts(base, 0.0), candidate: amounts(&candidate[..pairs], more) };
            decide(metric, &amounts, Pairing::InOrder, &settings, METRICS.len()).0
        }));
    }
    verdicts
}

fn count(verdicts: &[[MetricVerdict; 5]], is_meant: impl Fn(&[MetricVerdict; 5]) -> bool) -> usize {
    verdicts.iter().filter(|verdicts| is_meant(verdicts)).count()
}

#[test]
fn of_fifty_comparisons_of_one_version_at_most_two_are_worse() {
    let verdicts = drawn(0.0);
    assert!(count(&verdicts, |of| of.contains(&MetricVerdict::Worse)) <= 2, "{verdicts:?}");
    let peaks_are_same = |of: &[MetricVerdict; 5]| of[..2] == [MetricVerdict::Same; 2];
    assert_eq!(count(&verdicts, peaks_are_same), COMPARISONS, "{verdicts:?}");
}

#[test]
fn an_executor_that_holds_20_mib_more_is_found_in_every_comparison() {
    let verdicts = drawn(20.0 * 1024.0);
    let found = count(&verdicts, |of| of[EXECUTOR] == MetricVerdict::Worse);
    assert_eq!(found, COMPARISONS, "{verdicts:?}");
}

#[test]
fn an_executor_that_holds_5_mib_more_is_the_same_in_every_comparison() {
    let verdicts = drawn(5.0 * 1024.0);
    let same = count(&verdicts, |of| of[EXECUTOR] == MetricVerdict::Same);
    assert_eq!(same, COMPARISONS, "{verdicts:?}");
}
