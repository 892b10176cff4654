//! Thresholds as text, in flags and files: `api:status p95 < 5s`,
//! `api:launch_and_logs step launch/submit p99 <= 300ms`, `server lag p99 < 250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Abort, Amount, Comparison, Limits, Part, Queue, ScenarioMetric, ServerFigure, Subject,
    Threshold, ThresholdMetric, Unit, Worse,
};
use crate::scenario::{Scenario, ScenarioId, ScenarioKind, step_and_infra};
use crate::suggest::suggest;

/// Error of a text that is no threshold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ThresholdError(String);

/// Owner of thresholds: a scenario, or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdOwner {
    /// Scenario, of what its users see.
    Scenario(ScenarioId),
    /// Server, of its own metrics.
    Server,
}

impl ThresholdOwner {
    /// Name of the server.
    pub const SERVER: &str = "server";

    /// Names of all owners.
    pub fn names() -> Vec<String> {
        let scenarios = ScenarioId::ALL.iter().map(ToString::to_string);
        scenarios.chain([Self::SERVER.to_owned()]).collect()
    }
}

impl FromStr for ThresholdOwner {
    type Err = ThresholdError;

    fn from_str(name: &str) -> Result<Self, ThresholdError> {
        if name == Self::SERVER {
            return Ok(Self::Server);
        }
        name.parse().map(Self::Scenario).map_err(|error| {
            let known = Self::names();
            let suggestion = suggest(name, known.iter().map(String::as_str));
            ThresholdError(format!("{error}; {suggestion}"))
        })
    }
}

impl fmt::Display for ThresholdOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(id) => f.pad(&id.to_string()),
            Self::Server => f.pad(Self::SERVER),
        }
    }
}

/// Words before a statistic: what of its owner a threshold is about.
#[derive(Clone, Debug, PartialEq)]
enum Aspect {
    /// Part of a scenario's iterations.
    Part(Part),
    /// Figure of the server.
    Server(ServerFigure),
}

/// Threshold without its owner: `p95 < 5s`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    aspect: Aspect,
    statistic: ScenarioMetric,
    comparison: Comparison,
    limit: Amount,
}

impl Condition {
    /// Condition of a table's key and value: `p95` and `5s` are at most 5 s, `throughput` and
    /// `2/s` at least 2/s.
    pub fn of_key(key: &str, value: &str) -> Result<Self, ThresholdError> {
        let (aspect, statistic) = parse_metric(key)?;
        let comparison = match statistic.row().worse {
            Worse::Higher => Comparison::AtMost,
            Worse::Lower => Comparison::AtLeast,
        };
        Self::checked(aspect, statistic, comparison, value)
    }

    /// Threshold of a scenario or the server; an error if the owner does not have the metric.
    pub fn of(
        self,
        owner: ThresholdOwner,
        abort: Option<Abort>,
    ) -> Result<Threshold, ThresholdError> {
        let Self { aspect, statistic, comparison, limit } = self;
        let subject = subject(owner, aspect)?;
        if let Subject::Scenario(scenario, Part::Step(step)) = &subject {
            let scenario = *scenario;
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
        if abort.is_some() && owner == ThresholdOwner::Server {
            let message = "abort: only of scenarios; the server's own metrics are read too seldom";
            return Err(ThresholdError(message.to_owned()));
        }
        let metric = ThresholdMetric { subject, statistic };
        if let Some(abort) = abort {
            check_abort(&metric, comparison, abort)?;
        }
        Ok(Threshold { metric, comparison, limit, abort })
    }

    fn checked(
        aspect: Aspect,
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
        Ok(Self { aspect, statistic, comparison, limit })
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
        let (aspect, statistic) = parse_metric(metric)?;
        Self::checked(aspect, statistic, comparison, limit)
    }
}

/// Checks that a healthy load does not breach a threshold with `abort` by figures that are still low.
fn check_abort(
    metric: &ThresholdMetric,
    comparison: Comparison,
    abort: Abort,
) -> Result<(), ThresholdError> {
    let name = metric.statistic.row().name;
    let is_held = metric.scenario().is_some_and(|id| id.kind() == ScenarioKind::Hold);
    let message = match metric.statistic {
        _ if comparison.is_upper() => return Ok(()),
        ScenarioMetric::Throughput if is_held => {
            format!(
                "abort: connections count for {name} when they end, which is with the load; remove \
                 `abort`"
            )
        }
        ScenarioMetric::Throughput | ScenarioMetric::Dropped if abort.after.is_zero() => {
            format!("abort: {name} is 0 at first; add `after`, such as `after = \"1m\"`")
        }
        _ => return Ok(()),
    };
    Err(ThresholdError(message))
}

/// Subject of a threshold; an error if the owner has no such part or figure.
fn subject(owner: ThresholdOwner, aspect: Aspect) -> Result<Subject, ThresholdError> {
    match (owner, aspect) {
        (ThresholdOwner::Scenario(id), Aspect::Part(part)) => Ok(Subject::Scenario(id, part)),
        (ThresholdOwner::Server, Aspect::Server(figure)) => Ok(Subject::Server(figure)),
        (ThresholdOwner::Scenario(id), Aspect::Server(_)) => Err(ThresholdError(format!(
            "{id}: lag and queue-wait are figures of the server, as in `server lag p99 < 250ms`"
        ))),
        (ThresholdOwner::Server, Aspect::Part(_)) => Err(ThresholdError(
            "server: expected `lag METRIC`, `queue-wait METRIC` or `queue-wait QUEUE METRIC`, such \
             as `server lag p99 < 250ms`"
                .to_owned(),
        )),
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

/// Aspect and statistic of a text such as `p95`, `step launch/submit p95` or `lag p99`.
fn parse_metric(text: &str) -> Result<(Aspect, ScenarioMetric), ThresholdError> {
    let text = text.trim();
    let (before, name) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    // A control character could end a line of a report.
    let is_name = |name: &&str| !name.is_empty() && !name.contains(char::is_control);
    let of_step = |step: &str| Aspect::Part(Part::Step(step.to_owned()));
    let of_stage = |text: &str| text.parse().ok().filter(|number| *number > 0).map(Part::Stage);
    let aspect = match (before.trim(), before.trim().split_once(char::is_whitespace)) {
        ("", _) => Some(Aspect::Part(Part::Whole)),
        ("lag", _) => Some(Aspect::Server(ServerFigure::Lag)),
        ("queue-wait", _) => Some(Aspect::Server(ServerFigure::QueueWait(None))),
        (_, Some(("queue-wait", queue))) => {
            Some(Aspect::Server(ServerFigure::QueueWait(Some(parse_queue(queue.trim())?))))
        }
        (_, Some(("step", step))) => Some(step.trim()).filter(is_name).map(of_step),
        (_, Some(("stage", number))) => of_stage(number.trim()).map(Aspect::Part),
        _ => None,
    };
    let Some(aspect) = aspect else {
        let expected = "METRIC, step NAME METRIC or stage NUMBER METRIC";
        return Err(ThresholdError(format!("expected {expected}, got `{text}`")));
    };
    let is_valid = |row: &super::Row| match aspect {
        Aspect::Part(Part::Whole | Part::Stage(_)) => row.limits == Limits::Threshold,
        // Only latencies are recorded by step.
        Aspect::Part(Part::Step(_)) => {
            row.limits == Limits::Threshold && row.unit == Unit::Duration
        }
        // Histograms have quantiles only.
        Aspect::Server(_) => row.limits == Limits::Threshold && row.name.starts_with('p'),
    };
    let valid = ScenarioMetric::ALL.iter().copied().filter(|it| is_valid(it.row()));
    match valid.clone().find(|statistic| statistic.row().name == name) {
        Some(statistic) => Ok((aspect, statistic)),
        None => {
            let of_step = match aspect {
                Aspect::Part(Part::Whole | Part::Stage(_)) => "",
                Aspect::Part(Part::Step(_)) => " of a step",
                Aspect::Server(_) => " of the server",
            };
            let suggestion = suggest(name, valid.map(|statistic| statistic.row().name));
            Err(ThresholdError(format!("unknown metric `{name}`{of_step}; {suggestion}")))
        }
    }
}

fn parse_queue(name: &str) -> Result<Queue, ThresholdError> {
    Queue::ALL.into_iter().find(|queue| queue.name() == name).ok_or_else(|| {
        let suggestion = suggest(name, Queue::ALL.iter().map(|queue| queue.name()));
        ThresholdError(format!("unknown queue `{name}`; {suggestion}"))
    })
}

/// Owner at the start of a text, and the rest.
fn parse_owner(text: &str) -> Result<(ThresholdOwner, &str), ThresholdError> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok((name.parse()?, rest))
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
        let (owner, rest) = parse_owner(text)?;
        rest.parse::<Condition>()?.of(owner, None)
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
        f.pad(&format!("{} {}", self.subject, self.statistic.row().name))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Scenario(id, Part::Whole) => id.to_string(),
            Self::Scenario(id, Part::Stage(number)) => format!("{id} stage {number}"),
            Self::Scenario(id, Part::Step(step)) => format!("{id} step {step}"),
            Self::Server(ServerFigure::Lag) => "server lag".to_owned(),
            Self::Server(ServerFigure::QueueWait(None)) => "server queue-wait".to_owned(),
            Self::Server(ServerFigure::QueueWait(Some(queue))) => {
                format!("server queue-wait {}", queue.name())
            }
        };
        f.pad(&text)
    }
}

/// Parser of names in files. Steps are those of the build that wrote the file.
impl FromStr for ThresholdMetric {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (owner, rest) = parse_owner(text)?;
        let (aspect, statistic) = parse_metric(rest)?;
        Ok(Self { subject: subject(owner, aspect)?, statistic })
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
                            metric is of one, and a statistic; or a figure of the server and a \
                            statistic. docs/metrics.md lists them.",
            "type": "string",
            "examples": [
                "api:status p95", "api:launch_and_logs step launch/submit p99", "server lag p99"
            ],
        })
    }
}

#[cfg(test)]
#[path = "threshold_text_tests.rs"]
mod tests;
