//! Thresholds as text, in flags and files: `api:status p95 < 5s`,
//! `api:launch_and_logs step launch/submit p99 <= 300ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Abort, Amount, Comparison, Limits, Part, ScenarioMetric, Threshold, ThresholdMetric, Unit,
    Worse,
};
use crate::scenario::{Scenario, ScenarioId, step_and_infra};
use crate::suggest::suggest;

/// Error of a text that is no threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ThresholdError(String);

/// Threshold without its scenario: `p95 < 5s`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    part: Part,
    statistic: ScenarioMetric,
    comparison: Comparison,
    limit: Amount,
}

impl Condition {
    /// Condition of a table's key and value: `p95` and `5s` are at most 5 s, `throughput` and
    /// `2/s` at least 2/s.
    pub fn of_key(key: &str, value: &str) -> Result<Self, ThresholdError> {
        let (part, statistic) = parse_metric(key)?;
        let comparison = match statistic.row().worse {
            Worse::Higher => Comparison::AtMost,
            Worse::Lower => Comparison::AtLeast,
        };
        Self::checked(part, statistic, comparison, value)
    }

    /// Threshold of a scenario; an error if its iterations do not have the step.
    pub fn of(
        self,
        scenario: ScenarioId,
        abort: Option<Abort>,
    ) -> Result<Threshold, ThresholdError> {
        let Self { part, statistic, comparison, limit } = self;
        if let Part::Step(step) = &part {
            let (name, known) = (step_and_infra(step).0, Scenario::of(scenario).steps());
            if !known.contains(name) {
                let suggestion = match known.is_empty() {
                    true => "its iterations have no steps".to_owned(),
                    false => suggest(name, known.iter().map(String::as_str)),
                };
                let message = format!("unknown step `{name}` of {scenario}; {suggestion}");
                return Err(ThresholdError(message));
            }
        }
        let metric = ThresholdMetric { scenario, part, statistic };
        Ok(Threshold { metric, comparison, limit, abort })
    }

    fn checked(
        part: Part,
        statistic: ScenarioMetric,
        comparison: Comparison,
        limit: &str,
    ) -> Result<Self, ThresholdError> {
        let name = statistic.row().name;
        let limit = Amount::parse(limit, statistic.row().unit)
            .map_err(|error| ThresholdError(format!("{name}: {error}")))?;
        // No amount is negative, and no latency is zero.
        let is_bound = match statistic.row().unit {
            Unit::Duration => true,
            _ => matches!(comparison, Comparison::Below | Comparison::AtLeast),
        };
        if limit.is_zero() && is_bound {
            let (sign, limit) = (comparison.sign(), limit.typed());
            let always = if comparison.is_upper() { "never" } else { "always" };
            return Err(ThresholdError(format!("`{name} {sign} {limit}` {always} holds")));
        }
        Ok(Self { part, statistic, comparison, limit })
    }
}

impl FromStr for Condition {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (metric, comparison, limit) = split(text).ok_or_else(|| {
            ThresholdError(format!(
                "expected [step NAME] METRIC < LIMIT (or <=, >, >=), such as `p95 < 5s`, got `{text}`"
            ))
        })?;
        let (part, statistic) = parse_metric(metric)?;
        Self::checked(part, statistic, comparison, limit)
    }
}

/// Metric, comparison and limit of a text. The names of scenarios, steps and metrics contain no
/// sign of a comparison.
fn split(text: &str) -> Option<(&str, Comparison, &str)> {
    let (metric, rest) = text.split_at(text.find(['<', '>'])?);
    // The longer signs first, since they begin with the shorter ones.
    let comparison = Comparison::ALL.into_iter().find(|it| rest.starts_with(it.sign()))?;
    Some((metric, comparison, &rest[comparison.sign().len()..]))
}

/// Part and statistic of a text such as `p95` or `step launch/submit p95`.
fn parse_metric(text: &str) -> Result<(Part, ScenarioMetric), ThresholdError> {
    let text = text.trim();
    let (before, name) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    let part = match before.trim() {
        "" => Part::Whole,
        step => match step.strip_prefix("step ").map(str::trim).filter(|name| !name.is_empty()) {
            Some(step) => Part::Step(step.to_owned()),
            None => {
                let message = format!("expected METRIC or step NAME METRIC, got `{text}`");
                return Err(ThresholdError(message));
            }
        },
    };
    let is_valid = |row: &super::Row| match part {
        Part::Whole => row.limits == Limits::Threshold,
        // Only latencies are recorded by step.
        Part::Step(_) => row.limits == Limits::Threshold && row.unit == Unit::Duration,
    };
    let valid = ScenarioMetric::ALL.iter().copied().filter(|it| is_valid(it.row()));
    match valid.clone().find(|statistic| statistic.row().name == name) {
        Some(statistic) => Ok((part, statistic)),
        None => {
            let of_step = if part == Part::Whole { "" } else { " of a step" };
            let suggestion = suggest(name, valid.map(|statistic| statistic.row().name));
            Err(ThresholdError(format!("unknown metric `{name}`{of_step}; {suggestion}")))
        }
    }
}

/// Scenario at the start of a text, and the rest.
fn parse_scenario(text: &str) -> Result<(ScenarioId, &str), ThresholdError> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let scenario = name.parse().map_err(|error| {
        let known = ScenarioId::ALL.map(|id| id.to_string());
        let suggestion = suggest(name, known.iter().map(String::as_str));
        ThresholdError(format!("{error}; {suggestion}"))
    })?;
    Ok((scenario, rest))
}

/// Parser of a whole threshold, which never ends the load.
impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        if split(text).is_none() {
            return Err(ThresholdError(format!(
                "expected SCENARIO [step NAME] METRIC < LIMIT (or <=, >, >=), such as \
                 `api:status p95 < 5s`, got `{text}`"
            )));
        }
        let (scenario, rest) = parse_scenario(text)?;
        rest.parse::<Condition>()?.of(scenario, None)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, comparison, limit, .. } = self;
        f.pad(&format!("{metric} {} {}", comparison.sign(), limit.typed()))
    }
}

impl fmt::Display for ThresholdMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scenario, statistic) = (self.scenario, self.statistic.row().name);
        match &self.part {
            Part::Whole => f.pad(&format!("{scenario} {statistic}")),
            Part::Step(step) => f.pad(&format!("{scenario} step {step} {statistic}")),
        }
    }
}

/// Parser of names in files. Steps are those of the build that wrote the file.
impl FromStr for ThresholdMetric {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (scenario, rest) = parse_scenario(text)?;
        let (part, statistic) = parse_metric(rest)?;
        Ok(Self { scenario, part, statistic })
    }
}

impl Serialize for ThresholdMetric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ThresholdMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Schema of any string: with the names listed, each new metric would change the schema.
impl JsonSchema for ThresholdMetric {
    fn schema_name() -> Cow<'static, str> {
        "ThresholdMetric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Name of a metric that can have a threshold: a scenario, a step if the \
                            metric is of one, and a statistic. docs/metrics.md lists them.",
            "type": "string",
            "examples": ["api:status p95", "api:launch_and_logs step launch/submit p99"],
        })
    }
}

#[cfg(test)]
mod tests {
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
    fn a_threshold_is_scenario_part_metric_comparison_and_limit(
        #[case] text: &str,
        #[case] written: &str,
    ) {
        assert_eq!(text.parse::<Threshold>().unwrap().to_string(), written);
    }

    #[rstest]
    #[case::empty("", "expected SCENARIO [step NAME] METRIC < LIMIT")]
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
        "expected METRIC or step NAME METRIC, got `health p95`"
    )]
    #[case::step_without_a_name(
        "api:status step p95 < 5s",
        "expected METRIC or step NAME METRIC, got `step p95`"
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
    #[case::too_large_a_share(
        "api:status error-rate < 101%",
        "expected a percentage from 0% to 100%"
    )]
    #[case::rate_without_a_unit(
        "api:status throughput > 2",
        "throughput: expected a rate per second, such as `2/s`"
    )]
    #[case::no_number("api:status throughput > NaN/s", "expected a rate per second")]
    #[case::infinity("api:status throughput > inf/s", "expected a rate per second")]
    #[case::negative_rate("api:status throughput > -1/s", "expected a rate per second")]
    #[case::count_with_a_unit(
        "api:status dropped < 1s",
        "dropped: expected a count without a unit"
    )]
    #[case::negative_count("api:status dropped < -1", "expected a count without a unit")]
    #[case::no_latency_is_zero("api:status p95 <= 0s", "`p95 <= 0s` never holds")]
    #[case::no_share_is_below_zero("api:status error-rate < 0%", "`error-rate < 0%` never holds")]
    #[case::no_rate_is_below_zero(
        "api:status throughput >= 0/s",
        "`throughput >= 0/s` always holds"
    )]
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
        assert_eq!(condition.of(ScenarioId::ApiStatus, None).unwrap().to_string(), written);
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
            Unit::Size => unreachable!("no metric of a scenario is a size"),
        }
    }

    fn any_threshold() -> impl Strategy<Value = Threshold> {
        let metrics = ScenarioId::ALL.into_iter().flat_map(|scenario| {
            let steps = Scenario::of(scenario).steps().into_iter();
            let steps =
                steps.flat_map(|step| [format!("{step} @slurm/loop"), step]).map(Part::Step);
            let parts: Vec<Part> = steps.chain([Part::Whole]).collect();
            parts.into_iter().flat_map(move |part| {
                let statistics = ScenarioMetric::ALL.iter().copied();
                let is_valid =
                    |it: &ScenarioMetric| part == Part::Whole || it.row().unit == Unit::Duration;
                let valid: Vec<_> = statistics.filter(is_valid).collect();
                let metric =
                    move |statistic| ThresholdMetric { scenario, part: part.clone(), statistic };
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
}
