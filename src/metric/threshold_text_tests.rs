//! Tests of thresholds as text.

use proptest::prelude::*;
use proptest::sample;
use rstest::rstest;

use super::*;

#[rstest]
#[case::latency("api:status p95 < 5s", "api:status p95 < 5s")]
#[case::without_blanks("api:status p99.9<=300ms", "api:status p99.9 <= 300ms")]
#[case::more_blanks("  api:status   max >  1m 30s ", "api:status max > 1m 30s")]
#[case::fraction("api:status avg < 1.5s", "api:status avg < 1s 500ms")]
#[case::step(
    "api:launch_and_logs step launch/submit p99 <= 300ms",
    "api:launch_and_logs step launch/submit p99 <= 300ms"
)]
#[case::step_with_blanks(
    "cli:jobs step sky jobs launch min >= 1s",
    "cli:jobs step sky jobs launch min >= 1s"
)]
#[case::step_on_an_infra(
    "cli:launch step sky launch @slurm/loop p50 < 9s",
    "cli:launch step sky launch @slurm/loop p50 < 9s"
)]
#[case::throughput("api:status throughput > 2/s", "api:status throughput > 2/s")]
#[case::any_throughput("api:status throughput > 0/s", "api:status throughput > 0/s")]
#[case::errors("api:status error-rate <= 0.25%", "api:status error-rate <= 0.25%")]
#[case::no_error("api:status error-rate <= 0%", "api:status error-rate <= 0%")]
#[case::dropped("api:status dropped < 10", "api:status dropped < 10")]
#[case::lag("server lag p99 < 250ms", "server lag p99 < 250ms")]
#[case::wait_in_all_queues("server queue-wait p95<2s", "server queue-wait p95 < 2s")]
#[case::wait_in_a_queue("server queue-wait  long p50 < 2s", "server queue-wait long p50 < 2s")]
fn a_threshold_is_scenario_part_metric_comparison_and_limit(
    #[case] text: &str,
    #[case] written: &str,
) {
    assert_eq!(text.parse::<Threshold>().unwrap().to_string(), written);
}

#[rstest]
#[case::empty("", "expected SCENARIO [step NAME|stage NUMBER] METRIC < LIMIT")]
#[case::no_comparison(
    "api:status p95 5s",
    "such as `api:status p95 < 5s`, got `api:status p95 5s`"
)]
#[case::no_scenario("p95 < 5s", "unknown scenario `p95`; valid: api:status, ")]
#[case::unknown_scenario(
    "api:stauts p95 < 5s",
    "unknown scenario `api:stauts`; did you mean `api:status`?"
)]
#[case::no_metric("api:status < 5s", "unknown metric ``; valid: min, avg, p50,")]
#[case::unknown_metric("api:status p96 < 5s", "unknown metric `p96`; did you mean `p90`?")]
#[case::no_step(
    "api:status health p95 < 5s",
    "expected METRIC, step NAME METRIC or stage NUMBER METRIC, got `health p95`"
)]
#[case::step_without_a_name(
    "api:status step p95 < 5s",
    "expected METRIC, step NAME METRIC or stage NUMBER METRIC, got `step p95`"
)]
#[case::stage_zero(
    "api:status stage 0 p95 < 5s",
    "expected METRIC, step NAME METRIC or stage NUMBER METRIC, got `stage 0 p95`"
)]
#[case::step_of_two_lines(
    "api:status step a\n::error::b p95 < 5s",
    "expected METRIC, step NAME METRIC or stage NUMBER METRIC"
)]
#[case::unknown_step(
    "api:status step helth p95 < 5s",
    "unknown step `helth` of api:status; did you mean `health`?"
)]
#[case::step_of_the_probe("probe:health step health p95 < 5s", "its iterations have no steps")]
#[case::error_rate_of_a_step(
    "api:status step health error-rate < 1%",
    "unknown metric `error-rate` of a step; valid: min, avg, p50, p90, p95, p99, p99.9, max"
)]
#[case::figure_of_the_server(
    "api:status lag p99 < 1s",
    "api:status: lag and queue-wait are figures of the server"
)]
#[case::unknown_queue(
    "server queue-wait lnog p95 < 5s",
    "unknown queue `lnog`; did you mean `long`?"
)]
#[case::no_figure("server p99 < 1s", "server: expected `lag METRIC`, `queue-wait METRIC`")]
#[case::no_quantile("server lag max < 1s", "unknown metric `max` of the server; valid: p50, p90,")]
#[case::no_unit(
    "api:status p95 < 5",
    "p95: expected a duration with its unit, such as `5s` or `300ms`, got `5`"
)]
#[case::zero_without_a_unit("api:status p95 < 0", "expected a duration with its unit")]
#[case::another_unit("api:status p95 < 5%", "p95: expected a duration with its unit")]
#[case::negative("api:status p95 < -5s", "got `-5s`")]
#[case::no_limit("api:status p95 <", "got ``")]
#[case::two_comparisons("api:status p95 < 5s < 6s", "got `5s < 6s`")]
#[case::share_without_a_unit(
    "api:status error-rate < 1",
    "error-rate: expected a percentage from 0% to 100%"
)]
#[case::too_large_a_share("api:status error-rate < 101%", "expected a percentage from 0% to 100%")]
#[case::rate_without_a_unit(
    "api:status throughput > 2",
    "throughput: expected a rate per second, such as `2/s`"
)]
#[case::no_number("api:status throughput > NaN/s", "expected a rate per second")]
#[case::infinity("api:status throughput > inf/s", "expected a rate per second")]
#[case::negative_rate("api:status throughput > -1/s", "expected a rate per second")]
#[case::count_with_a_unit("api:status dropped < 1s", "dropped: expected a count without a unit")]
#[case::negative_count("api:status dropped < -1", "expected a count without a unit")]
#[case::no_latency_is_zero("api:status p95 <= 0s", "`p95 <= 0s` never holds")]
#[case::no_share_is_below_zero("api:status error-rate < 0%", "`error-rate < 0%` never holds")]
#[case::no_rate_is_below_zero("api:status throughput >= 0/s", "`throughput >= 0/s` always holds")]
#[case::no_count_is_below_zero("api:status dropped < 0", "`dropped < 0` never holds")]
fn a_text_that_is_no_threshold_is_an_error_with_what_is_expected(
    #[case] text: &str,
    #[case] message: &str,
) {
    let error = text.parse::<Threshold>().unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[rstest]
#[case::latency("p95", "5s", "api:status p95 <= 5s")]
#[case::step("step status/get p95", "5s", "api:status step status/get p95 <= 5s")]
#[case::less_is_worse("throughput", "2/s", "api:status throughput >= 2/s")]
fn a_key_of_a_table_limits_in_the_direction_that_is_worse(
    #[case] key: &str,
    #[case] value: &str,
    #[case] written: &str,
) {
    let condition = Condition::of_key(key, value).unwrap();
    let owner = ThresholdOwner::Scenario(ScenarioId::ApiStatus);
    assert_eq!(condition.of(owner, None).unwrap().to_string(), written);
}

/// Amount of a unit that any threshold accepts.
fn amount(unit: Unit) -> BoxedStrategy<Amount> {
    match unit {
        Unit::Duration => (1..=u64::MAX / 4)
            .prop_map(|nanos| Amount::Duration(std::time::Duration::from_nanos(nanos)))
            .boxed(),
        Unit::Share => (1..=10_000_u64)
            .prop_map(|part| Amount::Share(crate::units::Percent::of(part, 10_000).unwrap()))
            .boxed(),
        Unit::Rate => (1e-9..1e9).prop_map(Amount::Rate).boxed(),
        Unit::Count => (1..=u64::MAX).prop_map(Amount::Count).boxed(),
        Unit::Size | Unit::GrowthRate => unreachable!("no metric of a scenario is a size"),
    }
}

fn any_threshold() -> impl Strategy<Value = Threshold> {
    let metrics = ScenarioId::ALL.into_iter().flat_map(|scenario| {
        let steps = Scenario::of(scenario).steps().into_iter();
        let steps = steps.flat_map(|step| [format!("{step} @slurm/loop"), step]).map(Part::Step);
        let parts: Vec<Part> = steps.chain([Part::Whole]).collect();
        parts.into_iter().flat_map(move |part| {
            let statistics = ScenarioMetric::ALL.iter().copied();
            let is_valid =
                |it: &ScenarioMetric| part == Part::Whole || it.row().unit == Unit::Duration;
            let valid: Vec<_> = statistics.filter(is_valid).collect();
            let metric =
                move |statistic| ThresholdMetric::of_scenario(scenario, part.clone(), statistic);
            valid.into_iter().map(metric)
        })
    });
    let comparisons = sample::select(&Comparison::ALL[..]);
    (sample::select(metrics.collect::<Vec<_>>()), comparisons).prop_flat_map(
        |(metric, comparison)| {
            amount(metric.statistic.row().unit).prop_map(move |limit| Threshold {
                metric: metric.clone(),
                comparison,
                limit,
                abort: None,
            })
        },
    )
}

proptest! {
    #[test]
    fn every_threshold_survives_a_round_trip_through_text(threshold in any_threshold()) {
        prop_assert_eq!(&threshold.to_string().parse::<Threshold>().unwrap(), &threshold);
    }

    #[test]
    fn every_threshold_survives_a_round_trip_through_json(threshold in any_threshold()) {
        let json = serde_json::to_string(&threshold).unwrap();
        let read = serde_json::from_str::<Threshold>(&json).unwrap();
        // JSON has durations as fractions of seconds.
        prop_assert_eq!((&read.metric, read.comparison), (&threshold.metric, threshold.comparison));
    }
}

#[test]
fn no_text_is_too_odd_for_the_parser() {
    crate::changes::try_changes(
        b"api:launch_and_logs step launch/submit p99.9 <= 1m 30s",
        |text| {
            let Ok(text) = std::str::from_utf8(text) else { return };
            if let Ok(threshold) = text.parse::<Threshold>() {
                assert_eq!(threshold.to_string().parse::<Threshold>(), Ok(threshold), "{text}");
            }
        },
    );
}
