//! Names of metrics of the server: `tree-rss`, `short-executor`.
//!
//! The largest peak of a process class has the class's name alone, and a metric of the whole
//! server its statistic's name alone.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ClassMetric, Limits, Metric, ServerMetric, Unit};

/// Error for a text that names no metric.
#[derive(Debug, thiserror::Error)]
#[error("unknown metric `{0}`")]
pub struct UnknownMetric(String);

/// Metrics that a budget can be set for, as text for `--help`.
pub fn budgets_for_help() -> String {
    let of = |unit| {
        let rows = ServerMetric::ALL.iter().map(|statistic| statistic.row());
        let budgets = rows.filter(move |row| row.limits == Limits::Budget && row.unit == unit);
        budgets.map(|row| row.name)
    };
    let sizes =
        alternatives(std::iter::once("the peak of a class of processes").chain(of(Unit::Size)));
    format!(
        "{sizes} to a size, {}, alone or after a class, to a size per hour, or {} to a count",
        alternatives(of(Unit::GrowthRate)),
        alternatives(of(Unit::Count))
    )
}

/// Names joined as `a, b or c`.
fn alternatives(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class, ClassMetric::MaxPeak) => f.pad(class.name()),
            Self::Class(class, statistic) => f.pad(&format!("{class} {}", statistic.row().name)),
            Self::Server(statistic) => f.pad(statistic.row().name),
        }
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::all().find(|metric| metric.to_string() == text);
        found.ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Schema of any string: with the names listed, each new metric would change the schema.
impl JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Name of a metric: a process class for the largest peak of its \
                            processes, or a statistic of the whole server. docs/metrics.md lists \
                            those that can have a budget.",
            "type": "string",
            "examples": ["short-executor", "tree-rss"],
        })
    }
}
