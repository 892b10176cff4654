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
            if !Scenario::of(scenario).may_have_step(name) {
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
                "expected [step NAME|stage NUMBER] METRIC < LIMIT (or <=, >, >=), such as `p95 < 5s`, got `{text}`"
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
    // A control character could end a line of a report.
    let is_name = |name: &&str| !name.is_empty() && !name.contains(char::is_control);
    let of_step = |step: &str| Part::Step(step.to_owned());
    let of_stage = |text: &str| text.parse().ok().filter(|number| *number > 0).map(Part::Stage);
    let part = match before.trim().split_once(char::is_whitespace) {
        None if before.trim().is_empty() => Some(Part::Whole),
        Some(("step", step)) => Some(step.trim()).filter(is_name).map(of_step),
        Some(("stage", number)) => of_stage(number.trim()),
        _ => None,
    };
    let Some(part) = part else {
        let expected = "METRIC, step NAME METRIC or stage NUMBER METRIC";
        return Err(ThresholdError(format!("expected {expected}, got `{text}`")));
    };
    let is_valid = |row: &super::Row| match part {
        Part::Whole | Part::Stage(_) => row.limits == Limits::Threshold,
        // Only latencies are recorded by step.
        Part::Step(_) => row.limits == Limits::Threshold && row.unit == Unit::Duration,
    };
    let valid = ScenarioMetric::ALL.iter().copied().filter(|it| is_valid(it.row()));
    match valid.clone().find(|statistic| statistic.row().name == name) {
        Some(statistic) => Ok((part, statistic)),
        None => {
            let of_step = if matches!(part, Part::Step(_)) { " of a step" } else { "" };
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
                "expected SCENARIO [step NAME|stage NUMBER] METRIC < LIMIT (or <=, >, >=), such as \
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
            Part::Stage(number) => f.pad(&format!("{scenario} stage {number} {statistic}")),
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
#[path = "threshold_text_tests.rs"]
mod tests;
